from datetime import datetime, timedelta

import pytest

from services.kit.clock import ManualClock, utc
from services.quotes.instrument import Definition, Instrument
from services.quotes.packet import MalformedPacket, Quote
from services.quotes.session import AROUND_THE_CLOCK
from services.quotes.timeline import CLOCK_JUMP, STALL, Timeline, Vigil

START = utc(2026, 11, 23)
SECOND = timedelta(seconds=1)
INSTANT = timedelta(microseconds=1)
NOON = utc(2026, 11, 23, 12)
INSTRUMENT = Instrument(
    1, 1, START, Definition("EURUSD", "EUR/USD", "FX", 5, "EURUSD", AROUND_THE_CLOCK)
)


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


def a_timeline() -> Timeline:
    return Timeline(START, [INSTRUMENT], {}, {})


def quote(price: str = "1.1", source_time: datetime | None = None) -> Quote:
    return Quote("EURUSD", price, source_time)


def test_ticks_of_one_microsecond_are_told_apart_in_the_order_they_came() -> None:
    timeline = a_timeline()
    for price in ("1.1", "1.3", "1.2"):
        timeline.add(quote(price), NOON)

    ticks = timeline.cut(NOON).ticks

    assert [(tick.number, tick.time, tick.price) for tick in ticks] == [
        (1, NOON, 110_000),
        (2, NOON + INSTANT, 130_000),
        (3, NOON + 2 * INSTANT, 120_000),
    ]


@pytest.mark.parametrize("step", [timedelta(0), -CLOCK_JUMP, SECOND])
@pytest.mark.parametrize(("ticks", "beats"), [(5, 2), (2, 5)])
def test_a_watermark_is_not_before_what_it_covers_and_not_after_what_it_does_not(
    step: timedelta, ticks: int, beats: int
) -> None:
    timeline = a_timeline()
    before = timeline.cut(NOON).watermark
    for now in (NOON, NOON + step, NOON + 2 * step):
        for _ in range(ticks):
            timeline.add(quote(), now)
        for _ in range(beats):
            timeline.hear(now)
        batch = timeline.cut(now)

        assert batch.heartbeat is not None
        known = [*(tick.time for tick in batch.ticks), batch.heartbeat]
        assert all(before < time <= batch.watermark for time in known)
        assert timeline.cut(now).watermark > batch.watermark
        before = batch.watermark + INSTANT


def test_the_feed_is_heard_without_ticks_and_only_when_it_was() -> None:
    timeline = a_timeline()
    timeline.hear(NOON)
    assert timeline.cut(NOON + SECOND).heartbeat == NOON
    assert timeline.cut(NOON + 2 * SECOND).heartbeat is None


@pytest.mark.parametrize(
    ("lag", "late"),
    [(5 * SECOND, False), (5 * SECOND + INSTANT, True), (-9 * SECOND, False), (None, False)],
)
def test_a_tick_whose_source_lags_is_stored_as_late(lag: timedelta | None, late: bool) -> None:
    timeline = a_timeline()
    timeline.add(quote(source_time=None if lag is None else NOON - lag), NOON)
    (tick,) = timeline.cut(NOON).ticks
    assert (tick.time, tick.late) == (NOON, late)


@pytest.mark.parametrize("price", ["0", "-1.1", "0.000004", "-0", "NaN", "1" * 20, "", "1,1"])
def test_what_is_no_price_takes_no_number(price: str) -> None:
    timeline = a_timeline()
    with pytest.raises(MalformedPacket):
        timeline.add(quote(price), NOON)
    timeline.add(quote("1.234565"), NOON)
    timeline.add(quote("1.2345650000001"), NOON)
    assert [(tick.number, tick.price) for tick in timeline.cut(NOON).ticks] == [
        (1, 123_456),  # half goes to the even one
        (2, 123_457),
    ]


def test_a_tick_of_a_symbol_that_nobody_follows_is_none() -> None:
    timeline = a_timeline()
    assert timeline.add(Quote("GBPUSD", "1.1", None), NOON) == 0
    assert timeline.waiting == 0
