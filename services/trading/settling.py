"""Settling: how the writer closes orders as settlement decided.

The book computes the amounts from its own order and the outcome. The first close of an order
stands; the same one again is answered with it, and another one as ALREADY_CLOSED.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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


class Settled(NamedTuple):
    """An order after a decision about it."""

    status: SettleStatus
    booked: BookedOrder | None


class SettleOrders(NamedTuple):
    """The command: decisions about orders of one book."""

    decisions: Sequence[Decision]


@dataclass
class _State:
    """The accounts of a batch while orders close, and what will be written."""

    before: Mapping[UUID, Account]
    accounts: dict[UUID, Account]
    used: dict[UUID, Used]
    """What protected users have used up of their limits."""

    owed: dict[Side, int] = field(default_factory=dict)
    closed: dict[UUID, BookedOrder] = field(default_factory=dict)
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
        still_open, earlier = await self._read(decisions, transaction)
        accounts, used = await self._accounts_of(still_open.values(), transaction)
        state, now = _State(accounts, dict(accounts), used), self._market.now()
        for decision in decisions:
            order = still_open.pop(decision.order_id, None)
            if order is not None:
                self._close(order, decision, state, transaction.before, now)
        if state.closed:
            after = Pending(state.accounts, state.closed, {}, state.owed, state.used, None)
            record = self._record(state, transaction.before, now)
            await self._recorder.write(transaction, record, after)
            self._exposure.set(after.owed)
        return [_answer(decision, state.closed, earlier) for decision in decisions]

    async def _read(
        self, decisions: Sequence[Decision], transaction: Transaction
    ) -> tuple[dict[UUID, Order], dict[UUID, BookedOrder]]:
        """Return which of these orders are open, and which were closed before."""
        asked = [decision.order_id for decision in decisions]
        rows = await transaction.read(READ_OPEN_ORDERS, {"orders": uuids(asked)})
        found = {row[0]: BookedOrder(Order(*row), None) for row in rows}
        pending = transaction.before.orders
        found |= {key: pending[key] for key in asked if key in pending}
        if others := [key for key in asked if key not in found]:
            rows = await transaction.read(READ_CLOSED_ORDERS, {"orders": uuids(others)})
            found |= {item.order.order_id: item for item in map(booked, rows)}
        still_open = {key: item.order for key, item in found.items() if item.close is None}
        return still_open, {key: item for key, item in found.items() if item.close}

    async def _accounts_of(
        self, orders: Collection[Order], transaction: Transaction
    ) -> tuple[dict[UUID, Account], dict[UUID, Used]]:
        """Return the accounts of these orders, and what their users have used up of limits.

        As they are before this commit.
        """
        concerned = {order.account_id for order in orders}
        if not concerned:
            return {}, {}
        rows = await transaction.read(_READ_ACCOUNTS, {"accounts": uuids(list(concerned))})
        before = transaction.before
        found = [(Account(*row[:-1]), row[-1]) for row in rows]
        accounts = {a.account_id: before.accounts.get(a.account_id) or a for a, _ in found}
        used = {
            account.user_id: before.used.get(account.user_id) or protection_of(stored).used
            for account, stored in found
            if stored is not None
        }
        return accounts, used

    def _close(
        self, order: Order, decision: Decision, state: _State, before: Pending, now: datetime
    ) -> None:
        account = state.accounts[order.account_id]
        close = _close_of(order, decision, self._ids(), now)
        state.accounts[order.account_id] = account._replace(
            posted=account.posted + close.returned, open_orders=account.open_orders - 1
        )
        if (used := state.used.get(account.user_id)) is not None:
            today = used.on(now.date())
            state.used[account.user_id] = today.closed(order.stake, close.returned)
        state.entries += closing_entries(
            order, decision.outcome, account.posted, close.transfer_id, now
        )
        state.closed[order.order_id] = BookedOrder(order, close)
        state.events.append(self._wire.order_settled(order, close))
        side = (order.instrument, order.direction)
        if side not in state.owed:
            state.owed[side] = before.owed.get(side, self._exposure.owed(side))
        state.owed[side] -= profit_of(order.stake, order.payout_bp)

    def _record(self, state: _State, before: Pending, now: datetime) -> Record:
        closes = [(key, *item.close) for key, item in state.closed.items() if item.close]
        accounts = state.accounts
        balances = [change(account, accounts[key]) for key, account in state.before.items()]
        changes = [
            (CLOSE_ORDERS, columns("close", CLOSE_ENCODERS, closes)),
            (UPDATE_ACCOUNTS, balance_parameters(balances)),
            (COUNT_CLOSED, _counts(state.closed.values(), now)),
            *use(state.used),
        ]
        events = [*state.events, *map(self._wire.balance_changed, accounts.values())]
        return self._recorder.prepare(before, changes, state.entries, events, now)


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


def _counts(closed: Collection[BookedOrder], now: datetime) -> dict[str, Any]:
    return {
        "count.instrument": texts([item.order.instrument for item in closed]),
        "count.account_id": uuids([item.order.account_id for item in closed]),
        "count.outcome": smallints([item.close.outcome for item in closed if item.close]),
        "count.stake": bigints([item.order.stake for item in closed]),
        "count.returned": bigints([item.close.returned for item in closed if item.close]),
        "count.time": now,
    }


def _answer(
    decision: Decision, closed: dict[UUID, BookedOrder], earlier: dict[UUID, BookedOrder]
) -> Settled:
    found = closed.get(decision.order_id) or earlier.get(decision.order_id)
    if found is None or found.close is None:
        return Settled(SettleStatus.NOT_FOUND, None)
    same = (found.close.outcome, found.close.close_number) == (
        int(decision.outcome),
        decision.close_tick.number if decision.close_tick else None,
    )
    return Settled(SettleStatus.SETTLED if same else SettleStatus.ALREADY_CLOSED, found)
