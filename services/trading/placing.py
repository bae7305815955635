"""Placing orders: how a batch of them is decided and written.

A batch gives each order the result it would have had alone, in the order of arrival: what one
accepted order changes (funds, open orders, exposure, a request id) the next one sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, LiteralString, NamedTuple
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
    check_funds,
    check_limits,
    offer,
    profit_of,
)
from services.trading.blocking import check_blocked
from services.trading.book import Account, BookedOrder, booked
from services.trading.commit import Transaction
from services.trading.market import MarketView
from services.trading.order import Order, OrderRequest
from services.trading.pending import NOTHING, Pending, RequestKey
from services.trading.posting import Entry, stake_entry
from services.trading.protection import Guard, Protection, Used, check_presence
from services.trading.protections import protection_of, use
from services.trading.recording import Record, Recorder
from services.trading.sealing import GENESIS
from services.trading.tables import (
    INSERT_OPEN_ORDERS,
    ORDER_ENCODERS,
    READ_BY_REQUEST,
    UPDATE_ACCOUNTS,
    Exposure,
    Side,
    TermsBook,
    balance_parameters,
    change,
    columns,
)
from services.trading.wire import BookWire

DECISION_AGE_MAX = timedelta(milliseconds=500)
BATCH_MAX = 256
_DECISIONS_MAX = 3

_READ_ACCOUNTS: LiteralString = """
    SELECT a.account_id, a.user_id, a.currency, a.posted, a.held, a.state, a.open_orders,
           a.opened_at,
           earlier IS NOT NULL, b.user_id IS NOT NULL, b.until,
           (SELECT to_jsonb(p) FROM protection p WHERE p.user_id = a.user_id)
    FROM unnest(%(accounts)s::uuid[], %(requests)s::uuid[])
         WITH ORDINALITY AS r (account_id, request_id, n)
         LEFT JOIN account a USING (account_id)
         LEFT JOIN blocked_user b ON b.user_id = a.user_id
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
    message: bytes
    """The order as the contract's message, encoded once for the journal and for the caller."""


class _Known(NamedTuple):
    """What a batch is decided on, beside the market."""

    accounts: Mapping[UUID, Account]
    earlier: Mapping[RequestKey, Placed]
    """What these requests placed before."""

    blocks: Mapping[UUID, datetime | None]
    """The accounts whose users are blocked, and until when."""

    protections: Mapping[UUID, Protection]
    """What protects users, of those whom anything does."""


@dataclass
class _State:
    """The accounts of a batch while it is decided, and what was accepted so far."""

    known: _Known
    earlier: dict[RequestKey, Placed]
    """The orders that these requests opened, before and in this batch."""

    funds: dict[UUID, Funds]
    guards: dict[UUID, Guard]
    """What protects users now, of those whom anything does."""

    owed: dict[Side, int] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)


