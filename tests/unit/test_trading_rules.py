"""Expiries, entries and the clock of the market."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.clock import ManualClock, utc
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.values import Money
from services.trading.market import MarketView
from services.trading.order import Direction, Order, OrderRequest, Outcome, Tick
from services.trading.posting import ESCROW, HOUSE, closing_entries, returned_of, stake_entry
from services.trading.terms import (
    AMOUNT_MAX,
    TermsDefaults,
    ceil_to_second,
    check_expiry,
    check_terms,
    expiry_of,
    is_too_short,
    next_on_grid,
)

NOON = utc(2026, 11, 23, 12)
TERMS = TermsDefaults().for_instrument("EURUSD")
USER = UUID(int=99)


def order_of(stake: int, payout_bp: int) -> Order:
    return Order(
        order_id=UUID(int=7),
        account_id=USER,
        request_id=UUID(int=8),
        request_hash=b"",
        instrument="EURUSD",
        direction=int(Direction.UP),
        stake=stake,
        currency="USD",
        payout_bp=payout_bp,
        terms_version=1,
        price_scale=5,
        entry_number=1,
        entry_price=112_146,
        entry_time=NOON,
        entry_source_time=None,
        opened_at=NOON,
        expires_at=NOON + timedelta(seconds=10),
    )


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (NOON, NOON),
        (NOON + timedelta(microseconds=1), NOON + timedelta(seconds=1)),
        (NOON + timedelta(microseconds=999_999), NOON + timedelta(seconds=1)),
    ],
)
def test_expiries_are_whole_seconds_rounded_up(moment: datetime, expected: datetime) -> None:
    assert ceil_to_second(moment) == expected


@pytest.mark.parametrize(
    ("now", "expiry", "refused"),
    [
        (NOON, NOON + timedelta(minutes=1), None),
        (NOON + timedelta(seconds=30), NOON + timedelta(minutes=1), None),
        (
            NOON + timedelta(seconds=30, microseconds=1),
            NOON + timedelta(minutes=1),
            Reason.EXPIRY_CUTOFF_PASSED,
        ),
        (NOON, NOON + timedelta(seconds=90), Reason.EXPIRY_NOT_ON_GRID),
        (NOON, NOON + timedelta(minutes=1, microseconds=1), Reason.EXPIRY_NOT_ON_GRID),
        (NOON, NOON + timedelta(days=1), None),
        (NOON, NOON + timedelta(days=1, minutes=1), Reason.DURATION_OUT_OF_RANGE),
    ],
)
def test_clock_expiries(now: datetime, expiry: datetime, refused: Reason | None) -> None:
    request = OrderRequest(
        USER, USER, USER, "EURUSD", Direction.UP, Money(1_000, "USD"), expire_time=expiry
    )
    assert expiry_of(request, now) == expiry
    if refused is None:
        check_expiry(request, TERMS, expiry, now)
        assert not is_too_short(TERMS, now, expiry)
        return
    with pytest.raises(Failure) as failure:
        check_expiry(request, TERMS, expiry, now)
    assert failure.value.reason is refused


@pytest.mark.parametrize(
    ("opened", "expires", "too_short"),
    [
        (0, 75, False),
        (0, 60, False),
        (30, 60, False),  # a clock expiry, bought before its cutoff
        (31, 60, True),
        (20, 65, True),
    ],
)
def test_an_order_is_too_short_for_both_ways_of_naming_its_expiry(
    opened: int, expires: int, too_short: bool
) -> None:
    terms = TERMS._replace(duration_seconds_min=60)
    moments = (NOON + timedelta(seconds=seconds) for seconds in (opened, expires))
    assert is_too_short(terms, *moments) is too_short


def test_the_next_expiry_lies_on_the_grid_and_later() -> None:
    assert next_on_grid(NOON, 15) == NOON + timedelta(minutes=15)
    late = NOON + timedelta(minutes=14, seconds=59)
    assert next_on_grid(late, 15) == NOON + timedelta(minutes=15)


@pytest.mark.parametrize(
    ("stake", "payout_bp", "outcome", "returned"),
    [
        (1_000, 8_500, Outcome.WIN, 1_850),
        (1_000, 8_500, Outcome.LOSS, 0),
        (1_000, 8_500, Outcome.DRAW, 1_000),
        (1_000, 8_500, Outcome.VOID, 1_000),
        (101, 8_500, Outcome.WIN, 186),  # 85.85 is floored
        (1, 8_500, Outcome.WIN, 1),
    ],
)
def test_what_comes_back(stake: int, payout_bp: int, outcome: Outcome, returned: int) -> None:
    assert returned_of(stake, payout_bp, outcome) == returned


@given(
    stake=st.integers(1, 10**12),
    payout_bp=st.integers(1, 100_000),
    outcome=st.sampled_from(Outcome),
    balance=st.integers(0, 10**15),
)
def test_escrow_gives_back_exactly_what_it_took(
    stake: int, payout_bp: int, outcome: Outcome, balance: int
) -> None:
    order = order_of(stake, payout_bp)
    opening = stake_entry(order, balance)
    closing = closing_entries(order, outcome, opening.balance or 0, UUID(int=1), NOON)
    moved: dict[UUID, int] = {}
    for entry in [opening, *closing]:
        moved[entry.account_id] = moved.get(entry.account_id, 0) + entry.amount
        moved[entry.contra_account_id] = moved.get(entry.contra_account_id, 0) - entry.amount
    assert sum(moved.values()) == 0
    assert moved[ESCROW] == 0
    assert moved[USER] == returned_of(stake, payout_bp, outcome) - stake
    assert moved.get(HOUSE, 0) == -moved[USER]
    assert all(entry.amount != 0 for entry in closing)


CHANGES: list[dict[str, Any]] = [
    {"instrument": "GBPUSD"},
    {"direction": Direction.DOWN},
    {"stake": Money(1_001, "USD")},
    {"stake": Money(1_000, "EUR")},
    {"duration_seconds": 11},
    {"min_payout_bp": 0},
    {"last_seen_tick_number": 0},
]


@pytest.mark.parametrize("change", CHANGES)
def test_another_request_has_another_digest(change: dict[str, Any]) -> None:
    request = OrderRequest(
        USER, USER, USER, "EURUSD", Direction.UP, Money(1_000, "USD"), duration_seconds=10
    )
    assert request._replace(**change).digest() != request.digest()
    assert request._replace(valid_until=NOON).digest() == request.digest()


def test_transport_delay_is_not_taken_for_skew() -> None:
    clock = ManualClock(NOON)
    view = MarketView(clock)
    for delay in (0.4, 0.01, 0.9, 0.3):
        sent = clock.now()
        clock.advance(timedelta(seconds=delay))
        view.set_watermark(sent, sent, sent)
    assert view.skew == timedelta(seconds=0.01)
    clock.advance(timedelta(seconds=31))
    sent = clock.now()
    clock.advance(timedelta(seconds=0.2))
    view.set_watermark(sent, sent, sent)
    assert view.skew == timedelta(seconds=0.2)


def test_an_old_tick_does_not_replace_a_newer_one() -> None:
    view = MarketView(ManualClock(NOON))
    view.add_ticks([("EURUSD", Tick(2, 20, NOON, None)), ("EURUSD", Tick(1, 10, NOON, None))])
    assert view.last_tick("EURUSD") == Tick(2, 20, NOON, None)


def test_market_time_is_never_earlier_than_what_was_heard() -> None:
    """An order opens at the market's time: not before its entry tick, wherever our clock went."""
    clock = ManualClock(NOON)
    view = MarketView(clock)
    view.set_watermark(NOON, NOON, NOON)
    later = NOON + timedelta(milliseconds=20)
    view.add_ticks([("EURUSD", Tick(1, 10, later, None))])
    assert view.now() == later
    behind = MarketView(ManualClock(NOON - timedelta(seconds=5)))
    behind.set_watermark(NOON, NOON, NOON)
    assert (behind.now(), behind.skew) == (NOON, -timedelta(seconds=5))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, None),
        ({"stake_max": AMOUNT_MAX, "exposure_max": AMOUNT_MAX}, None),
        ({"stake_min": 500, "stake_max": 500}, None),
        ({"currency": "EUR"}, "stake_min"),
        ({"stake_min": 0}, "stake_min"),
        ({"stake_min": 500, "stake_max": 499}, "stake_max"),
        ({"stake_max": AMOUNT_MAX + 1}, "stake_max"),
        ({"duration_seconds_min": 61, "duration_seconds_max": 60}, "duration_seconds_max"),
        ({"payout_fixed_bp": 9_001}, "payout_fixed_bp"),
        ({"payout_fixed_bp": 6_499}, "payout_fixed_bp"),
        ({"exposure_max": 0}, "exposure_max"),
        ({"exposure_max": AMOUNT_MAX + 1}, "exposure_max"),
    ],
)
def test_terms_under_which_nothing_could_rightly_be_sold(
    changes: dict[str, Any], field: str | None
) -> None:
    terms = TERMS._replace(**changes)
    if field is None:
        check_terms(terms, "USD")
        return
    with pytest.raises(Failure) as refused:
        check_terms(terms, "USD")
    assert [item.field for item in refused.value.violations] == [f"terms.{field}"]
