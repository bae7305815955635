"""How staff void a price that nobody can fix, two at a time. Decode, call, encode."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.kit.approval import Proposal
from services.kit.approval_wire import asked, to_proposal
from services.kit.approvals import Approvals
from services.kit.principal import caller
from services.kit.wire import to_datetime, to_timestamp
from services.settlement.fixing import Point
from services.settlement.voids import VOID, Voids, content_of, point_of
from veritick.settlement.v1 import void_service_pb2 as void_pb
from veritick.settlement.v1.void_service_pb2_grpc import VoidServiceServicer


class VoidFace(VoidServiceServicer):
    """Proposes, decides and shows voids."""

    def __init__(self, approvals: Approvals, voids: Voids) -> None:
        """Keep proposals in `approvals`; `voids` knows what may be proposed."""
        self._approvals = approvals
        self._voids = voids

    async def ProposeVoid(
        self, request: void_pb.ProposeVoidRequest, context: Any
    ) -> void_pb.ProposeVoidResponse:
        """Propose to void a price."""
        point = Point(request.instrument, to_datetime(request.time))
        person, request_id = caller().user_id, UUID(request.request_id)
        if await self._approvals.earlier(person, request_id) is None:
            await self._voids.check(point)
        proposal = await self._approvals.propose(
            VOID,
            content_of(point),
            reason=request.reason,
            person=person,
            request_id=request_id,
        )
        return void_pb.ProposeVoidResponse(void=_message(proposal))

    async def ApproveVoid(
        self, request: void_pb.ApproveVoidRequest, context: Any
    ) -> void_pb.ApproveVoidResponse:
        """Approve, and void."""
        key, person = UUID(request.void_id), caller().user_id
        proposal = await self._approvals.approve(VOID, key, person, request.note)
        return void_pb.ApproveVoidResponse(void=_message(proposal))

    async def RejectVoid(
        self, request: void_pb.RejectVoidRequest, context: Any
    ) -> void_pb.RejectVoidResponse:
        """Reject."""
        key, person = UUID(request.void_id), caller().user_id
        proposal = await self._approvals.reject(VOID, key, person, request.note)
        return void_pb.RejectVoidResponse(void=_message(proposal))

    async def WithdrawVoid(
        self, request: void_pb.WithdrawVoidRequest, context: Any
    ) -> void_pb.WithdrawVoidResponse:
        """Take back."""
        key, person = UUID(request.void_id), caller().user_id
        proposal = await self._approvals.withdraw(VOID, key, person, request.note)
        return void_pb.WithdrawVoidResponse(void=_message(proposal))

    async def GetVoid(
        self, request: void_pb.GetVoidRequest, context: Any
    ) -> void_pb.GetVoidResponse:
        """Answer one void."""
        proposal = await self._approvals.get(VOID, UUID(request.void_id))
        return void_pb.GetVoidResponse(void=_message(proposal))

    async def ListVoids(
        self, request: void_pb.ListVoidsRequest, context: Any
    ) -> void_pb.ListVoidsResponse:
        """List voids."""
        wanted = asked(request)
        found = await self._approvals.page(VOID, *wanted)
        return void_pb.ListVoidsResponse(
            voids=[_message(proposal) for proposal in found],
            next_page_token=wanted.following(found),
        )


def _message(proposal: Proposal) -> void_pb.Void:
    point = point_of(proposal)
    return void_pb.Void(
        void_id=str(proposal.proposal_id),
        instrument=point.instrument,
        time=to_timestamp(point.time),
        proposal=to_proposal(proposal, str),
    )
