"""Placing orders: how a batch of them is decided and written.

A batch gives each order the result it would have had alone, in the order of arrival: what one
accepted order changes (funds, open orders, exposure, a request id) the next one sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import LiteralString, NamedTuple
from uuid import UUID

from services.kit.arrays import uuids
from services.kit.database import RawConnection
from services.kit.errors import Failure
from services.kit.ids import Ids
from services.kit.journal import NewEvent
from services.kit.reason import Reason
from services.trading.acceptance import (
    AccountState,
    Funds,
    Offer,
    check_account,
    check_limits,
    offer,
    profit_of,
)
from services.trading.book import Account, BookedOrder, booked
from services.trading.commit import Statement, Transaction
from services.trading.market import MarketView
from services.trading.order import Order, OrderRequest
from services.trading.posting import Entry, stake_entry
from services.trading.recording import Recorder
from services.trading.tables import (
    INSERT_OPEN_ORDERS,
    ORDER_ENCODERS,
    READ_BY_REQUEST,
    UPDATE_ACCOUNTS,
    Change,
    Exposure,
    TermsBook,
    balance_parameters,
    columns,
)
from services.trading.wire import BookWire

DECISION_AGE_MAX = timedelta(milliseconds=500)
BATCH_MAX = 256
_DECISIONS_MAX = 3

_READ_ACCOUNTS: LiteralString = """
    SELECT a.account_id, a.user_id, a.currency, a.posted, a.held, a.state, a.open_orders,
           a.opened_at,
           earlier IS NOT NULL
    FROM unnest(%(accounts)s::uuid[], %(requests)s::uuid[])
         WITH ORDINALITY AS r (account_id, request_id, n)
         LEFT JOIN account a USING (account_id)
         LEFT JOIN LATERAL (
             (SELECT 1 FROM open_order o
              WHERE o.account_id = r.account_id AND o.request_id = r.request_id LIMIT 1)
             UNION ALL
             (SELECT 1 FROM closed_order c
              WHERE c.account_id = r.account_id AND c.request_id = r.request_id LIMIT 1)
         ) AS e (earlier) ON true
    ORDER BY n
