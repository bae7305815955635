"""The invariants of a book, as far as one can tell from a few rows at a time.

Source: measures.md, "Invariants". Each check takes values and yields what is wrong with them; it
trusts neither the writer nor the constraints of the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import IntEnum
from itertools import zip_longest
from typing import NamedTuple
from uuid import UUID

from services.trading.order import Close, Direction, Order, Outcome, Tick, VoidReason
from services.trading.posting import (
    Entry,
    EntryKind,
    SystemAccount,
    closing_entries,
    returned_of,
    stake_entry,
)
from services.trading.terms import Terms, ceil_to_second, is_too_short

CLOSING = frozenset(
    {EntryKind.PAYOUT, EntryKind.REFUND, EntryKind.LOST_STAKE, EntryKind.PROFIT},
)
"""Why money moves when an order closes."""

_SYSTEM = frozenset(account.account_id for account in SystemAccount)
_TIED = frozenset({EntryKind.REFILL, EntryKind.TRANSFER, EntryKind.ADJUSTMENT})


class Finding(NamedTuple):
    """One row that breaks an invariant."""

    invariant: str
    """Its name in measures.md."""

    table: str
    row: str
    """The row's key; of a sum, the currency."""

    problem: str


class Line(NamedTuple):
    """An entry in its place."""

    entry_id: int
    seal_id: int
    entry: Entry

    def wrong(self, invariant: str, problem: str) -> Finding:
        """Return a finding about this entry."""
        return Finding(invariant, "entry", str(self.entry_id), problem)


class Origin(NamedTuple):
    """What the audit needs of an account."""

    currency: str
    opened_at: datetime


class Movement(NamedTuple):
    """What the audit needs of a transfer that was asked for."""

    account_id: UUID
    kind: int
    system: int
    amount: int
    currency: str
    balance: int
    time: datetime


class Point(NamedTuple):
    """An instrument and a moment."""

    instrument: str
    time: datetime


class MarketState(IntEnum):
    """How a market stood, by the record of quotes. The numbers are the contract's."""

    TRADABLE = 2
    NOT_COVERED = 3
    FEED_SILENT = 4
    CLOSED = 5
    NOT_ENABLED = 6
    FORGOTTEN = 7


class Standing(NamedTuple):
    """How the market of a point stood."""

    state: MarketState
    closes_at: datetime | None
    """When the session in progress closes; None without one, or without an end."""

    max_tick_age: timedelta
    last_tick: Tick | None


class Fixing(NamedTuple):
    """What quotes answers for a point: a tick, or why there is none."""

    tick: Tick | None
    void_reason: int


def check_sides(line: Line, origin: Origin | None) -> Iterator[Finding]:
    """I1: an entry moves something between two accounts, of which one at most is a user's."""
    entry = line.entry
    if entry.amount == 0:
        yield line.wrong("I1", "moves nothing")
    if entry.contra_account_id not in _SYSTEM or entry.contra_account_id == entry.account_id:
        yield line.wrong("I1", f"has the contra account {entry.contra_account_id}")
    if (entry.balance is None) is not (entry.account_id in _SYSTEM):
        yield line.wrong("I1", "shows a balance on a system account, or none on a user's")
    if entry.account_id in _SYSTEM:
        return
    if origin is None:
        yield line.wrong("I1", f"is of the account {entry.account_id}, which does not exist")
    elif origin.currency != entry.currency:
        yield line.wrong("I1", f"is in {entry.currency}, its account in {origin.currency}")


def check_running(line: Line, before: int) -> Iterator[Finding]:
    """I2 and I3: a balance follows from the one before it, and is not negative."""
    balance = line.entry.balance
    if balance is None:
        return
    if balance != before + line.entry.amount:
        problem = f"shows the balance {balance} where {before} and {line.entry.amount} make another"
        yield line.wrong("I2", problem)
    if balance < 0:
        yield line.wrong("I3", f"leaves a balance of {balance}")


