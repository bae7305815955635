"""Settling: how the writer closes orders as settlement decided.

The book computes the amounts from its own order and the outcome. The first close of an order
stands; the same one again is answered with it, and another one as ALREADY_CLOSED.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from services.kit.arrays import bigints, smallints, texts, uuids
from services.kit.database import RawConnection
from services.kit.ids import Ids
from services.kit.journal import NewEvent
from services.trading.acceptance import profit_of
from services.trading.book import Account, BookedOrder, booked
from services.trading.commit import Transaction
from services.trading.market import MarketView
from services.trading.order import Close, Order, Outcome, Tick, VoidReason
from services.trading.pending import Pending
from services.trading.posting import Entry, closing_entries, returned_of
from services.trading.protection import Used
from services.trading.protections import protection_of, use
from services.trading.recording import Record, Recorder
from services.trading.tables import (
    CLOSE_ENCODERS,
    CLOSE_ORDERS,
    COUNT_CLOSED,
    READ_CLOSED_ORDERS,
    READ_OPEN_ORDERS,
    UPDATE_ACCOUNTS,
    Exposure,
    Side,
    balance_parameters,
    change,
    columns,
)
from services.trading.wire import BookWire

_READ_ACCOUNTS: LiteralString = """
    SELECT a.account_id, a.user_id, a.currency, a.posted, a.held, a.state, a.open_orders,
           a.opened_at,
           (SELECT to_jsonb(p) FROM protection p WHERE p.user_id = a.user_id)
    FROM account a WHERE a.account_id = ANY (%(accounts)s::uuid[])
"""


class Decision(NamedTuple):
    """How settlement decided an order."""

    order_id: UUID
    outcome: Outcome
    void_reason: VoidReason
    close_tick: Tick | None


class SettleStatus(IntEnum):
    """What became of a decision. The numbers are the contract's."""

    SETTLED = 1
    ALREADY_CLOSED = 2
    NOT_FOUND = 3


_SETTLED, _ALREADY_CLOSED, _NOT_FOUND = SettleStatus


class Settled(NamedTuple):
    """An order after a decision about it."""

    status: SettleStatus
    booked: BookedOrder | None


class SettleOrders(NamedTuple):
    """The command: decisions about orders of one book."""

    decisions: Sequence[Decision]


@dataclass(slots=True)
class _Paid:
    """An account while its orders close."""

    before: Account
    posted: int
    open_orders: int

    @property
    def after(self) -> Account:
        return self.before._replace(posted=self.posted, open_orders=self.open_orders)


@dataclass
class _State:
    """The accounts of a chunk while its orders close, and what will be written.

    Accounts and orders are looked up by the numbers of their ids: an id is hashed in Python.
    """

    accounts: Mapping[int, _Paid]
    used: dict[UUID, Used]
    """What protected users have used up of their limits."""

    owed: dict[Side, int] = field(default_factory=dict)
    closed: list[tuple[Order, Close]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)


