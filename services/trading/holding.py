"""Holds: money set aside, and how that ends (rules.md, "Money").

A hold is pending until it is posted, voided or expired, once and for ever. While it is pending it
is part of `held`, so available = posted - held never promises the same money twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from services.kit.arrays import bigints, byteas, smallints, texts, timestamps, uuids
from services.kit.audit import By
from services.kit.errors import Failure
from services.kit.journal import NewEvent
from services.kit.reason import Reason
from services.kit.values import Money
from services.trading.book import Account
from services.trading.commit import Transaction
from services.trading.ledger import Transfer
from services.trading.moving import (
    READ_TRANSFER,
    Moving,
    check_available,
    check_currency,
    check_participation,
    entry_of,
)
from services.trading.on_record import money_moved
from services.trading.posting import EntryKind, SystemAccount
from services.trading.statement import Part, Statement
from services.trading.tables import (
    INSERT_TRANSFERS,
    READ_ACCOUNTS,
    TRANSFER_ENCODERS,
    UPDATE_ACCOUNTS,
    Encoder,
    balance_parameters,
    change,
    columns,
)

EXPIRE_MAX = 200
"""Holds that one command lets expire."""


class HoldState(IntEnum):
    """What became of a hold. The numbers are the contract's and the database's."""

    PENDING = 1
    POSTED = 2
    VOIDED = 3
    EXPIRED = 4


class Hold(NamedTuple):
    """Money of an account that is set aside. The fields are the columns of `hold`."""

    hold_id: UUID
    account_id: UUID
    request_id: UUID
    request_hash: bytes
    system: int
    """Where it goes when it is posted, a SystemAccount."""

    amount: int
    currency: str
    note: str
    held_at: datetime
    expires_at: datetime | None
    """When it ends by itself; None: never, as for a withdrawal."""

    state: int
    ended_at: datetime | None
    ended_by: UUID | None
    """The request id of what ended it."""

    transfer_id: UUID | None
    """The transfer that posted it."""


class HoldRequest(NamedTuple):
    """Set money of an account aside."""

    account_id: UUID
    request_id: UUID
    system: SystemAccount
    amount: Money
    expires_at: datetime | None = None
    note: str = ""
    by: By | None = None
    """The person who sets it aside, if it is one: it goes on record."""

    def digest(self) -> bytes:
        """Return a hash of what was asked for; the note takes no part."""
        expiry = "" if self.expires_at is None else self.expires_at.isoformat()
        amount = f"{self.amount.minor_units} {self.amount.currency}"
        return hashlib.sha256(f"hold.1\n{int(self.system)}\n{amount}\n{expiry}".encode()).digest()


class EndHold(NamedTuple):
    """Post or void a hold."""

    hold_id: UUID
    request_id: UUID
    state: HoldState
    """POSTED or VOIDED."""

    by: By | None = None
    """The person who ends it, if it is one: it goes on record."""


class ExpireHolds(NamedTuple):
    """Let the holds expire whose time is over."""


class Held(NamedTuple):
    """What a caller is told: the hold now, and whether the request was answered before."""

    hold: Hold
    replay: bool


HOLD_COLUMNS = ", ".join(Hold._fields)
_READ_BY_REQUEST: LiteralString = f"""
    SELECT {HOLD_COLUMNS} FROM hold
    WHERE account_id = %(account_id)s AND request_id = %(request_id)s
"""
_READ_BY_ID: LiteralString = f"SELECT {HOLD_COLUMNS} FROM hold WHERE hold_id = %(hold_id)s"
_READ_OVER: LiteralString = f"""
    SELECT {HOLD_COLUMNS} FROM hold
    WHERE state = 1 AND expires_at IS NOT NULL AND expires_at <= %(now)s
    ORDER BY expires_at, hold_id LIMIT %(limit)s
