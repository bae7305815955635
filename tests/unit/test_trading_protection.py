"""What counts against a limit in each period."""

from datetime import date

import pytest

from services.kit.values import Period
from services.trading.protection import Kind, Used

DAY, WEEK, MONTH = Period
THURSDAY = date(2026, 11, 26)


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


def test_a_clock_that_is_a_little_behind_at_midnight_forgets_nothing() -> None:
    used = Used(THURSDAY, 100, (5, 6, 7), (5, 6, 7))

    assert used.on(date(2026, 11, 25)) == used


def test_an_open_order_counts_as_lost_and_a_closed_one_as_what_it_lost() -> None:
    opened = Used(THURSDAY, 0, (0, 0, 0), (0, 0, 0)).opened(1_000)
    won = opened.closed(1_000, 1_850)

    assert [opened.of(kind, WEEK) for kind in Kind] == [1_000, 1_000]
    assert (won.of(Kind.LOSS, WEEK), won.of(Kind.STAKE, WEEK)) == (-850, 1_000)
