from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.clock import utc
from services.quotes.candle import INTERVALS_SECONDS, Candle, base_of, start_of, widen
from services.quotes.history import Origin, past
from services.quotes.seed import METALS_WEEK
from services.quotes.session import AROUND_THE_CLOCK, sessions
from services.quotes.tick import Tick
from services.quotes.ticks import Head
from services.quotes.timeline import Timeline, forming_candles
from tests.unit.test_quotes_fixing import ALWAYS_OPEN

START = utc(2026, 11, 23, 18, 40)
STEP = (st.integers(1, 90_000_000), st.integers(1, 9), st.booleans())
"""Microseconds after the one before, price, and whether it is late."""

ticks_of_a_while = st.lists(st.tuples(*STEP), min_size=1, max_size=60)


def made(steps: list[tuple[int, int, bool]]) -> list[Tick]:
    now, ticks = START, []
    for number, (pause, price, late) in enumerate(steps, start=1):
        now += timedelta(microseconds=pause)
        ticks.append(Tick(1, number, now, price, None, late))
    return ticks


def fold(ticks: list[Tick], width_seconds: int) -> list[Candle]:
    """The candles of one instrument's ticks, by the letter of what a candle is."""

    def start(tick: Tick) -> datetime:
        return start_of(tick.time, width_seconds)

    candles = []
    for moment, within in groupby((tick for tick in ticks if not tick.late), start):
        prices = [tick.price for tick in within]
        candles.append(Candle(moment, prices[0], max(prices), min(prices), prices[-1], len(prices)))
    return candles


@given(st.lists(st.tuples(st.integers(1, 3), st.tuples(*STEP)), max_size=120), st.integers(1, 40))
def test_candles_are_those_of_the_ticks_however_these_are_cut_into_batches(
    steps: list[tuple[int, tuple[int, int, bool]]], batch: int
) -> None:
    instruments = [replace(ALWAYS_OPEN, id=identifier) for identifier in (1, 2, 3)]
    every = made([step for _, step in steps])
    ticks = [
        tick._replace(instrument_id=identifier)
        for (identifier, _), tick in zip(steps, every, strict=True)
    ]
    timeline = Timeline(START, instruments, {}, {})
    found: dict[tuple[int, int], list[Candle]] = defaultdict(list)
    for first in range(0, len(ticks), batch):
        part = ticks[first : first + batch]
        timeline._fold(part, part[-1].time)
        for identifier, width, candle in timeline._finished:
            found[identifier, width].append(candle)
        timeline._finished.clear()
    for identifier in (1, 2, 3):
        for width, forming in timeline.forming(identifier):
            candles = found[identifier, width] + [forming] * (forming is not None)
            own = [tick for tick in ticks if tick.instrument_id == identifier]
            assert candles == fold(own, width)


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
