from datetime import datetime, timedelta

import pytest

from services.kit.clock import ManualClock, utc
from services.quotes.timeline import CLOCK_JUMP, STALL, Vigil

START = utc(2026, 11, 23)
SECOND = timedelta(seconds=1)


class Preempted(ManualClock):
    """A clock whose reader is put aside just after it has read the wall clock."""

    pause = timedelta(0)

    def now(self) -> datetime:
        wall = super().now()
        self.advance(self.pause)
        return wall


@pytest.mark.parametrize(
    ("passed", "step", "expected"),
    [
        (SECOND, timedelta(0), None),
        (SECOND, CLOCK_JUMP, None),
        (SECOND, CLOCK_JUMP + timedelta(milliseconds=1), "CLOCK_JUMP"),
        (SECOND, -CLOCK_JUMP - timedelta(milliseconds=1), "CLOCK_JUMP"),
        (STALL, timedelta(0), None),
        (STALL + timedelta(milliseconds=1), timedelta(0), "STALL"),
    ],
)
def test_lost_market_time_is_noticed(
    passed: timedelta, step: timedelta, expected: str | None
) -> None:
    clock = ManualClock(START)
    vigil = Vigil(clock)
    clock.advance(passed)
    clock.set(clock.now() + step)

    assert vigil.look() == expected
    assert vigil.look() is None


def test_a_pause_between_reading_two_clocks_is_no_jump() -> None:
    clock = Preempted(START)
    vigil = Vigil(clock)
    clock.pause = SECOND
    assert vigil.look() is None
    clock.pause = timedelta(0)
    assert vigil.look() is None
