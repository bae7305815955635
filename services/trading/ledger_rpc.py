"""How other services move money, and read the ledger. Decode, call, encode."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.kit.audit import By, by_caller
from services.kit.errors import Failure
from services.kit.principal import caller
from services.kit.reason import Reason
from services.kit.wire import to_datetime, to_timestamp
from services.trading.desk import Desk
from services.trading.holding import EndHold, Held, Hold, HoldRequest, HoldState
from services.trading.ledger import Transfer, TrialBalanceLine
from services.trading.moving import Moved, TransferRequest
from services.trading.posting import NAMEABLE, SystemAccount
from services.trading.rpc import Desks, desk_of, locate
from services.trading.wire import missing, money, to_money
from veritick.trading.v1 import ledger_service_pb2 as ledger_pb
from veritick.trading.v1.ledger_service_pb2_grpc import LedgerServiceServicer

_PROGRAMS = frozenset({"payments", "tournaments"})


class LedgerFace(LedgerServiceServicer):
    """How other services move money."""

    def __init__(self, desks: Desks) -> None:
        self._desks = desks

    async def Transfer(
        self, request: ledger_pb.TransferRequest, context: Any
    ) -> ledger_pb.TransferResponse:
        desk, account_id = locate(self._desks, request.account_id, Reason.ACCOUNT_NOT_FOUND)
        command = TransferRequest(
            account_id=account_id,
            request_id=UUID(request.request_id),
            system=_system(request.system_account),
            amount=to_money(request.amount),
            note=request.note,
            by=_person(),
        )
        moved: Moved = await desk.writer.submit(command)
        return ledger_pb.TransferResponse(
            transfer_id=desk.wire.id(moved.transfer.transfer_id),
            balance=money(moved.transfer.balance, moved.transfer.currency),
            time=to_timestamp(moved.transfer.time),
            replay=moved.replay,
        )

    async def Hold(self, request: ledger_pb.HoldRequest, context: Any) -> ledger_pb.HoldResponse:
        desk, account_id = locate(self._desks, request.account_id, Reason.ACCOUNT_NOT_FOUND)
        expires = request.HasField("expire_time")
        command = HoldRequest(
            account_id=account_id,
            request_id=UUID(request.request_id),
            system=_system(request.system_account),
            amount=to_money(request.amount),
            expires_at=to_datetime(request.expire_time) if expires else None,
            note=request.note,
            by=_person(),
        )
        held: Held = await desk.writer.submit(command)
        return ledger_pb.HoldResponse(hold=_hold(held.hold, desk), replay=held.replay)

    async def PostHold(
        self, request: ledger_pb.PostHoldRequest, context: Any
    ) -> ledger_pb.PostHoldResponse:
        desk, ended = await self._end(request.hold_id, request.request_id, HoldState.POSTED)
        return ledger_pb.PostHoldResponse(hold=_hold(ended.hold, desk), replay=ended.replay)

    async def VoidHold(
        self, request: ledger_pb.VoidHoldRequest, context: Any
    ) -> ledger_pb.VoidHoldResponse:
        desk, ended = await self._end(request.hold_id, request.request_id, HoldState.VOIDED)
        return ledger_pb.VoidHoldResponse(hold=_hold(ended.hold, desk), replay=ended.replay)

    async def GetTransfer(
        self, request: ledger_pb.GetTransferRequest, context: Any
    ) -> ledger_pb.GetTransferResponse:
        if request.transfer_id:
            desk, transfer_id = locate(self._desks, request.transfer_id, Reason.TRANSFER_NOT_FOUND)
            found = await desk.ledger.transfer(transfer_id)
        elif request.account_id and request.request_id:
            desk, account_id = locate(self._desks, request.account_id, Reason.TRANSFER_NOT_FOUND)
            found = await desk.ledger.transfer_asked(account_id, UUID(request.request_id))
        else:
            raise missing("transfer_id", "or account_id and request_id are required")
        if found is None:
            raise Failure(Reason.TRANSFER_NOT_FOUND, "There is no such transfer.")
        return ledger_pb.GetTransferResponse(transfer=_transfer(found, desk))

    async def GetBalance(
        self, request: ledger_pb.GetBalanceRequest, context: Any
    ) -> ledger_pb.GetBalanceResponse:
        desk, account_id = locate(self._desks, request.account_id, Reason.ACCOUNT_NOT_FOUND)
        account = await desk.book.account(account_id)
        if account is None:
            raise Failure(Reason.ACCOUNT_NOT_FOUND, "There is no such account.")
        balance = await desk.ledger.balance_at(account_id, to_datetime(request.time))
        return ledger_pb.GetBalanceResponse(balance=money(balance, account.currency))

    async def GetTrialBalance(
        self, request: ledger_pb.GetTrialBalanceRequest, context: Any
    ) -> ledger_pb.GetTrialBalanceResponse:
        desk = desk_of(self._desks, request.book)
        lines = await desk.ledger.trial_balance(request.currency_code or None)
        return ledger_pb.GetTrialBalanceResponse(lines=[_line(line) for line in lines])

    async def _end(self, hold: str, request_id: str, state: HoldState) -> tuple[Desk, Held]:
        desk, hold_id = locate(self._desks, hold, Reason.HOLD_NOT_FOUND)
        command = EndHold(hold_id, UUID(request_id), state, _person())
        ended: Held = await desk.writer.submit(command)
        return desk, ended


def _system(number: int) -> SystemAccount:
    """Return the system account that a service names; INVALID_TRANSFER for one it may not."""
    system = SystemAccount(number)
    if system not in NAMEABLE:
        message = f"No service moves money to or from {system.name}."
        raise Failure(Reason.INVALID_TRANSFER, message)
    return system


def _person() -> By | None:
    """Return who calls, unless it is a program that moves money by rule."""
    return None if caller().id in _PROGRAMS else by_caller()


def _hold(hold: Hold, desk: Desk) -> ledger_pb.Hold:
    return ledger_pb.Hold(
        hold_id=desk.wire.id(hold.hold_id),
        account_id=desk.wire.id(hold.account_id),
        system_account=ledger_pb.SystemAccount.ValueType(hold.system),
        amount=money(hold.amount, hold.currency),
        state=ledger_pb.Hold.State.ValueType(hold.state),
        note=hold.note,
        hold_time=to_timestamp(hold.held_at),
        expire_time=to_timestamp(hold.expires_at) if hold.expires_at else None,
        end_time=to_timestamp(hold.ended_at) if hold.ended_at else None,
        transfer_id=desk.wire.id(hold.transfer_id) if hold.transfer_id else None,
    )


def _transfer(transfer: Transfer, desk: Desk) -> ledger_pb.Transfer:
    return ledger_pb.Transfer(
        transfer_id=desk.wire.id(transfer.transfer_id),
        account_id=desk.wire.id(transfer.account_id),
        request_id=str(transfer.request_id),
        system_account=ledger_pb.SystemAccount.ValueType(transfer.system),
        amount=money(transfer.amount, transfer.currency),
        balance=money(transfer.balance, transfer.currency),
        note=transfer.note,
        time=to_timestamp(transfer.time),
    )


def _line(line: TrialBalanceLine) -> ledger_pb.TrialBalanceLine:
    number = line.account_id.int if line.account_id else 0
    return ledger_pb.TrialBalanceLine(
        system_account=ledger_pb.SystemAccount.ValueType(number),
        balance=money(line.balance, line.currency),
    )