def check_origin(
    line: Line, origin: Origin | None, movement: Movement | None, order: Order | None
) -> Iterator[Finding]:
    """I11: an entry belongs to an order, a transfer or the opening of its account, as it says."""
    entry = line.entry
    if entry.kind == EntryKind.OPENING:
        if origin is None or entry.time != origin.opened_at:
            yield line.wrong("I11", "is no opening of its account")
    elif entry.kind in _TIED:
        if movement is None:
            yield line.wrong("I11", f"belongs to no transfer: there is no {entry.transfer_id}")
        elif movement != _movement_of(entry):
            yield line.wrong("I11", f"is not what the transfer {entry.transfer_id} says")
    elif order is None:
        yield line.wrong("I11", f"belongs to no order: there is no {entry.order_id}")


def check_stake(line: Line, order: Order) -> Iterator[Finding]:
    """I5: an order was paid with its stake, when it opened."""
    if line.entry != stake_entry(order, line.entry.balance or 0):
        yield line.wrong("I5", f"is not what the order {order.order_id} costs")


def check_close(lines: Sequence[Line], order: Order, close: Close) -> Iterator[Finding]:
    """I5: a closed order returned what the rule says, by the entries of the rule, once."""
    outcome = Outcome(close.outcome)
    row = str(order.order_id)
    due = returned_of(order.stake, order.payout_bp, outcome)
    if close.returned != due:
        problem = f"returned {close.returned} for a {outcome.name}, which is {due} by the rule"
        yield Finding("I5", "closed_order", row, problem)
    before = next(
        (
            line.entry.balance - line.entry.amount
            for line in lines
            if line.entry.balance is not None
        ),
        0,
    )
    wanted = closing_entries(order, outcome, before, close.transfer_id, close.closed_at)
    for line, entry in zip_longest(lines, wanted):
        if line is None:
            problem = f"lacks the entry {EntryKind(entry.kind).name} of {entry.amount}"
            yield Finding("I5", "closed_order", row, problem)
        elif line.entry != entry:
            yield line.wrong("I5", f"is not what closing the order {row} makes")


def check_price(order: Order, close: Close) -> Iterator[Finding]:
    """I6: the outcome follows from the direction and the two prices."""
    outcome = outcome_of(order, close.close_price)
    if close.outcome != outcome:
        problem = f"is a {Outcome(close.outcome).name} where its prices make a {outcome.name}"
        yield Finding("I6", "closed_order", str(order.order_id), problem)


def check_fixing(order: Order, close: Close, fixing: Fixing | None) -> Iterator[Finding]:
    """I6: the closing tick is the stored fixing of the instrument at the expiry."""
    row, tick = str(order.order_id), fixing.tick if fixing else None
    if close.void_reason == VoidReason.VOIDED_BY_STAFF:
        # Two people gave up on a price that was pending: settlement keeps who, and why.
        return
    if fixing is None:
        problem = "closed although the price at its expiry is not fixed yet"
        yield Finding("I6", "closed_order", row, problem)
    elif _close_tick(close) != (tick and (tick.number, tick.price, tick.time)):
        fixed = f"at tick {tick.number}" if tick else "as void"
        problem = f"closed at tick {close.close_number}, where quotes fixed the price {fixed}"
        yield Finding("I6", "closed_order", row, problem)
    elif close.void_reason != fixing.void_reason:
        problem = f"is void for {close.void_reason}, where quotes says {fixing.void_reason}"
        yield Finding("I6", "closed_order", row, problem)


def check_derivation(point: Point, fixing: Fixing, standing: Standing) -> Iterator[Finding]:
    """I6: a stored fixing is the one that the recorded ticks make, as long as they are kept."""
    if standing.state is MarketState.FORGOTTEN:
        return
    row = f"{point.instrument} {point.time.isoformat()}"
    for problem in _derivation_problems(point, fixing, standing):
        yield Finding("I6", "fixing", row, problem)


def check_opening(order: Order, table: str, terms: Terms | None) -> Iterator[Finding]:
    """I12: an order opened on a price that was there, within the terms of its version."""
    for problem in _opening_problems(order):
        yield Finding("I12", table, str(order.order_id), problem)
    for problem in _terms_problems(order, terms):
        yield Finding("I12", table, str(order.order_id), problem)


def check_market(
    order: Order, table: str, standing: Standing, entered: Standing
) -> Iterator[Finding]:
    """I12: an order opened on a fresh price of an open market, as quotes recorded it.

    `standing` is of when it opened, `entered` of when its entry tick came.
    """
    for problem in (*_market_problems(order, standing), *_entry_problems(order, entered)):
        yield Finding("I12", table, str(order.order_id), problem)


