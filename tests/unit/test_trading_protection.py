"""Periods, and what counts against a limit in them."""

from datetime import date, datetime

import pytest

from services.kit.clock import utc
from services.trading.protection import Kind, Period, Used

DAY, WEEK, MONTH = Period
THURSDAY = date(2026, 11, 26)


@pytest.mark.parametrize(
    ("period", "day", "start", "end"),
    [
        (DAY, THURSDAY, THURSDAY, utc(2026, 11, 27)),
        (WEEK, THURSDAY, date(2026, 11, 23), utc(2026, 11, 30)),
        (WEEK, date(2026, 11, 23), date(2026, 11, 23), utc(2026, 11, 30)),
        (WEEK, date(2026, 11, 29), date(2026, 11, 23), utc(2026, 11, 30)),
        (MONTH, THURSDAY, date(2026, 11, 1), utc(2026, 12, 1)),
        (MONTH, date(2026, 12, 31), date(2026, 12, 1), utc(2027, 1, 1)),
        (MONTH, date(2027, 1, 31), date(2027, 1, 1), utc(2027, 2, 1)),
    ],
)
def test_periods_are_those_of_the_calendar(
    period: Period, day: date, start: date, end: datetime
) -> None:
    assert (period.start(day), period.end(day)) == (start, end)


@pytest.mark.parametrize(
    ("day", "staked"),
    [
        (THURSDAY, (5, 6, 7)),
        (date(2026, 11, 27), (0, 6, 7)),
        (date(2026, 11, 30), (0, 0, 7)),
        (date(2026, 12, 1), (0, 0, 0)),
        (date(2027, 11, 26), (0, 0, 0)),
    ],
)
def test_sums_begin_anew_with_their_period_and_open_stakes_stay(
    day: date, staked: tuple[int, int, int]
) -> None:
    used = Used(THURSDAY, 100, (5, 6, 7), (5, 6, 7)).on(day)

    assert used == Used(day, 100, staked, staked)


def test_an_open_order_counts_as_lost_and_a_closed_one_as_what_it_lost() -> None:
    opened = Used(THURSDAY, 0, (0, 0, 0), (0, 0, 0)).opened(1_000)
    won = opened.closed(1_000, 1_850)

    assert [opened.of(kind, WEEK) for kind in Kind] == [1_000, 1_000]
    assert (won.of(Kind.LOSS, WEEK), won.of(Kind.STAKE, WEEK)) == (-850, 1_000)
