"""How staff correct balances, two at a time. Decode, call, encode."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.kit.approval import Proposal
from services.kit.approval_wire import asked, to_proposal
from services.kit.errors import Failure
from services.kit.principal import caller
from services.kit.reason import Reason
from services.trading.adjusting import ADJUSTMENT, Adjustment, adjustment_of, check_adjustment
from services.trading.annulments import Days
from services.trading.desk import Desk
from services.trading.rpc import Desks, desk_of, locate
from services.trading.wire import day, money, to_money
from veritick.trading.v1 import adjustment_service_pb2 as adjustment_pb
from veritick.trading.v1.adjustment_service_pb2_grpc import AdjustmentServiceServicer


class AdjustmentFace(AdjustmentServiceServicer):
    """Proposes, decides and shows adjustments."""

    def __init__(self, desks: Desks) -> None:
        self._desks = desks

    async def ProposeAdjustment(
        self, request: adjustment_pb.ProposeAdjustmentRequest, context: Any
    ) -> adjustment_pb.ProposeAdjustmentResponse:
        desk, account_id = locate(self._desks, request.account_id, Reason.ACCOUNT_NOT_FOUND)
        adjustment = Adjustment(account_id, to_money(request.amount))
        person, request_id = caller().user_id, UUID(request.request_id)
        if await desk.approvals.earlier(person, request_id) is None:
            check_adjustment(adjustment, await desk.book.account(account_id))
        proposal = await desk.approvals.propose(
            ADJUSTMENT,
            adjustment.content(),
            reason=request.reason,
            person=person,
            request_id=request_id,
        )
        return adjustment_pb.ProposeAdjustmentResponse(adjustment=_message(proposal, desk))

    async def ProposeAnnulment(
        self, request: adjustment_pb.ProposeAnnulmentRequest, context: Any
    ) -> adjustment_pb.ProposeAnnulmentResponse:
        desk, account_id = locate(self._desks, request.account_id, Reason.ACCOUNT_NOT_FOUND)
        days = Days(day("first_date", request.first_date), day("last_date", request.last_date))
        person, request_id = caller().user_id, UUID(request.request_id)
        earlier = await desk.approvals.earlier(person, request_id)
        adjustment = (
            await _annulment(desk, account_id, days)
            if earlier is None
            else Adjustment(account_id, adjustment_of(earlier).amount, days)
        )
        proposal = await desk.approvals.propose(
            ADJUSTMENT,
            adjustment.content(),
            reason=request.reason,
            person=person,
            request_id=request_id,
        )
        return adjustment_pb.ProposeAnnulmentResponse(adjustment=_message(proposal, desk))

    async def ApproveAdjustment(
        self, request: adjustment_pb.ApproveAdjustmentRequest, context: Any
    ) -> adjustment_pb.ApproveAdjustmentResponse:
        desk, key = locate(self._desks, request.adjustment_id, Reason.PROPOSAL_NOT_FOUND)
        person = caller().user_id
        proposal = await desk.approvals.approve(ADJUSTMENT, key, person, request.note)
        return adjustment_pb.ApproveAdjustmentResponse(adjustment=_message(proposal, desk))

    async def RejectAdjustment(
        self, request: adjustment_pb.RejectAdjustmentRequest, context: Any
    ) -> adjustment_pb.RejectAdjustmentResponse:
        desk, key = locate(self._desks, request.adjustment_id, Reason.PROPOSAL_NOT_FOUND)
        person = caller().user_id
        proposal = await desk.approvals.reject(ADJUSTMENT, key, person, request.note)
        return adjustment_pb.RejectAdjustmentResponse(adjustment=_message(proposal, desk))

    async def WithdrawAdjustment(
        self, request: adjustment_pb.WithdrawAdjustmentRequest, context: Any
    ) -> adjustment_pb.WithdrawAdjustmentResponse:
        desk, key = locate(self._desks, request.adjustment_id, Reason.PROPOSAL_NOT_FOUND)
        person = caller().user_id
        proposal = await desk.approvals.withdraw(ADJUSTMENT, key, person, request.note)
        return adjustment_pb.WithdrawAdjustmentResponse(adjustment=_message(proposal, desk))

    async def GetAdjustment(
        self, request: adjustment_pb.GetAdjustmentRequest, context: Any
    ) -> adjustment_pb.GetAdjustmentResponse:
        desk, key = locate(self._desks, request.adjustment_id, Reason.PROPOSAL_NOT_FOUND)
        proposal = await desk.approvals.get(ADJUSTMENT, key)
        return adjustment_pb.GetAdjustmentResponse(adjustment=_message(proposal, desk))

    async def ListAdjustments(
        self, request: adjustment_pb.ListAdjustmentsRequest, context: Any
    ) -> adjustment_pb.ListAdjustmentsResponse:
        desk = desk_of(self._desks, request.book)
        wanted = asked(request)
        found = await desk.approvals.page(ADJUSTMENT, *wanted)
        return adjustment_pb.ListAdjustmentsResponse(
            adjustments=[_message(proposal, desk) for proposal in found],
            next_page_token=wanted.following(found),
        )


async def _annulment(desk: Desk, account_id: UUID, days: Days) -> Adjustment:
    account = await desk.book.account(account_id)
    if account is None:
        raise Failure(Reason.ACCOUNT_NOT_FOUND, "There is no such account.")
    adjustment = Adjustment(account_id, await desk.annulments.amount(account, days), days)
    check_adjustment(adjustment, account)
    return adjustment


def _message(proposal: Proposal, desk: Desk) -> adjustment_pb.Adjustment:
    adjustment = adjustment_of(proposal)
    return adjustment_pb.Adjustment(
        adjustment_id=desk.wire.id(proposal.proposal_id),
        account_id=desk.wire.id(adjustment.account_id),
        amount=money(adjustment.amount.minor_units, adjustment.amount.currency),
        proposal=to_proposal(proposal, desk.wire.id),
        annulled_first_date=adjustment.annulled.first.isoformat() if adjustment.annulled else "",
        annulled_last_date=adjustment.annulled.last.isoformat() if adjustment.annulled else "",
    )