def outcome_of(order: Order, close_price: int | None) -> Outcome:
    """Return how an order closes at a price (rules.md, "Outcome")."""
    if close_price is None:
        return Outcome.VOID
    if close_price == order.entry_price:
        return Outcome.DRAW
    went = Direction.UP if close_price > order.entry_price else Direction.DOWN
    return Outcome.WIN if went == order.direction else Outcome.LOSS


def _derivation_problems(point: Point, fixing: Fixing, standing: Standing) -> Iterator[str]:
    """Tell where a fixing departs from the rule (rules.md, "Fixing"), by the record it rests on."""
    tick, last = fixing.tick, standing.last_tick
    covered = standing.state is not MarketState.NOT_COVERED
    fresh = last is not None and point.time - last.time <= standing.max_tick_age
    if tick is not None and not covered:
        yield "is a price, of a moment that the record does not cover"
    if tick is not None and not fresh:
        yield f"is a price, where no tick of the last {standing.max_tick_age} is recorded"
    elif tick is not None and last is not None and tick[:3] != last[:3]:
        yield f"is {_shown(tick)}, where the last one recorded is {_shown(last)}"
    if fixing.void_reason == VoidReason.NOT_COVERED and covered:
        yield "is void as not covered, where the record covers its moment"
    if fixing.void_reason == VoidReason.NO_TICK and fresh and last is not None:
        yield f"is void for want of a tick, where tick {last.number} is recorded"


def _shown(tick: Tick) -> str:
    return f"tick {tick.number} at {tick.price} of {tick.time.isoformat()}"


def _opening_problems(order: Order) -> Iterator[str]:
    age = order.opened_at - order.entry_time
    if age < timedelta(0):
        yield f"opened on a tick of {-age} later"
    if order.expires_at <= order.opened_at:
        yield "expired before it opened"
    if order.expires_at != ceil_to_second(order.expires_at):
        yield "expires between two seconds"


def _market_problems(order: Order, standing: Standing) -> Iterator[str]:
    if standing.state is MarketState.FORGOTTEN:
        return
    if standing.state is not MarketState.TRADABLE:
        yield f"opened while quotes recorded that the market was {standing.state.name}"
    age = order.opened_at - order.entry_time
    if age >= standing.max_tick_age:
        yield f"opened on a tick that was {age} old"
    if standing.closes_at is not None and order.expires_at > standing.closes_at:
        yield f"expires after its session closed, at {standing.closes_at}"


def _entry_problems(order: Order, entered: Standing) -> Iterator[str]:
    if entered.state is MarketState.FORGOTTEN:
        return
    tick, own = entered.last_tick, (order.entry_number, order.entry_price, order.entry_time)
    if tick is None or (tick.number, tick.price, tick.time) != own:
        yield f"opened on the tick {order.entry_number}, which quotes recorded otherwise"


def _terms_problems(order: Order, terms: Terms | None) -> Iterator[str]:
    if terms is None:
        yield f"opened under version {order.terms_version} of the terms, which does not exist"
        return
    if not terms.stake_min <= order.stake <= terms.stake_max:
        yield f"has a stake of {order.stake}, outside its terms"
    if order.payout_bp != terms.payout_bp:
        yield f"promises {order.payout_bp} bp, its terms {terms.payout_bp}"
    longest = ceil_to_second(order.opened_at + timedelta(seconds=terms.duration_seconds_max))
    if order.expires_at > longest:
        yield "lasts longer than its terms allow"
    if is_too_short(terms, order.opened_at, order.expires_at):
        yield "lasts less than its terms allow"


def _movement_of(entry: Entry) -> Movement:
    return Movement(
        entry.account_id,
        entry.kind,
        entry.contra_account_id.int,
        entry.amount,
        entry.currency,
        entry.balance or 0,
        entry.time,
    )


def _close_tick(close: Close) -> tuple[int, int, datetime] | None:
    if close.close_number is None or close.close_price is None or close.close_time is None:
        return None
    return close.close_number, close.close_price, close.close_time
