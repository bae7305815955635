"""Whether an order could open on X at T, judged from the stored record alone.

The counterpart of the fixing rule for the other end of an order: not what acceptance believed, but
what the record says about that moment ever after.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.quotes.fixing import Point
from services.quotes.instrument import Instrument, InstrumentStatus
from services.quotes.session import Session, session_at
from services.quotes.tick import Tick


class MarketState(StrEnum):
    """How a market stood at a moment."""

    TRADABLE = "TRADABLE"
    NOT_COVERED = "NOT_COVERED"
    FEED_SILENT = "FEED_SILENT"
    CLOSED = "CLOSED"
    NOT_ENABLED = "NOT_ENABLED"
    FORGOTTEN = "FORGOTTEN"
    """The record does not reach back so far any more."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the record says about a point that its watermark has passed."""

    instrument: Instrument | None
    """The version in force at the moment; None when it did not exist yet."""

    covered: bool
    kept: bool
    """Ticks of that time are still kept."""

    feed_time: datetime | None
    """The last heartbeat stored at or before the moment."""

    last_tick: Tick | None
    """The last tick at or before the moment that was not late."""


@dataclass(frozen=True, slots=True)
class MarketRecord:
    """How the market of a point stood."""

    point: Point
    state: MarketState
    session: Session | None
    """The session in progress."""

    instrument: Instrument | None
    last_tick: Tick | None


def judge(point: Point, facts: Facts) -> MarketRecord:
    """Return how the market stood. The same record gives the same answer, always."""
    instrument = facts.instrument
    session = session_at(instrument.schedule, point.time) if instrument else None
    state = _state(point.time, facts, session)
    return MarketRecord(point, state, session, instrument, facts.last_tick)


def _state(moment: datetime, facts: Facts, session: Session | None) -> MarketState:
    instrument = facts.instrument
    if not facts.kept:
        return MarketState.FORGOTTEN
    if not facts.covered:
        return MarketState.NOT_COVERED
    if instrument is None or instrument.definition.status is not InstrumentStatus.ENABLED:
        return MarketState.NOT_ENABLED
    if session is None:
        return MarketState.CLOSED
    if facts.feed_time is None or moment - facts.feed_time >= instrument.feed_silence_max:
        return MarketState.FEED_SILENT
    return MarketState.TRADABLE