"""
_INSERT_HOLD = Part(
    """
    holds_made AS (
        INSERT INTO hold (hold_id, account_id, request_id, request_hash, system, amount, currency,
            note, held_at, expires_at, state, ended_at, ended_by, transfer_id)
        SELECT * FROM unnest(%(hold.hold_id)s::uuid[], %(hold.account_id)s::uuid[],
            %(hold.request_id)s::uuid[], %(hold.request_hash)s::bytea[],
            %(hold.system)s::smallint[], %(hold.amount)s::bigint[], %(hold.currency)s::text[],
            %(hold.note)s::text[], %(hold.held_at)s::timestamptz[],
            %(hold.expires_at)s::timestamptz[], %(hold.state)s::smallint[],
            %(hold.ended_at)s::timestamptz[], %(hold.ended_by)s::uuid[],
            %(hold.transfer_id)s::uuid[])
    )
    """
)
_END_HOLD = Part(
    """
    holds_ended AS (
        UPDATE hold SET state = %(hold.state)s, ended_at = %(hold.ended_at)s,
               ended_by = %(hold.ended_by)s, transfer_id = %(hold.transfer_id)s
        WHERE hold_id = %(hold.hold_id)s AND state = 1
        RETURNING 1
    )
    """,
    "require((SELECT count(*) FROM holds_ended) = 1, 'hold ended before')",
)
_HOLD_ENCODERS: Mapping[str, Encoder] = {
    "hold_id": uuids,
    "account_id": uuids,
    "request_id": uuids,
    "request_hash": byteas,
    "system": smallints,
    "amount": bigints,
    "currency": texts,
    "note": texts,
    "held_at": timestamps,
    "expires_at": timestamps,
    "state": smallints,
    "ended_at": timestamps,
    "ended_by": uuids,
    "transfer_id": uuids,
}

Command = HoldRequest | EndHold | ExpireHolds


class Holding(Moving):
    """The batch of HoldRequest, EndHold and ExpireHolds: each idempotent by its request id."""

    kind = "hold"

    async def commit(
        self, commands: Sequence[Command], transaction: Transaction
    ) -> Sequence[Held | int | Failure]:
        """Carry out the commands, each alone."""
        results: list[Held | int | Failure] = []
        for command in commands:
            try:
                results.append(await self._carry_out(command, transaction))
            except Failure as failure:
                results.append(failure)
        return results

    async def _carry_out(self, command: Command, transaction: Transaction) -> Held | int:
        match command:
            case HoldRequest():
                return await self._hold(command, transaction)
            case EndHold():
                return await self._end(command, transaction)
            case ExpireHolds():
                return await self._expire(transaction)

    async def _hold(self, command: HoldRequest, transaction: Transaction) -> Held:
        account = await _account(command.account_id, transaction)
        key = {"account_id": command.account_id, "request_id": command.request_id}
        if earlier := await transaction.read(_READ_BY_REQUEST, key):
            return _replay(Hold(*earlier[0]), command)
        now = self._market.now()
        _check(command, account, now)
        hold = _pending(command, self._ids(), now)
        after = account._replace(held=account.held + hold.amount)
        changes: list[Statement] = [
            (UPDATE_ACCOUNTS, balance_parameters([change(account, after)])),
            (_INSERT_HOLD, columns("hold", _HOLD_ENCODERS, [hold])),
        ]
        told = self._told(command.by, "hold", hold, account, after, now)
        await self._record(transaction, changes, [], after, now, told)
        return Held(hold, replay=False)

    async def _end(self, command: EndHold, transaction: Transaction) -> Held:
        rows = await transaction.read(_READ_BY_ID, {"hold_id": command.hold_id})
        if not rows:
            raise Failure(Reason.HOLD_NOT_FOUND, "There is no such hold.")
        hold, now = Hold(*rows[0]), self._market.now()
        if _ended_by(hold, command):
            return Held(hold, replay=True)
        _check_pending(hold, now)
        account = await _account(hold.account_id, transaction)
        if command.state is HoldState.POSTED:
            ended = await self._post(hold, account, command, transaction, now)
        else:
            ended = await self._release(hold, account, command.state, transaction, now, command)
        return Held(ended, replay=False)

    async def _post(
        self,
        hold: Hold,
        account: Account,
        command: EndHold,
        transaction: Transaction,
        now: datetime,
    ) -> Hold:
        """Move what was held to its system account, and keep the transfer."""
        key = {"account_id": account.account_id, "request_id": command.request_id}
        if await transaction.read(READ_TRANSFER, key):
            raise _reused(command.request_id, "another transfer")
        after = account._replace(
            posted=account.posted - hold.amount, held=account.held - hold.amount
        )
        transfer = _posting(hold, after, command.request_id, self._ids(), now)
        ended = _ended(hold, HoldState.POSTED, now, command.request_id, transfer.transfer_id)
        system, kind = SystemAccount(hold.system), EntryKind.TRANSFER
        entry = entry_of(transfer.transfer_id, kind, system, after, transfer.amount, now)
        changes: list[Statement] = [
            (UPDATE_ACCOUNTS, balance_parameters([change(account, after)])),
            (INSERT_TRANSFERS, columns("transfer", TRANSFER_ENCODERS, [transfer])),
            (_END_HOLD, _fields(ended)),
        ]
        told = self._told(command.by, "post", hold, account, after, now)
        await self._record(transaction, changes, [entry], after, now, told)
        return ended

    async def _release(
        self,
        hold: Hold,
        account: Account,
        state: HoldState,
        transaction: Transaction,
        now: datetime,
        command: EndHold | None = None,
    ) -> Hold:
        """Give back what was held."""
        ended = _ended(hold, state, now, command.request_id if command else None, None)
        after = account._replace(held=account.held - hold.amount)
        changes: list[Statement] = [
            (UPDATE_ACCOUNTS, balance_parameters([change(account, after)])),
            (_END_HOLD, _fields(ended)),
        ]
        told = self._told(command.by if command else None, "void", hold, account, after, now)
        await self._record(transaction, changes, [], after, now, told)
        return ended

    def _told(
        self, by: By | None, what: str, hold: Hold, before: Account, after: Account, now: datetime
    ) -> list[NewEvent]:
        if by is None:
            return []
        account_id, words = self._wire.id(after.account_id), (hold.system, now, hold.note)
        return [money_moved(by, f"ledger.{what}", account_id, before, after, *words)]

    async def _expire(self, transaction: Transaction) -> int:
        """End the holds whose time is over, each in a commit of its own; return how many."""
        now = self._market.now()
        rows = await transaction.read(_READ_OVER, {"now": now, "limit": EXPIRE_MAX})
        for row in rows:
            hold = Hold(*row)
            account = await _account(hold.account_id, transaction)
            await self._release(hold, account, HoldState.EXPIRED, transaction, now)
        return len(rows)


async def _account(account_id: UUID, transaction: Transaction) -> Account:
    rows = await transaction.read(READ_ACCOUNTS, {"accounts": uuids([account_id])})
    if not rows:
        raise Failure(Reason.ACCOUNT_NOT_FOUND, "There is no such account.")
    return Account(*rows[0])


def _check(command: HoldRequest, account: Account, now: datetime) -> None:
    check_participation(account)
    check_currency(account, command.amount)
    if command.amount.minor_units <= 0:
        raise Failure(Reason.INVALID_TRANSFER, "A hold sets something aside.")
    if command.expires_at is not None and command.expires_at <= now:
        raise Failure(Reason.INVALID_TIME_RANGE, "The hold would expire at once.")
    check_available(account, command.amount.minor_units)


def _check_pending(hold: Hold, now: datetime) -> None:
    state = HoldState(hold.state)
    # One whose time is over has ended, even before the job gets to it.
    if state is HoldState.PENDING and hold.expires_at is not None and hold.expires_at <= now:
        state = HoldState.EXPIRED
    if state is not HoldState.PENDING:
        metadata = {"state": state.name}
        raise Failure(Reason.HOLD_NOT_PENDING, "The hold has ended.", metadata=metadata)


def _replay(earlier: Hold, command: HoldRequest) -> Held:
    if earlier.request_hash != command.digest():
        raise _reused(command.request_id, "another hold")
    return Held(earlier, replay=True)


def _reused(request_id: UUID, what: str) -> Failure:
    metadata = {"request_id": str(request_id)}
    return Failure(
        Reason.REQUEST_ID_REUSED, f"This request id was used for {what}.", metadata=metadata
    )


def _ended_by(hold: Hold, command: EndHold) -> bool:
    return (hold.state, hold.ended_by) == (int(command.state), command.request_id)


def _pending(command: HoldRequest, hold_id: UUID, now: datetime) -> Hold:
    return Hold(
        hold_id=hold_id,
        account_id=command.account_id,
        request_id=command.request_id,
        request_hash=command.digest(),
        system=int(command.system),
        amount=command.amount.minor_units,
        currency=command.amount.currency,
        note=command.note,
        held_at=now,
        expires_at=command.expires_at,
        state=int(HoldState.PENDING),
        ended_at=None,
        ended_by=None,
        transfer_id=None,
    )


def _ended(
    hold: Hold, state: HoldState, now: datetime, ended_by: UUID | None, transfer_id: UUID | None
) -> Hold:
    return hold._replace(state=int(state), ended_at=now, ended_by=ended_by, transfer_id=transfer_id)


def _fields(hold: Hold) -> Mapping[str, Any]:
    return {f"hold.{name}": value for name, value in hold._asdict().items()}


def _posting(
    hold: Hold, after: Account, request_id: UUID, transfer_id: UUID, now: datetime
) -> Transfer:
    return Transfer(
        transfer_id=transfer_id,
        account_id=hold.account_id,
        request_id=request_id,
        request_hash=hashlib.sha256(f"post.1\n{hold.hold_id}".encode()).digest(),
        kind=int(EntryKind.TRANSFER),
        system=hold.system,
        amount=-hold.amount,
        currency=hold.currency,
        balance=after.posted,
        note=hold.note,
        time=now,
    )
