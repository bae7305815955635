"""Settling: how the writer closes orders as settlement decided.

The book computes the amounts from its own order and the outcome. The first close of an order
stands; the same one again is answered with it, and another one as ALREADY_CLOSED.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, NamedTuple
from uuid import UUID

from services.kit.arrays import bigints, smallints, texts, uuids
from services.kit.database import RawConnection
from services.kit.ids import Ids
from services.kit.journal import NewEvent
from services.trading.acceptance import profit_of
from services.trading.book import Account, BookedOrder, booked
from services.trading.commit import Statement, Transaction
from services.trading.market import MarketView
from services.trading.order import Close, Order, Outcome, Tick, VoidReason
from services.trading.posting import Entry, closing_entries, returned_of
from services.trading.recording import Recorder
from services.trading.tables import (
    CLOSE_ENCODERS,
    CLOSE_ORDERS,
    COUNT_CLOSED,
    READ_ACCOUNTS,
    READ_CLOSED_ORDERS,
    READ_OPEN_ORDERS,
    UPDATE_ACCOUNTS,
    Exposure,
    balance_parameters,
    by_order,
    columns,
)
from services.trading.wire import BookWire


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

    accounts: dict[UUID, Account]
    before: dict[UUID, int]
    closed: dict[UUID, BookedOrder] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)
    owed: dict[tuple[str, int], int] = field(default_factory=dict)


class Settling:
    """The batch of SettleOrders of one book: each command is a batch already."""

    kind = "settle"
    size_max = 1

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
        ids = {"orders": uuids([decision.order_id for decision in decisions])}
        rows = await transaction.read(READ_OPEN_ORDERS, ids)
        still_open = by_order(Order(*row) for row in rows)
        state = await self._state_of(still_open, transaction)
        now = self._market.now()
        for decision in decisions:
            order = still_open.pop(decision.order_id, None)
            if order is not None:
                self._close(order, decision, state, now)
        if state.closed:
            changes = self._statements(state, now)
            await self._recorder.record(transaction, changes, state.entries, state.events, now)
            self._exposure.add(state.owed)
        earlier = await self._closed_before(decisions, state, transaction)
        return [_answer(decision, state.closed, earlier) for decision in decisions]

    async def _state_of(self, still_open: dict[UUID, Order], transaction: Transaction) -> _State:
        if not still_open:
            return _State({}, {})
        accounts = {order.account_id for order in still_open.values()}
        rows = await transaction.read(READ_ACCOUNTS, {"accounts": uuids(list(accounts))})
        known = {row[0]: Account(*row) for row in rows}
        return _State(known, {key: account.posted for key, account in known.items()})

    def _close(self, order: Order, decision: Decision, state: _State, now: datetime) -> None:
        account = state.accounts[order.account_id]
        close = _close_of(order, decision, self._ids(), now)
        after = account._replace(
            posted=account.posted + close.returned, open_orders=account.open_orders - 1
        )
        state.accounts[order.account_id] = after
        state.entries += closing_entries(
            order, decision.outcome, account.posted, close.transfer_id, now
        )
        state.closed[order.order_id] = BookedOrder(order, close)
        state.events += self._wire.order_settled(order, close, after)
        at = (order.instrument, order.direction)
        state.owed[at] = state.owed.get(at, 0) - profit_of(order.stake, order.payout_bp)

    def _statements(self, state: _State, now: datetime) -> list[Statement]:
        orders = [item.order for item in state.closed.values()]
        closes = [item.close for item in state.closed.values() if item.close is not None]
        ids = uuids([order.order_id for order in orders])
        accounts = [(state.accounts[key], posted) for key, posted in state.before.items()]
        changes = [
            (after.account_id, posted, after.posted, after.held, after.open_orders)
            for after, posted in accounts
        ]
        return [
            (CLOSE_ORDERS, columns(CLOSE_ENCODERS, closes) | {"order_ids": ids}),
            (UPDATE_ACCOUNTS, balance_parameters(changes)),
            (COUNT_CLOSED, _counts(orders, closes, now)),
        ]

    async def _closed_before(
        self, decisions: Sequence[Decision], state: _State, transaction: Transaction
    ) -> dict[UUID, BookedOrder]:
        others = [d.order_id for d in decisions if d.order_id not in state.closed]
        if not others:
            return {}
        rows = await transaction.read(READ_CLOSED_ORDERS, {"orders": uuids(others)})
        found = (booked(row) for row in rows)
        return {item.order.order_id: item for item in found}


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


def _counts(orders: Sequence[Order], closes: Sequence[Close], now: datetime) -> dict[str, Any]:
    return {
        "instruments": texts([order.instrument for order in orders]),
        "accounts": uuids([order.account_id for order in orders]),
        "outcomes": smallints([close.outcome for close in closes]),
        "stakes": bigints([order.stake for order in orders]),
        "returned": bigints([close.returned for close in closes]),
        "time": now,
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