"""


class Placed(NamedTuple):
    """What a caller is told: the order, and whether it was there before."""

    booked: BookedOrder
    replay: bool


@dataclass
class _State:
    """The accounts of a batch while it is decided, and what was accepted so far."""

    accounts: dict[UUID, Account]
    funds: dict[UUID, Funds]
    owed: dict[tuple[str, int], int] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)
    by_request: dict[tuple[UUID, UUID], Order] = field(default_factory=dict)


class Placing:
    """The batch of OrderRequests of one book."""

    kind = "place"
    size_max = BATCH_MAX

    def __init__(
        self,
        *,
        market: MarketView,
        ids: Ids,
        terms: TermsBook,
        exposure: Exposure,
        recorder: Recorder,
        wire: BookWire,
    ) -> None:
        self._market = market
        self._ids = ids
        self._terms = terms
        self._exposure = exposure
        self._recorder = recorder
        self._wire = wire

    async def load(self, connection: RawConnection) -> None:
        """Read the exposure of the book's open orders, and where its seals end."""
        await self._exposure.load(connection)
        await self._recorder.load(connection)

    async def commit(
        self, commands: Sequence[OrderRequest], transaction: Transaction
    ) -> Sequence[Placed | Failure]:
        """Decide the requests one after the other on one state of the market, and write them."""
        rows = await transaction.read(
            _READ_ACCOUNTS,
            {
                "accounts": uuids([request.account_id for request in commands]),
                "requests": uuids([request.request_id for request in commands]),
            },
        )
        seen = {
            (request.account_id, request.request_id)
            for request, row in zip(commands, rows, strict=True)
            if row[8]
        }
        first = await self._orders_of(seen, transaction)
        accounts = {row[0]: Account(*row[:8]) for row in rows if row[0] is not None}
        for _ in range(_DECISIONS_MAX):
            now = self._market.now()
            state = _State(accounts, {key: _funds(account) for key, account in accounts.items()})
            results = [self._place(request, state, first, now) for request in commands]
            # Nothing awaits between deciding and sending, but a process can be made to stand still.
            if self._market.now() - now <= DECISION_AGE_MAX:
                break
        else:
            return [_stood_still()] * len(commands)
        if state.orders:
            changes = self._statements(state)
            await self._recorder.record(transaction, changes, state.entries, state.events, now)
            self._exposure.add(state.owed)
        return results

    async def _orders_of(
        self, keys: set[tuple[UUID, UUID]], transaction: Transaction
    ) -> Mapping[tuple[UUID, UUID], BookedOrder]:
        """Return the orders that these (account, request id) opened."""
        if not keys:
            return {}
        parameters = columns({"accounts": uuids, "requests": uuids}, keys)
        rows = await transaction.read(READ_BY_REQUEST, parameters)
        found = (booked(row) for row in rows)
        return {(item.order.account_id, item.order.request_id): item for item in found}

    def _place(
        self,
        request: OrderRequest,
        state: _State,
        first: Mapping[tuple[UUID, UUID], BookedOrder],
        now: datetime,
    ) -> Placed | Failure:
        """Make checks 2 to 10 of one request; an accepted one changes the state."""
        try:
            account = _account_of(request, state)
            key = (request.account_id, request.request_id)
            earlier = first.get(key) or _in_batch(state, key)
            if earlier is not None:
                return _replay(request, earlier)
            funds = state.funds[request.account_id]
            check_account(funds)
            terms = self._terms.current(request.instrument)
            given = offer(request, terms, self._market, now)
            at = (request.instrument, int(request.direction))
            owed = self._exposure.owed(at) + state.owed.get(at, 0)
            check_limits(request, given.terms, funds, owed)
        except Failure as failure:
            return failure
        order = self._open(request, given)
        self._book(order, account, funds, state)
        return Placed(BookedOrder(order, None), replay=False)

    def _open(self, request: OrderRequest, given: Offer) -> Order:
        return Order(
            order_id=self._ids(),
            account_id=request.account_id,
            request_id=request.request_id,
            request_hash=request.digest(),
            instrument=request.instrument,
            direction=int(request.direction),
            stake=request.stake.minor_units,
            currency=request.stake.currency,
            payout_bp=given.terms.payout_bp,
            terms_version=given.terms.version,
            price_scale=given.instrument.price_scale,
            entry_number=given.entry.number,
            entry_price=given.entry.price,
            entry_time=given.entry.time,
            entry_source_time=given.entry.source_time,
            opened_at=given.opens_at,
            expires_at=given.expires_at,
        )

    def _book(self, order: Order, account: Account, funds: Funds, state: _State) -> None:
        """Take the stake, and note what will be written."""
        funds.posted -= order.stake
        funds.open_orders += 1
        at = (order.instrument, order.direction)
        state.owed[at] = state.owed.get(at, 0) + profit_of(order.stake, order.payout_bp)
        state.orders.append(order)
        state.entries.append(stake_entry(order, funds.posted))
        state.by_request[order.account_id, order.request_id] = order
        after = account._replace(posted=funds.posted, open_orders=funds.open_orders)
        state.events += self._wire.order_opened(order, after)

    def _statements(self, state: _State) -> list[Statement]:
        return [
            (UPDATE_ACCOUNTS, balance_parameters(_changes(state))),
            (INSERT_OPEN_ORDERS, columns(ORDER_ENCODERS, state.orders)),
        ]


def _account_of(request: OrderRequest, state: _State) -> Account:
    """Check 2: the account exists and is the caller's; otherwise nothing is revealed."""
    account = state.accounts.get(request.account_id)
    if account is None or account.user_id != request.user_id:
        raise Failure(Reason.ACCOUNT_NOT_FOUND, "There is no such account.")
    return account


def _in_batch(state: _State, key: tuple[UUID, UUID]) -> BookedOrder | None:
    order = state.by_request.get(key)
    return BookedOrder(order, None) if order else None


def _replay(request: OrderRequest, earlier: BookedOrder) -> Placed:
    """Check 3: the first answer again, or REQUEST_ID_REUSED for another request."""
    if earlier.order.request_hash != request.digest():
        metadata = {"request_id": str(request.request_id)}
        message = "This request id was used for another order."
        raise Failure(Reason.REQUEST_ID_REUSED, message, metadata=metadata)
    return Placed(earlier, replay=True)


def _funds(account: Account) -> Funds:
    return Funds(
        account.currency,
        AccountState(account.state),
        account.posted,
        account.held,
        account.open_orders,
    )


def _changes(state: _State) -> list[Change]:
    """Return what becomes of the accounts that paid."""
    changed = sorted({order.account_id for order in state.orders})
    funds = [(key, state.funds[key]) for key in changed]
    return [
        (key, state.accounts[key].posted, left.posted, left.held, left.open_orders)
        for key, left in funds
    ]


def _stood_still() -> Failure:
    message = "The book could not decide in time."
    return Failure(Reason.MARKET_VIEW_STALE, message, retry_after=DECISION_AGE_MAX)