class Placing:
    """The batch of OrderRequests of one book."""

    kind = "place"
    size_max = BATCH_MAX
    ahead = True

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
        known = await self._read(commands, transaction)
        for _ in range(_DECISIONS_MAX):
            now = self._market.now()
            state = _state(known, now)
            results = [self._place(request, state, transaction.before, now) for request in commands]
            after, record = self._outcome(state, transaction.before, now)
            await transaction.turn()
            # Its turn may have been long in coming, and a process can be made to stand still.
            if self._market.now() - now <= DECISION_AGE_MAX:
                break
        else:
            return [_stood_still()] * len(commands)
        if state.orders:
            await self._recorder.write(transaction, record, after)
            self._exposure.set(after.owed)
        return results

    async def _read(self, commands: Sequence[OrderRequest], transaction: Transaction) -> _Known:
        """Read what is committed, and override it with what is pending."""
        before = transaction.before
        keys = [(request.account_id, request.request_id) for request in commands]
        rows = await transaction.read(
            _READ_ACCOUNTS,
            {
                "accounts": uuids([account_id for account_id, _ in keys]),
                "requests": uuids([request_id for _, request_id in keys]),
            },
        )
        accounts = {row[0]: Account(*row[:8]) for row in rows if row[0] is not None}
        for account_id in accounts.keys() & before.accounts.keys():
            accounts[account_id] = before.accounts[account_id]
        seen = {key for key, row in zip(keys, rows, strict=True) if row[8]}
        orders = {
            key: before.orders.get(item.order.order_id, item)
            for key, item in (await self._orders_of(seen, transaction)).items()
        }
        for key in before.requests.keys() & keys:
            orders[key] = before.orders[before.requests[key]]
        placed = {
            key: Placed(item, replay=True, message=self._wire.booked(item).SerializeToString())
            for key, item in orders.items()
        }
        blocks = {row[0]: row[10] for row in rows if row[9]}
        return _Known(accounts, placed, blocks, _protections(rows, before))

    async def _orders_of(
        self, keys: set[RequestKey], transaction: Transaction
    ) -> Mapping[RequestKey, BookedOrder]:
        """Return the orders that these (account, request id) opened."""
        if not keys:
            return {}
        parameters = {
            "accounts": uuids([account_id for account_id, _ in keys]),
            "requests": uuids([request_id for _, request_id in keys]),
        }
        rows = await transaction.read(READ_BY_REQUEST, parameters)
        found = (booked(row) for row in rows)
        return {(item.order.account_id, item.order.request_id): item for item in found}

    def _place(
        self, request: OrderRequest, state: _State, before: Pending, now: datetime
    ) -> Placed | Failure:
        """Make checks 2 to 10 of one request, in their order; an accepted one changes the state."""
        try:
            _check_owner(request, state.known.accounts.get(request.account_id))
            key = (request.account_id, request.request_id)
            if (earlier := state.earlier.get(key)) is not None:
                return _replay(request, earlier)
            funds = state.funds[request.account_id]
            guard = state.guards.get(request.user_id)
            _check_standing(request, state, guard, now)
            given = offer(request, self._terms.current(request.instrument), self._market, now)
            side = (request.instrument, int(request.direction))
            owed = self._owed(side, state, before)
            check_limits(request, given.terms, funds, owed, guard)
            check_funds(request.stake, funds)
        except Failure as failure:
            return failure
        order = self._open(request, given)
        state.owed[side] = owed + profit_of(order.stake, order.payout_bp)
        if guard is not None:
            state.guards[request.user_id] = guard.opened(order.stake)
        state.earlier[key] = placed = self._book(order, funds, state)
        return placed

    def _owed(self, side: Side, state: _State, before: Pending) -> int:
        """Return what the book owes on a side after this batch so far."""
        for owed in (state.owed, before.owed):
            if side in owed:
                return owed[side]
        return self._exposure.owed(side)

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

    def _book(self, order: Order, funds: Funds, state: _State) -> Placed:
        """Take the stake, and note what will be written."""
        funds.posted -= order.stake
        funds.open_orders += 1
        event, message = self._wire.order_opened(order)
        state.orders.append(order)
        state.entries.append(stake_entry(order, funds.posted))
        state.events.append(event)
        return Placed(BookedOrder(order, None), replay=False, message=message)

    def _outcome(self, state: _State, before: Pending, now: datetime) -> tuple[Pending, Record]:
        """Return what the batch leaves, and what of it will be written."""
        if not state.orders:
            return NOTHING, Record((), before.head or GENESIS)
        accounts = _paid(state)
        after = Pending(
            accounts=accounts,
            orders={order.order_id: BookedOrder(order, None) for order in state.orders},
            requests={
                (order.account_id, order.request_id): order.order_id for order in state.orders
            },
            owed=state.owed,
            used=_used(accounts.values(), state),
            head=None,
        )
        balances = [change(state.known.accounts[key], paid) for key, paid in accounts.items()]
        changes = [
            (UPDATE_ACCOUNTS, balance_parameters(balances)),
            (INSERT_OPEN_ORDERS, columns("order", ORDER_ENCODERS, state.orders)),
            *use(after.used),
        ]
        # Of several orders of one account the balance after the last is told: there is no other
        # that anybody could see.
        events = [*state.events, *(self._wire.balance_changed(item) for item in accounts.values())]
        return after, self._recorder.prepare(before, changes, state.entries, events, now)


def _check_owner(request: OrderRequest, account: Account | None) -> None:
    """Check 2: the account exists and is the caller's; otherwise nothing is revealed."""
    if account is None or account.user_id != request.user_id:
        raise Failure(Reason.ACCOUNT_NOT_FOUND, "There is no such account.")


def _replay(request: OrderRequest, earlier: Placed) -> Placed:
    """Check 3: the first answer again, or REQUEST_ID_REUSED for another request."""
    if earlier.booked.order.request_hash != request.digest():
        metadata = {"request_id": str(request.request_id)}
        message = "This request id was used for another order."
        raise Failure(Reason.REQUEST_ID_REUSED, message, metadata=metadata)
    return earlier._replace(replay=True)


def _check_standing(
    request: OrderRequest, state: _State, guard: Guard | None, now: datetime
) -> None:
    """Check 3: the account takes part, and its user is not banned, excluded or in a break."""
    check_account(state.funds[request.account_id])
    if request.account_id in state.known.blocks:
        check_blocked(state.known.blocks[request.account_id], now)
    if guard is not None:
        check_presence(guard)


def _protections(rows: Sequence[Any], before: Pending) -> dict[UUID, Protection]:
    """Return what protects the users in these rows, with what they have used up."""
    found = [protection_of(row[11]) for row in rows if row[11] is not None]
    return {
        item.user_id: item._replace(used=before.used.get(item.user_id, item.used)) for item in found
    }


def _state(known: _Known, now: datetime) -> _State:
    """Return what a decision of this moment begins with."""
    return _State(
        known=known,
        earlier=dict(known.earlier),
        funds={key: _funds(account) for key, account in known.accounts.items()},
        guards={key: item.guard(now) for key, item in known.protections.items()},
    )


def _used(paid: Iterable[Account], state: _State) -> dict[UUID, Used]:
    """Return what those protected have used up who paid."""
    if not state.guards:
        return {}
    owners = {account.user_id for account in paid}
    return {key: state.guards[key].used for key in owners & state.guards.keys()}


def _funds(account: Account) -> Funds:
    return Funds(
        account.currency,
        AccountState(account.state),
        account.posted,
        account.held,
        account.open_orders,
    )


def _paid(state: _State) -> dict[UUID, Account]:
    """Return the accounts that paid, as they are now."""
    paid = dict.fromkeys(order.account_id for order in state.orders)
    return {
        key: state.known.accounts[key]._replace(
            posted=state.funds[key].posted, open_orders=state.funds[key].open_orders
        )
        for key in paid
    }


def _stood_still() -> Failure:
    message = "The book could not decide in time."
    return Failure(Reason.MARKET_VIEW_STALE, message, retry_after=DECISION_AGE_MAX)
