"""Acceptance as a table: one row for each refusal of rules.md, in the order of the checks."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.kit.clock import ManualClock, utc
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.values import Money, Period, Price
from services.trading.acceptance import (
    AccountState,
    Funds,
    check_account,
    check_funds,
    check_limits,
    offer,
)
from services.trading.market import Instrument, InstrumentStatus, MarketView, Session
from services.trading.order import Direction, OrderRequest, Tick
from services.trading.protection import Guard, Kind, Used
from services.trading.terms import TermsDefaults

NOW = utc(2026, 11, 23, 12, 0, 0, 250_000)
SECOND = timedelta(seconds=1)
EURUSD = "EURUSD"
COMMENTS = Path(__file__).parents[2] / "edge" / "comments.json"


def market(
    *,
    status: InstrumentStatus = InstrumentStatus.ENABLED,
    opens: datetime | None = None,
    closes: datetime | None = None,
    watermark_age: float = 0,
    feed_age: float = 0,
    tick_age: float = 0,
    skew: float = 0,
    complete: bool = True,
) -> MarketView:
    """Return a view in which everything is well, but for what is said."""
    clock = ManualClock(NOW + timedelta(seconds=skew))
    view = MarketView(clock)
    session = Session(opens, closes)
    view.set_instrument(Instrument(EURUSD, 5, status, (session,), 5 * SECOND, 5 * SECOND))
    view.add_ticks([(EURUSD, Tick(7, 112_146, NOW - timedelta(seconds=tick_age), None))])
    feed = NOW - timedelta(seconds=feed_age)
    view.set_watermark(NOW - timedelta(seconds=watermark_age), feed, NOW)
    view.complete = complete
    return view


def request(**changes: Any) -> OrderRequest:
    """Return a request that is accepted, but for what is changed."""
    fields: dict[str, Any] = {
        "account_id": UUID(int=1),
        "user_id": UUID(int=2),
        "request_id": UUID(int=3),
        "instrument": EURUSD,
        "direction": Direction.UP,
        "stake": Money(1_000, "USD"),
        "duration_seconds": 10,
    }
    return OrderRequest(**(fields | changes))


def at(minute: int, second: int = 0) -> datetime:
    return NOW.replace(minute=minute, second=second, microsecond=0)


TERMS = TermsDefaults().for_instrument(EURUSD)
OUTSIDE = Reason.EXPIRY_OUTSIDE_SESSION
CLOCK: dict[str, Any] = {"duration_seconds": None}
ROWS: list[tuple[str, dict[str, Any], dict[str, Any], Reason | None]] = [
    # what                          the market                the request              refused as
    ("all is well", {}, {}, None),
    ("unknown instrument", {}, {"instrument": "NOSUCH"}, Reason.INSTRUMENT_NOT_FOUND),
    ("halted", {"status": InstrumentStatus.HALTED}, {}, Reason.INSTRUMENT_HALTED),
    ("close only", {"status": InstrumentStatus.CLOSE_ONLY}, {}, Reason.INSTRUMENT_NOT_TRADABLE),
    ("hidden", {"status": InstrumentStatus.HIDDEN}, {}, Reason.INSTRUMENT_NOT_TRADABLE),
    ("before the session", {"opens": NOW + SECOND}, {}, Reason.MARKET_CLOSED),
    ("as the session opens", {"opens": NOW}, {}, None),
    ("as the session closes", {"closes": NOW}, {}, Reason.MARKET_CLOSED),
    ("expiry at the close", {"closes": at(0, 11)}, {}, None),
    ("expiry past the close", {"closes": at(0, 10)}, {}, Reason.EXPIRY_OUTSIDE_SESSION),
    ("another currency", {}, {"stake": Money(1_000, "EUR")}, Reason.CURRENCY_MISMATCH),
    ("smallest stake", {}, {"stake": Money(100, "USD")}, None),
    ("too small", {}, {"stake": Money(99, "USD")}, Reason.STAKE_BELOW_MINIMUM),
    ("negative", {}, {"stake": Money(-1_000, "USD")}, Reason.STAKE_BELOW_MINIMUM),
    ("largest stake", {}, {"stake": Money(100_000, "USD")}, None),
    ("too large", {}, {"stake": Money(100_001, "USD")}, Reason.STAKE_ABOVE_MAXIMUM),
    ("shortest", {}, {"duration_seconds": 5}, None),
    ("too short", {}, {"duration_seconds": 4}, Reason.DURATION_OUT_OF_RANGE),
    ("no duration", {}, {"duration_seconds": 0}, Reason.DURATION_OUT_OF_RANGE),
    ("longest", {}, {"duration_seconds": 86_400}, None),
    ("too long", {}, {"duration_seconds": 86_401}, Reason.DURATION_OUT_OF_RANGE),
    ("longer than all sessions", {"closes": at(1)}, {"duration_seconds": 2**31 - 1}, OUTSIDE),
    ("backwards", {}, {"duration_seconds": -5}, Reason.DURATION_OUT_OF_RANGE),
    ("on the grid", {}, CLOCK | {"expire_time": at(1)}, None),
    ("off the grid", {}, CLOCK | {"expire_time": at(1, 1)}, Reason.EXPIRY_NOT_ON_GRID),
    ("the past", {}, CLOCK | {"expire_time": at(0)}, Reason.EXPIRY_CUTOFF_PASSED),
    ("our clock is ahead", {"skew": 0.251}, {}, Reason.CLOCK_SKEWED),
    ("our clock is behind", {"skew": -0.251}, {}, Reason.CLOCK_SKEWED),
    ("our clock is nearly right", {"skew": 0.25}, {}, None),
    ("late to see", {"watermark_age": 0.5}, {}, Reason.MARKET_VIEW_STALE),
    ("nearly late to see", {"watermark_age": 0.499}, {}, None),
    ("no snapshot", {"complete": False}, {}, Reason.MARKET_VIEW_STALE),
    ("silent feed", {"feed_age": 5}, {}, Reason.FEED_SILENT),
    ("nearly silent feed", {"feed_age": 4.999}, {}, None),
    ("old tick", {"tick_age": 5}, {}, Reason.TICK_TOO_OLD),
    ("nearly old tick", {"tick_age": 4.999}, {}, None),
    ("payout as asked", {}, {"min_payout_bp": 8_500}, None),
    ("payout too low", {}, {"min_payout_bp": 8_501}, Reason.PAYOUT_BELOW_LIMIT),
    ("price at the limit", {}, {"entry_price_limit": Price(112_146, 5)}, None),
    (
        "price above the limit",
        {},
        {"entry_price_limit": Price(112_145, 5)},
        Reason.ENTRY_PRICE_BEYOND_LIMIT,
    ),
    (
        "a coarser limit is compared exactly",
        {},
        {"entry_price_limit": Price(1_121, 3)},
        Reason.ENTRY_PRICE_BEYOND_LIMIT,
    ),
    (
        "price below the limit of a DOWN",
        {},
        {"direction": Direction.DOWN, "entry_price_limit": Price(112_147, 5)},
        Reason.ENTRY_PRICE_BEYOND_LIMIT,
    ),
    ("just in time", {}, {"valid_until": NOW}, None),
    ("too late", {}, {"valid_until": NOW - SECOND}, Reason.VALID_UNTIL_PASSED),
    ("tick as seen", {}, {"last_seen_tick_number": 7}, None),
    ("newer tick seen", {}, {"last_seen_tick_number": 8}, Reason.LAST_SEEN_TICK_AHEAD),
]


@pytest.mark.parametrize(
    ("given", "asked", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_what_the_market_offers(
    given: dict[str, Any], asked: dict[str, Any], expected: Reason | None
) -> None:
    view, order = market(**given), request(**asked)
    terms = TERMS if order.instrument == EURUSD else None
    if expected is None:
        accepted = offer(order, terms, view, NOW)
        assert (accepted.entry.price, accepted.opens_at) == (112_146, NOW)
        return
    with pytest.raises(Failure) as refused:
        offer(order, terms, view, NOW)
    assert refused.value.reason is expected


STEPS: list[tuple[Reason, str]] = [
    (Reason.INSTRUMENT_HALTED, "status"),
    (Reason.MARKET_CLOSED, "opens"),
    (Reason.EXPIRY_OUTSIDE_SESSION, "closes"),
    (Reason.CURRENCY_MISMATCH, "stake"),
    (Reason.DURATION_OUT_OF_RANGE, "duration_seconds"),
    (Reason.CLOCK_SKEWED, "skew"),
    (Reason.MARKET_VIEW_STALE, "watermark_age"),
    (Reason.FEED_SILENT, "feed_age"),
    (Reason.TICK_TOO_OLD, "tick_age"),
    (Reason.PAYOUT_BELOW_LIMIT, "min_payout_bp"),
    (Reason.ENTRY_PRICE_BEYOND_LIMIT, "entry_price_limit"),
    (Reason.VALID_UNTIL_PASSED, "valid_until"),
    (Reason.LAST_SEEN_TICK_AHEAD, "last_seen_tick_number"),
]
"""What refuses, and what has to be mended so that the next check speaks."""


def test_the_contract_lists_the_refusals_in_the_order_of_the_checks() -> None:
    comment = json.loads(COMMENTS.read_text())["veritick.trading.v1.OrderService.PlaceOrder"]
    _, _, listed = comment.partition("they are checked:")
    documented = [Reason(word) for word in re.findall(r"[A-Z_]{5,}", listed)]
    assert len(documented) == len(set(documented))
    checked = [reason for reason, _ in STEPS]
    assert [reason for reason in documented if reason in checked] == checked
    assert {reason for *_, reason in ROWS if reason} <= set(documented)


def test_checks_are_made_in_their_order() -> None:
    """With everything wrong, the first check of the list speaks; mended one by one, the next."""
    wrong_market: dict[str, Any] = {
        "status": InstrumentStatus.HALTED,
        "opens": NOW + SECOND,
        "closes": at(0, 11),
        "skew": 1,
        "watermark_age": 9,
        "feed_age": 9,
        "tick_age": 9,
    }
    wrong_request: dict[str, Any] = {
        "stake": Money(1, "EUR"),
        "duration_seconds": 86_401,
        "min_payout_bp": 9_999,
        "entry_price_limit": Price(1, 5),
        "valid_until": NOW - SECOND,
        "last_seen_tick_number": 99,
    }
    for reason, mended in STEPS:
        with pytest.raises(Failure) as refused:
            offer(request(**wrong_request), TERMS, market(**wrong_market), NOW)
        assert refused.value.reason is reason
        wrong_market.pop(mended, None)
        wrong_request.pop(mended, None)
    offer(request(**wrong_request), TERMS, market(**wrong_market), NOW)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (AccountState.OPEN, None),
        (AccountState.FROZEN, Reason.ACCOUNT_FROZEN),
        (AccountState.CLOSED, Reason.ACCOUNT_CLOSED),
    ],
)
def test_the_account_takes_part(state: AccountState, expected: Reason | None) -> None:
    account = funds(state=state)
    if expected is None:
        check_account(account)
        return
    with pytest.raises(Failure) as refused:
        check_account(account)
    assert refused.value.reason is expected


@pytest.mark.parametrize(
    ("given", "owed", "expected"),
    [
        ({}, 0, None),
        ({"posted": 1_000}, 0, None),
        ({"posted": 999}, 0, Reason.INSUFFICIENT_FUNDS),
        ({"posted": 1_500, "held": 501}, 0, Reason.INSUFFICIENT_FUNDS),
        ({"open_orders": 199}, 0, None),
        ({"open_orders": 200}, 0, Reason.OPEN_ORDERS_LIMIT),
        ({}, 100_000_000 - 850, None),
        ({}, 100_000_000 - 849, Reason.EXPOSURE_LIMIT),
        ({"currency": "EUR"}, 0, Reason.CURRENCY_MISMATCH),
    ],
)
def test_limits_and_money(given: dict[str, Any], owed: int, expected: Reason | None) -> None:
    assert limited(funds(**given), owed, None) is expected


@pytest.mark.parametrize(
    ("kind", "allowed", "given", "owed", "expected"),
    [
        (Kind.LOSS, 3_000, {}, 0, None),
        (Kind.LOSS, 2_999, {}, 0, Reason.LOSS_LIMIT),
        (Kind.STAKE, 6_000, {}, 0, None),
        (Kind.STAKE, 5_999, {}, 0, Reason.STAKE_LIMIT),
        (Kind.LOSS, 0, {"open_orders": 200}, 0, Reason.OPEN_ORDERS_LIMIT),
        (Kind.LOSS, 0, {}, 100_000_000, Reason.EXPOSURE_LIMIT),
        (Kind.LOSS, 0, {"posted": 0}, 0, Reason.LOSS_LIMIT),
    ],
)
def test_own_limits_come_after_those_of_the_book_and_before_the_money(
    kind: Kind, allowed: int, given: dict[str, Any], owed: int, expected: Reason | None
) -> None:
    """The user has staked 40.00 and lost 10.00 this week, and stakes 10.00 now."""
    used = Used(NOW.date(), 1_000, (0, 4_000, 4_000), (0, 1_000, 1_000))
    guard = Guard(None, None, ((kind, Period.WEEK, allowed),), used)
    assert limited(funds(**given), owed, guard) is expected


def limited(account: Funds, owed: int, guard: Guard | None) -> Reason | None:
    """Return why checks 9 and 10 refuse a stake of 10.00, if they do."""
    order = request()
    try:
        check_limits(order, TERMS, account, owed, guard)
        check_funds(order.stake, account)
    except Failure as failure:
        return failure.reason
    return None


def funds(**changes: Any) -> Funds:
    fields: dict[str, Any] = {
        "currency": "USD",
        "state": AccountState.OPEN,
        "posted": 100_000,
        "held": 0,
        "open_orders": 0,
    }
    return Funds(**(fields | changes))


def test_every_refusal_of_a_price_says_what_it_was() -> None:
    with pytest.raises(Failure) as refused:
        offer(request(entry_price_limit=Price(1, 5)), TERMS, market(), NOW)
    assert refused.value.metadata == {"entry_price_mantissa": "112146"}