class Settling:
    """The batch of SettleOrders of one book: each command is a batch already."""

    kind = "settle"
    size_max = 1
    ahead = True

    def __init__(
        self,
        *,
        market: MarketView,
        ids: Ids,
        exposure: Exposure,
        recorder: Recorder,
        wire: BookWire,
    ) -> None:
        self._market = market
        self._ids = ids
        self._exposure = exposure
        self._recorder = recorder
        self._wire = wire

    async def load(self, connection: RawConnection) -> None:
        """Read the exposure of the book's open orders, and where its seals end."""
        await self._exposure.load(connection)
        await self._recorder.load(connection)

    async def commit(
        self, commands: Sequence[SettleOrders], transaction: Transaction
    ) -> Sequence[list[Settled]]:
        """Close what is open, in one transaction, and answer every decision."""
        return [await self._settle(command.decisions, transaction) for command in commands]

    async def _settle(
        self, decisions: Sequence[Decision], transaction: Transaction
    ) -> list[Settled]:
        orders = await self._read(decisions, transaction)
        state = _State(*await self._accounts_of(orders.values(), transaction))
        before, now = transaction.before, self._market.now()
        settled = []
        for decision in decisions:
            number = decision.order_id.int
            found = orders.get(number)
            if found is not None and found.close is None:
                close = self._close(found.order, decision, state, before, now)
                found = orders[number] = BookedOrder(found.order, close)
            settled.append(_answer(decision, found))
        if state.closed:
            after = _after(state)
            record = self._record(state, after, before, now)
            await self._recorder.write(transaction, record, after)
            self._exposure.set(state.owed)
        return settled

    async def _read(
        self, decisions: Sequence[Decision], transaction: Transaction
    ) -> dict[int, BookedOrder]:
        """Return these orders as they are before this commit, open or closed."""
        asked = [decision.order_id for decision in decisions]
        rows = await transaction.read(READ_OPEN_ORDERS, {"orders": uuids(asked)})
        found = {row[0].int: BookedOrder(Order(*row), None) for row in rows}
        if pending := transaction.before.orders:
            found |= {key.int: pending[key] for key in asked if key in pending}
        if others := [key for key in asked if key.int not in found]:
            rows = await transaction.read(READ_CLOSED_ORDERS, {"orders": uuids(others)})
            found |= {item.order.order_id.int: item for item in map(booked, rows)}
        return found

    async def _accounts_of(
        self, orders: Iterable[BookedOrder], transaction: Transaction
    ) -> tuple[Mapping[int, _Paid], dict[UUID, Used]]:
        """Return the accounts of the open ones, and what their users have used up of limits.

        As they are before this commit.
        """
        concerned = {
            item.order.account_id.int: item.order.account_id for item in orders if not item.close
        }
        if not concerned:
            return {}, {}
        parameters = {"accounts": uuids(list(concerned.values()))}
        rows = await transaction.read(_READ_ACCOUNTS, parameters)
        before = transaction.before
        accounts = [before.accounts.get(row[0]) or Account(*row[:-1]) for row in rows]
        used = {
            row[1]: before.used.get(row[1]) or protection_of(row[-1]).used
            for row in rows
            if row[-1] is not None
        }
        return {a.account_id.int: _Paid(a, a.posted, a.open_orders) for a in accounts}, used

    def _close(
        self, order: Order, decision: Decision, state: _State, before: Pending, now: datetime
    ) -> Close:
        account = state.accounts[order.account_id.int]
        close = _close_of(order, decision, self._ids(), now)
        state.entries += closing_entries(
            order, decision.outcome, account.posted, close.transfer_id, now
        )
        account.posted += close.returned
        account.open_orders -= 1
        if (used := state.used.get(account.before.user_id)) is not None:
            today = used.on(now.date())
            state.used[account.before.user_id] = today.closed(order.stake, close.returned)
        state.closed.append((order, close))
        state.events.append(self._wire.order_settled(order, close))
        side = (order.instrument, order.direction)
        if side not in state.owed:
            state.owed[side] = before.owed.get(side, self._exposure.owed(side))
        state.owed[side] -= profit_of(order.stake, order.payout_bp)
        return close

    def _record(self, state: _State, after: Pending, before: Pending, now: datetime) -> Record:
        closes = [(order.order_id, *close) for order, close in state.closed]
        accounts = zip(state.accounts.values(), after.accounts.values(), strict=True)
        balances = [change(paid.before, account) for paid, account in accounts]
        changes = [
            (CLOSE_ORDERS, columns("close", CLOSE_ENCODERS, closes)),
            (UPDATE_ACCOUNTS, balance_parameters(balances)),
            (COUNT_CLOSED, _counts(state.closed, now)),
            *use(state.used),
        ]
        events = [*state.events, *map(self._wire.balance_changed, after.accounts.values())]
        return self._recorder.prepare(before, changes, state.entries, events, now)


def _after(state: _State) -> Pending:
    """Return what the commit will leave."""
    accounts = [paid.after for paid in state.accounts.values()]
    return Pending(
        accounts={account.account_id: account for account in accounts},
        orders={order.order_id: BookedOrder(order, close) for order, close in state.closed},
        requests={},
        owed=state.owed,
        used=state.used,
        head=None,
    )


def _close_of(order: Order, decision: Decision, transfer_id: UUID, now: datetime) -> Close:
    tick = decision.close_tick
    return Close(
        outcome=int(decision.outcome),
        void_reason=int(decision.void_reason),
        returned=returned_of(order.stake, order.payout_bp, decision.outcome),
        close_number=tick.number if tick else None,
        close_price=tick.price if tick else None,
        close_time=tick.time if tick else None,
        close_source_time=tick.source_time if tick else None,
        closed_at=now,
        transfer_id=transfer_id,
    )


def _counts(closed: Sequence[tuple[Order, Close]], now: datetime) -> dict[str, Any]:
    orders, closes = zip(*closed, strict=True)
    return {
        "count.instrument": texts([order.instrument for order in orders]),
        "count.account_id": uuids([order.account_id for order in orders]),
        "count.outcome": smallints([close.outcome for close in closes]),
        "count.stake": bigints([order.stake for order in orders]),
        "count.returned": bigints([close.returned for close in closes]),
        "count.time": now,
    }


def _answer(decision: Decision, found: BookedOrder | None) -> Settled:
    if found is None or found.close is None:
        return Settled(_NOT_FOUND, None)
    tick = decision.close_tick
    same = (found.close.outcome, found.close.close_number) == (
        decision.outcome,
        tick.number if tick else None,
    )
    return Settled(_SETTLED if same else _ALREADY_CLOSED, found)
