from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.clock import utc
from services.quotes.fixing import Evidence, Fixing, Point, VoidReason, decide
from services.quotes.instrument import Definition, Instrument, InstrumentStatus
from services.quotes.packet import Quote
from services.quotes.seed import FX_WEEK
from services.quotes.session import AROUND_THE_CLOCK
from services.quotes.tick import Tick, is_late
from services.quotes.timeline import Timeline

T = utc(2026, 11, 27, 22)  # FX closes
INSTANT = timedelta(microseconds=1)
INSTRUMENT = Instrument(
    1, 1, utc(2026, 1, 1), Definition("EURUSD", "EUR/USD", "FX", 5, "EURUSD", FX_WEEK)
)
POINT = Point(1, T)


def tick(number: int, age: timedelta) -> Tick:
    return Tick(1, number, T - age, 108_000 + number, None, late=False)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


LAST = tick(7, seconds(0))
RECORD = Evidence(
    instrument=INSTRUMENT,
    covered=True,
    feed_time=T,
    last_tick=LAST,
    ticks_before=[LAST],
    ticks_after=[],
    watermark=T,
)


def standing(status: InstrumentStatus) -> Instrument:
    return replace(INSTRUMENT, definition=replace(INSTRUMENT.definition, status=status))


CASES: list[tuple[str, datetime, dict[str, object], VoidReason | None]] = [
    ("a tick exactly at T fixes, also at the close", T, {}, None),
    ("a tick of the greatest age fixes", T, {"last_tick": tick(7, seconds(5))}, None),
    ("one a microsecond older does not", T, {"last_tick": tick(7, seconds(5) + INSTANT)},
     VoidReason.NO_TICK),
    ("no tick at all", T, {"last_tick": None}, VoidReason.NO_TICK),
    ("a heartbeat just within the silence", T, {"feed_time": T - seconds(5) + INSTANT}, None),
    ("a heartbeat exactly at T − silence is silence", T, {"feed_time": T - seconds(5)},
     VoidReason.FEED_SILENT),
    ("never heard", T, {"feed_time": None}, VoidReason.FEED_SILENT),
    ("not covered", T, {"covered": False}, VoidReason.NOT_COVERED),
    ("after the close", T + INSTANT, {}, VoidReason.MARKET_CLOSED),
    ("halted", T, {"instrument": standing(InstrumentStatus.HALTED)},
     VoidReason.INSTRUMENT_HALTED),
    ("closing only settles as usual", T, {"instrument": standing(InstrumentStatus.CLOSE_ONLY)},
     None),
    ("hidden settles as usual", T, {"instrument": standing(InstrumentStatus.HIDDEN)}, None),
    ("before it existed", T, {"instrument": None}, VoidReason.INSTRUMENT_HALTED),
    ("not covered comes before silence", T, {"covered": False, "feed_time": None},
     VoidReason.NOT_COVERED),
    ("silence comes before no tick", T, {"feed_time": None, "last_tick": None},
     VoidReason.FEED_SILENT),
    ("no tick comes before closed", T + INSTANT, {"last_tick": None}, VoidReason.NO_TICK),
    ("a recording knows no hours", T + INSTANT, {"instrument": replace(INSTRUMENT, recorded=True)},
     None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("moment", "changes", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_a_price_or_the_reason_why_not(
    moment: datetime, changes: dict[str, object], expected: VoidReason | None
) -> None:
    evidence = replace(RECORD, **changes)  # type: ignore[arg-type]
    found = decide(Point(1, moment), evidence)

    assert found.void_reason is expected
    assert found.tick == (evidence.last_tick if expected is None else None)


def test_a_fixing_keeps_three_ticks_on_each_side() -> None:
    before = [tick(number, seconds(10 - number)) for number in range(1, 6)]
    after = [tick(number, -seconds(number)) for number in range(6, 11)]
    found = decide(POINT, replace(RECORD, ticks_before=before, ticks_after=after))

    assert [t.number for t in found.ticks_before] == [3, 4, 5]
    assert [t.number for t in found.ticks_after] == [6, 7, 8]


@pytest.mark.parametrize(
    ("lag", "late"), [(seconds(5), False), (seconds(5) + INSTANT, True), (-seconds(60), False)]
)
def test_a_tick_is_late_if_its_source_lags_by_more_than_its_age(lag: timedelta, late: bool) -> None:
    assert is_late(T, T - lag, seconds(5)) is late
    assert not is_late(T, None, seconds(5))


ALWAYS_OPEN = replace(
    INSTRUMENT, definition=replace(INSTRUMENT.definition, schedule=AROUND_THE_CLOCK)
)
Arrivals = list[tuple[int, int]]
arrivals = st.lists(st.tuples(st.integers(1, 900_000), st.integers(1, 9)), max_size=40)


def recorded(arrivals: Arrivals, cuts: frozenset[int]) -> list[Tick]:
    """What is stored of packets (microseconds after the last, price), cut into batches."""
    start = now = utc(2026, 11, 23)
    timeline = Timeline(start, [ALWAYS_OPEN], {}, {})
    stored: list[Tick] = []
    for place, (pause, price) in enumerate(arrivals):
        now += timedelta(microseconds=pause)
        timeline.add(Quote("EURUSD", str(price), now - seconds(pause % 7)), now)
        if place in cuts:
            stored += timeline.cut(now).ticks
    return [*stored, *timeline.cut(now).ticks]


def fixing_of(ticks: list[Tick], moment: datetime) -> Fixing:
    known = [t for t in ticks if t.time <= moment]
    counted = [t for t in known if not t.late]
    return decide(
        Point(1, moment),
        Evidence(
            instrument=ALWAYS_OPEN,
            covered=True,
            feed_time=moment,
            last_tick=counted[-1] if counted else None,
            ticks_before=known,
            ticks_after=[t for t in ticks if t.time > moment],
            watermark=moment,
        ),
    )


@given(arrivals=arrivals, cuts=st.frozensets(st.integers(0, 40)), after=st.integers(0, 40_000_000))
def test_how_packets_are_batched_changes_no_fixing(
    arrivals: Arrivals, cuts: frozenset[int], after: int
) -> None:
    moment = utc(2026, 11, 23) + timedelta(microseconds=after)
    in_one, in_parts = recorded(arrivals, frozenset()), recorded(arrivals, cuts)

    assert in_one == in_parts
    assert all(a.time < b.time for a, b in pairwise(in_parts))
    assert fixing_of(in_one, moment) == fixing_of(in_parts, moment)


@given(arrivals=arrivals, cuts=st.frozensets(st.integers(0, 40)), after=st.integers(0, 40_000_000))
def test_a_fixing_under_the_watermark_does_not_change_by_what_comes_later(
    arrivals: Arrivals, cuts: frozenset[int], after: int
) -> None:
    start = now = utc(2026, 11, 23)
    timeline = Timeline(start, [ALWAYS_OPEN], {}, {})
    moment = start + timedelta(microseconds=after)
    known: list[Tick] = []
    first: Fixing | None = None
    for place, (pause, price) in enumerate(arrivals):
        now += timedelta(microseconds=pause)
        timeline.add(Quote("EURUSD", str(price), now), now)
        if place in cuts:
            batch = timeline.cut(now)
            known += batch.ticks
            if first is None and batch.watermark >= moment:
                first = fixing_of(known, moment)
    known += timeline.cut(now).ticks
    if first is not None:
        assert fixing_of(known, moment).tick == first.tick
