"""The live market as a book sees it: fed by quotes, asked by acceptance, never blocking.

One clock rules: the ingest clock of quotes. This view follows it, and knows by how much its own
clock differs (rules.md, "One clock rules").
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from services.kit.clock import Clock
from services.trading.order import Tick

SKEW_WINDOW = timedelta(seconds=30)
SKEW_MAX = timedelta(milliseconds=250)
WATERMARK_AGE_MAX = timedelta(milliseconds=500)


class InstrumentStatus(IntEnum):
    """What staff allow. The numbers are the contract's."""

    ENABLED = 1
    CLOSE_ONLY = 2
    HALTED = 3
    HIDDEN = 4


@dataclass(frozen=True, slots=True)
class Session:
    """A span of trading: open ≤ t < close. None is without end on that side."""

    open_time: datetime | None
    close_time: datetime | None

    def holds(self, moment: datetime) -> bool:
        """Tell whether the session is open at a moment."""
        begun = self.open_time is None or self.open_time <= moment
        return begun and (self.close_time is None or moment < self.close_time)


@dataclass(frozen=True, slots=True)
class Instrument:
    """What acceptance needs to know of an instrument."""

    symbol: str
    price_scale: int
    status: InstrumentStatus
    sessions: tuple[Session, ...]
    max_tick_age: timedelta
    feed_silence_max: timedelta

    def session_at(self, moment: datetime) -> Session | None:
        """Return the session that is open at a moment."""
        for session in self.sessions:
            if session.holds(moment):
                return session
        return None

    def next_open(self, moment: datetime) -> datetime | None:
        """Return when the next session begins, if it is known."""
        opens = (session.open_time for session in self.sessions if session.open_time)
        return min((time for time in opens if time > moment), default=None)


class MarketView:
    """The instruments, their last ticks, and how far the market is known."""

    def __init__(self, clock: Clock) -> None:
        """Begin knowing nothing; every order is refused until the first snapshot is complete."""
        self._clock = clock
        self.instruments: dict[str, Instrument] = {}
        self.complete = False
        self.watermark: datetime | None = None
        self.feed_time: datetime | None = None
        self._heard: datetime | None = None
        self._ticks: dict[str, Tick] = {}
        # (received, received - sent), with differences rising: the first is the window's least.
        self._differences: deque[tuple[datetime, timedelta]] = deque()

    def now(self) -> datetime:
        """Return the market's time: one's own, corrected by the measured difference.

        It is never earlier than what has been heard, whatever becomes of one's own clock: no order
        opens before its entry tick.
        """
        own = self._clock.now() - self.skew
        return own if self._heard is None or own > self._heard else self._heard

    @property
    def skew(self) -> timedelta:
        """By how much one's own clock is ahead: the least of received - sent over 30 s."""
        return self._differences[0][1] if self._differences else timedelta(0)

    def last_tick(self, instrument: str) -> Tick | None:
        """Return the last tick that may open an order."""
        return self._ticks.get(instrument)

    def forget(self) -> None:
        """Take what is known as the past until a new snapshot is complete: the stream broke."""
        self.complete = False

    def set_instrument(self, instrument: Instrument) -> None:
        """Take an instrument as it is now."""
        self.instruments[instrument.symbol] = instrument

    def add_ticks(self, ticks: Sequence[tuple[str, Tick]]) -> None:
        """Take ticks by symbol, in order. Late ones must have been left out by the caller."""
        for symbol, tick in ticks:
            known = self._ticks.get(symbol)
            if known is None or tick.number > known.number:
                self._ticks[symbol] = tick
                self._hear(tick.time)

    def set_watermark(self, time: datetime, feed_time: datetime | None, sent: datetime) -> None:
        """Take the moment up to which everything is known, and measure the clock by it."""
        self.watermark = time
        self._hear(time)
        self.feed_time = feed_time
        received = self._clock.now()
        self._measure(received, received - sent)

    def _hear(self, time: datetime) -> None:
        if self._heard is None or time > self._heard:
            self._heard = time

    def _measure(self, received: datetime, difference: timedelta) -> None:
        window = self._differences
        while window and window[-1][1] >= difference:
            window.pop()
        window.append((received, difference))
        # A clock that was set back makes older samples look like the future: they go as well.
        while abs(received - window[0][0]) > SKEW_WINDOW:
            window.popleft()
