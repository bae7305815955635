"""An instrument: what can be traded on, when, and what its market does now."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.quotes.session import AROUND_THE_CLOCK, Schedule, Session
from services.quotes.tick import Tick


class InstrumentStatus(StrEnum):
    """What staff allow."""

    ENABLED = "ENABLED"
    CLOSE_ONLY = "CLOSE_ONLY"
    HALTED = "HALTED"
    HIDDEN = "HIDDEN"


class MarketStatus(StrEnum):
    """What the market does."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"
    HALTED = "HALTED"
    STALE = "STALE"


@dataclass(frozen=True, slots=True)
class Definition:
    """What staff decide about an instrument; the rest follows. Symbol and scale never change."""

    symbol: str
    display_name: str
    asset_class: str
    price_scale: int
    feed_symbol: str
    schedule: Schedule
    status: InstrumentStatus = InstrumentStatus.ENABLED
    max_tick_age_seconds: int = 5
    feed_silence_max_seconds: int = 5
    position: int = 0


@dataclass(frozen=True, slots=True)
class Instrument:
    """One version of an instrument, in force from a moment on until the next one's."""

    id: int
    version: int
    effective_time: datetime
    definition: Definition
    recorded: bool = False
    """Its feed replays a recording, which knows no trading hours: it is open around the clock."""

    @property
    def symbol(self) -> str:
        """The name used everywhere."""
        return self.definition.symbol

    @property
    def schedule(self) -> Schedule:
        """The timetable in force."""
        return AROUND_THE_CLOCK if self.recorded else self.definition.schedule

    @property
    def max_tick_age(self) -> timedelta:
        """A tick older than this opens nothing and fixes nothing."""
        return timedelta(seconds=self.definition.max_tick_age_seconds)

    @property
    def feed_silence_max(self) -> timedelta:
        """A feed silent for this long is not trusted to still be there."""
        return timedelta(seconds=self.definition.feed_silence_max_seconds)


def market_status(
    instrument: Instrument,
    sessions: tuple[Session, ...],
    last_tick: Tick | None,
    feed_time: datetime | None,
    now: datetime,
) -> MarketStatus:
    """Return what a market does now; the live counterpart of the fixing rule.

    `sessions` are the instrument's upcoming ones; `last_tick` is one that was not late.
    """
    if instrument.definition.status is InstrumentStatus.HALTED:
        return MarketStatus.HALTED
    if not any(session.contains(now) for session in sessions):
        return MarketStatus.CLOSED
    if feed_time is None or now - feed_time >= instrument.feed_silence_max:
        return MarketStatus.STALE
    if last_tick is None or now - last_tick.time > instrument.max_tick_age:
        return MarketStatus.STALE
    return MarketStatus.OPEN
