from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.clock import utc
from services.quotes.candle import INTERVALS_SECONDS, Candle, base_of, fold, start_of, widen
from services.quotes.history import Origin, past
from services.quotes.seed import METALS_WEEK
from services.quotes.session import AROUND_THE_CLOCK, sessions
from services.quotes.tick import Tick
from services.quotes.ticks import Head
from services.quotes.timeline import Timeline, forming_candles
from tests.unit.test_quotes_fixing import ALWAYS_OPEN

START = utc(2026, 11, 23, 18, 40)
ticks_of_a_while = st.lists(
    st.tuples(st.integers(1, 90_000_000), st.integers(1, 9), st.booleans()), min_size=1, max_size=60
)


def made(steps: list[tuple[int, int, bool]]) -> list[Tick]:
    now, ticks = START, []
    for number, (pause, price, late) in enumerate(steps, start=1):
        now += timedelta(microseconds=pause)
        ticks.append(Tick(1, number, now, price, None, late))
    return ticks


@given(ticks_of_a_while)
def test_wide_candles_folded_from_narrow_ones_are_those_folded_from_ticks(
    steps: list[tuple[int, int, bool]],
) -> None:
    ticks = made(steps)
    for interval in INTERVALS_SECONDS:
        assert widen(fold(ticks, base_of(interval)), interval) == fold(ticks, interval)


@given(ticks_of_a_while, st.integers(0, 60))
def test_a_timeline_that_begins_anew_goes_on_with_the_same_candles(
    steps: list[tuple[int, int, bool]], break_after: int
) -> None:
    ticks = [tick for tick in made(steps) if not tick.late]
    finished: dict[tuple[int, datetime], Candle] = {}
    heads: dict[int, Head] = {}
    forming: dict[tuple[int, int], Candle] = {}
    for part in (ticks[:break_after], ticks[break_after:]):
        timeline = Timeline(START, [ALWAYS_OPEN], heads, forming)
        timeline._fold(part, part[-1].time if part else START)
        for _, width, candle in timeline._finished:
            finished[width, candle.start_time] = candle
        forming = {(1, w): candle for w, candle in timeline.forming(1) if candle}
    finished |= {(width, candle.start_time): candle for (_, width), candle in forming.items()}

    for width in (1, 60, 3600):
        candles = [candle for (w, _), candle in sorted(finished.items()) if w == width]
        assert candles == fold(ticks, width)


@given(ticks_of_a_while)
def test_candles_in_progress_are_found_again_from_what_is_stored(
    steps: list[tuple[int, int, bool]],
) -> None:
    ticks = [tick for tick in made(steps) if not tick.late]
    if not ticks:
        return
    minute, hour = start_of(ticks[-1].time, 60), start_of(ticks[-1].time, 3600)
    minutes = [c for c in fold(ticks, 60) if hour <= c.start_time < minute]
    recent = [tick for tick in ticks if tick.time >= minute]
    found = forming_candles(recent, {1: minutes} if minutes else {})

    for width in (1, 60, 3600):
        assert found[1, width] == fold(ticks, width)[-1]


def test_generated_candles_do_not_count_beside_real_ones() -> None:
    def candle(second: int, price: int, ticks: int) -> Candle:
        start = START + timedelta(seconds=second)
        return Candle(start, price, price, price, price, ticks, synthetic=ticks == 0)

    wide = widen([candle(0, 9, 0), candle(1, 5, 2), candle(2, 6, 1), candle(60, 1, 0)], 60)

    assert wide == [
        Candle(START, 5, 6, 5, 6, 3),
        Candle(START + timedelta(seconds=60), 1, 1, 1, 1, 0, synthetic=True),
    ]


@pytest.mark.parametrize("schedule", [AROUND_THE_CLOCK, METALS_WEEK])
def test_a_generated_past_ends_at_the_first_price_and_keeps_to_the_sessions(
    schedule: object,
) -> None:
    first = utc(2026, 11, 24, 15, 20, 33, 250_000)
    origin = Origin(schedule, "METAL", first, 401_250)  # type: ignore[arg-type]
    found = past(origin, Random(1))

    assert found == past(origin, Random(1))
    assert found != past(origin, Random(2))
    open_spans = sessions(origin.schedule, first - timedelta(days=91), first)
    for width, candles in found.items():
        span = timedelta(seconds=width)
        assert candles[-1].start_time + span <= first
        assert all(c.synthetic and c.ticks == 0 for c in candles)
        assert all(0 < c.low <= min(c.open, c.close) for c in candles)
        assert all(max(c.open, c.close) <= c.high for c in candles)
        assert len({c.start_time for c in candles}) == len(candles)
        for candle in candles:
            touched = [
                s
                for s in open_spans
                if (s.open_time is None or s.open_time < candle.start_time + span)
                and (s.close_time is None or s.close_time > candle.start_time)
            ]
            assert touched, (width, candle)
    assert found[1][-1].close == 401_250
    assert len(found[1]) >= 3600
    hours = {c.start_time: c for c in found[3600]}
    for wide in widen(found[60], 3600)[1:-1]:
        assert hours[wide.start_time] == wide
