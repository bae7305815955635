"""How a market stood at T, judged from the record: rows in the order of the rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.kit.clock import utc
from services.quotes.fixing import Point
from services.quotes.instrument import Definition, Instrument, InstrumentStatus
from services.quotes.opening import Facts, MarketState, judge
from services.quotes.seed import FX_WEEK
from services.quotes.tick import Tick

CLOSE = utc(2026, 11, 27, 22)  # FX closes
INSTANT = timedelta(microseconds=1)
T = CLOSE - timedelta(hours=1)
INSTRUMENT = Instrument(
    1, 1, utc(2026, 1, 1), Definition("EURUSD", "EUR/USD", "FX", 5, "EURUSD", FX_WEEK)
)


def of(status: InstrumentStatus) -> Instrument:
    return replace(INSTRUMENT, definition=replace(INSTRUMENT.definition, status=status))


CASES: list[tuple[str, datetime, dict[str, object], MarketState]] = [
    ("open, heard and enabled", T, {}, MarketState.TRADABLE),
    ("just before the close", CLOSE - INSTANT, {}, MarketState.TRADABLE),
    ("the close itself opens nothing", CLOSE, {}, MarketState.CLOSED),
    ("a recording knows no hours", CLOSE, {"instrument": replace(INSTRUMENT, recorded=True)},
     MarketState.TRADABLE),
    ("not covered", T, {"covered": False}, MarketState.NOT_COVERED),
    ("closing only", T, {"instrument": of(InstrumentStatus.CLOSE_ONLY)}, MarketState.NOT_ENABLED),
    ("halted", T, {"instrument": of(InstrumentStatus.HALTED)}, MarketState.NOT_ENABLED),
    ("hidden", T, {"instrument": of(InstrumentStatus.HIDDEN)}, MarketState.NOT_ENABLED),
    ("before it existed", T, {"instrument": None}, MarketState.NOT_ENABLED),
    ("never heard", T, {"feed_time": None}, MarketState.FEED_SILENT),
    ("silent for just too long", T, {"feed_time": timedelta(seconds=5)}, MarketState.FEED_SILENT),
    ("silent for just not too long", T, {"feed_time": timedelta(seconds=5) - INSTANT},
     MarketState.TRADABLE),
    ("further back than what is kept", T, {"kept": False, "covered": False},
     MarketState.FORGOTTEN),
]  # fmt: skip


@pytest.mark.parametrize(
    ("moment", "changes", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_how_a_market_stood(
    moment: datetime, changes: dict[str, object], expected: MarketState
) -> None:
    tick = Tick(1, 7, moment, 108_000, None, late=False)
    facts = Facts(INSTRUMENT, covered=True, kept=True, feed_time=moment, last_tick=tick)
    silence = changes.get("feed_time")
    if isinstance(silence, timedelta):
        changes = changes | {"feed_time": moment - silence}
    found = judge(Point(1, moment), replace(facts, **changes))  # type: ignore[arg-type]
    assert (found.state, found.last_tick) == (expected, tick)
    if expected is MarketState.TRADABLE and moment != CLOSE:
        assert found.session is not None
        assert found.session.close_time == CLOSE
