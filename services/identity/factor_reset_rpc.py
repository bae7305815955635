"""SecondFactorResetService: the way back for who has lost a second factor."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.identity.lost_factors import LostFactors
from services.kit.approval import Proposal
from services.kit.approval_wire import asked, to_proposal
from services.kit.principal import caller
from veritick.identity.v1 import second_factor_reset_service_pb2 as pb
from veritick.identity.v1.second_factor_reset_service_pb2_grpc import (
    SecondFactorResetServiceServicer,
    add_SecondFactorResetServiceServicer_to_server,
)

add_factor_reset_face = add_SecondFactorResetServiceServicer_to_server


class FactorResetFace(SecondFactorResetServiceServicer):
    """Takes proposals, and decides them."""

    def __init__(self, lost: LostFactors) -> None:
        self._lost = lost

    async def ProposeSecondFactorReset(
        self, request: pb.ProposeSecondFactorResetRequest, context: Any
    ) -> pb.ProposeSecondFactorResetResponse:
        """Propose to take a user's second factor away."""
        proposal = await self._lost.propose(
            UUID(request.user_id),
            with_passkeys=request.passkeys,
            reason=request.reason,
            person=caller().user_id,
            request_id=UUID(request.request_id),
        )
        return pb.ProposeSecondFactorResetResponse(proposal=to_proposal(proposal, str))

    async def ListSecondFactorResets(
        self, request: pb.ListSecondFactorResetsRequest, context: Any
    ) -> pb.ListSecondFactorResetsResponse:
        """List what was proposed."""
        wanted = asked(request)
        found = await self._lost.page(*wanted)
        return pb.ListSecondFactorResetsResponse(
            proposals=[to_proposal(proposal, str) for proposal in found],
            next_page_token=wanted.following(found),
        )

    async def ApproveSecondFactorReset(
        self, request: pb.ApproveSecondFactorResetRequest, context: Any
    ) -> pb.ApproveSecondFactorResetResponse:
        """Approve what somebody else proposed."""
        decided = await self._decide(request.proposal_id, request.note, approve=True)
        return pb.ApproveSecondFactorResetResponse(proposal=to_proposal(decided, str))

    async def RejectSecondFactorReset(
        self, request: pb.RejectSecondFactorResetRequest, context: Any
    ) -> pb.RejectSecondFactorResetResponse:
        """Reject what somebody else proposed."""
        decided = await self._decide(request.proposal_id, request.note, approve=False)
        return pb.RejectSecondFactorResetResponse(proposal=to_proposal(decided, str))

    async def WithdrawSecondFactorReset(
        self, request: pb.WithdrawSecondFactorResetRequest, context: Any
    ) -> pb.WithdrawSecondFactorResetResponse:
        """Take back what the caller proposed."""
        key, person = UUID(request.proposal_id), caller().user_id
        withdrawn = await self._lost.withdraw(key, person, request.note)
        return pb.WithdrawSecondFactorResetResponse(proposal=to_proposal(withdrawn, str))

    async def _decide(self, proposal_id: str, note: str, *, approve: bool) -> Proposal:
        person = caller().user_id
        return await self._lost.decide(UUID(proposal_id), person, note, approve=approve)
