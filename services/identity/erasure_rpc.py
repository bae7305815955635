"""ErasureService, for users about themselves, and ErasureAdminService, for staff."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from services.identity.erasing import ERASE, Erasing
from services.identity.erasure import Erasure, Obstacle, State
from services.kit.approval import Proposal
from services.kit.approval_wire import asked, to_proposal
from services.kit.approvals import Approvals
from services.kit.errors import Failure
from services.kit.principal import caller
from services.kit.reason import Reason
from services.kit.wire import to_timestamp
from veritick.identity.v1 import erasure_admin_service_pb2 as admin_pb
from veritick.identity.v1 import erasure_pb2, erasure_service_pb2
from veritick.identity.v1.erasure_admin_service_pb2_grpc import ErasureAdminServiceServicer
from veritick.identity.v1.erasure_service_pb2_grpc import ErasureServiceServicer
from veritick.type.v1.staff_proposal_pb2 import StaffProposal

_HOUR = timedelta(hours=1)


class ErasureFace(ErasureServiceServicer):
    """Lets users have themselves erased."""

    def __init__(self, erasing: Erasing) -> None:
        self._erasing = erasing

    async def RequestErasure(
        self, request: erasure_service_pb2.RequestErasureRequest, context: Any
    ) -> erasure_service_pb2.RequestErasureResponse:
        """Ask for the caller to be erased."""
        erasure = await self._erasing.ask(caller().user_id)
        return erasure_service_pb2.RequestErasureResponse(erasure=_erasure(erasure))

    async def WithdrawErasure(
        self, request: erasure_service_pb2.WithdrawErasureRequest, context: Any
    ) -> erasure_service_pb2.WithdrawErasureResponse:
        """Take it back."""
        withdrawn = await self._erasing.withdraw(caller().user_id)
        return erasure_service_pb2.WithdrawErasureResponse(erasure=_erasure(withdrawn))

    async def GetErasure(
        self, request: erasure_service_pb2.GetErasureRequest, context: Any
    ) -> erasure_service_pb2.GetErasureResponse:
        """Answer what waits, and what stands in the way."""
        waiting, obstacles = await self._erasing.standing(caller().user_id)
        return erasure_service_pb2.GetErasureResponse(
            erasure=_erasure(waiting) if waiting else None,
            obstacles=[_obstacle(each) for each in sorted(obstacles)],
            wait_hours=self._erasing.pace.wait // _HOUR,
        )


class ErasureAdminFace(ErasureAdminServiceServicer):
    """Lets two of staff have a user erased."""

    def __init__(self, erasing: Erasing, approvals: Approvals) -> None:
        self._erasing = erasing
        self._approvals = approvals

    async def ProposeErasure(
        self, request: admin_pb.ProposeErasureRequest, context: Any
    ) -> admin_pb.ProposeErasureResponse:
        """Propose that a user be erased."""
        person, user_id = caller().user_id, UUID(request.user_id)
        if person == user_id:
            raise Failure(Reason.SAME_PERSON, "Nobody proposes his own erasure.")
        request_id = UUID(request.request_id)
        if await self._approvals.earlier(person, request_id) is None:
            await self._erasing.require_possible(user_id)
        proposal = await self._approvals.propose(
            ERASE,
            {"user_id": str(user_id)},
            reason=request.reason,
            person=person,
            request_id=request_id,
        )
        return admin_pb.ProposeErasureResponse(proposal=_shown(proposal))

    async def ListErasureProposals(
        self, request: admin_pb.ListErasureProposalsRequest, context: Any
    ) -> admin_pb.ListErasureProposalsResponse:
        """List what was proposed."""
        wanted = asked(request)
        found = await self._approvals.page(ERASE, *wanted)
        return admin_pb.ListErasureProposalsResponse(
            proposals=[_shown(proposal) for proposal in found],
            next_page_token=wanted.following(found),
        )

    async def ApproveErasureProposal(
        self, request: admin_pb.ApproveErasureProposalRequest, context: Any
    ) -> admin_pb.ApproveErasureProposalResponse:
        """Approve a proposal."""
        decided = await self._approvals.approve(ERASE, *_decision(request))
        return admin_pb.ApproveErasureProposalResponse(proposal=_shown(decided))

    async def RejectErasureProposal(
        self, request: admin_pb.RejectErasureProposalRequest, context: Any
    ) -> admin_pb.RejectErasureProposalResponse:
        """Reject a proposal."""
        decided = await self._approvals.reject(ERASE, *_decision(request))
        return admin_pb.RejectErasureProposalResponse(proposal=_shown(decided))

    async def WithdrawErasureProposal(
        self, request: admin_pb.WithdrawErasureProposalRequest, context: Any
    ) -> admin_pb.WithdrawErasureProposalResponse:
        """Take a proposal of the caller's back."""
        withdrawn = await self._approvals.withdraw(ERASE, *_decision(request))
        return admin_pb.WithdrawErasureProposalResponse(proposal=_shown(withdrawn))


_Decision = (
    admin_pb.ApproveErasureProposalRequest
    | admin_pb.RejectErasureProposalRequest
    | admin_pb.WithdrawErasureProposalRequest
)


def _decision(request: _Decision) -> tuple[UUID, UUID, str]:
    return UUID(request.proposal_id), caller().user_id, request.note


def _shown(proposal: Proposal) -> StaffProposal:
    return to_proposal(proposal, str)


def _erasure(erasure: Erasure) -> erasure_pb2.Erasure:
    # That its closing has two steps matters to nobody else.
    state = State.CLOSING if erasure.state is State.CLOSED else erasure.state
    ended = erasure.ended_at
    return erasure_pb2.Erasure(
        erasure_id=str(erasure.erasure_id),
        user_id=str(erasure.user_id),
        state=erasure_pb2.Erasure.State.Value(state.value),
        by_staff=erasure.by_staff,
        create_time=to_timestamp(erasure.asked_at),
        due_time=to_timestamp(erasure.due_at),
        end_time=to_timestamp(ended) if ended else None,
    )


def _obstacle(obstacle: Obstacle) -> erasure_pb2.ErasureObstacle.ValueType:
    return erasure_pb2.ErasureObstacle.Value(obstacle.value)
