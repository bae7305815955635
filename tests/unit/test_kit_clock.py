from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.kit.clock import Clock, ManualClock, SystemClock, utc

NOON = utc(2026, 1, 5, 12)


@pytest.mark.parametrize("clock", [SystemClock(), ManualClock(NOON)])
def test_a_clock_tells_aware_utc(clock: Clock) -> None:
    assert clock.now().utcoffset() == timedelta(0)


def test_the_system_clock_tells_the_time() -> None:
    before, now, after = datetime.now(UTC), SystemClock().now(), datetime.now(UTC)

    assert before <= now <= after


def test_the_monotonic_clock_does_not_go_back() -> None:
    clock = SystemClock()

    readings = [clock.monotonic() for _ in range(1_000)]

    assert readings == sorted(readings)


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(NOON)
    began = clock.monotonic()

    clock.advance(timedelta(seconds=1, microseconds=1))

    assert clock.now() == utc(2026, 1, 5, 12, 0, 1, 1)
    assert clock.monotonic() - began == pytest.approx(1.000001)


def test_a_corrected_wall_clock_leaves_spans_alone() -> None:
    clock = ManualClock(NOON)
    began = clock.monotonic()

    clock.set(NOON - timedelta(hours=1))

    assert clock.now() == utc(2026, 1, 5, 11)
    assert clock.monotonic() == began


def test_time_does_not_pass_backwards() -> None:
    with pytest.raises(ValueError, match="backwards"):
        ManualClock(NOON).advance(timedelta(microseconds=-1))


def test_a_manual_clock_wants_a_zone_and_answers_in_utc() -> None:
    with pytest.raises(ValueError, match="zone"):
        ManualClock(datetime(2026, 1, 5))  # noqa: DTZ001

    new_york = timezone(timedelta(hours=-5))
    assert ManualClock(datetime(2026, 1, 5, 7, tzinfo=new_york)).now().tzinfo is UTC
