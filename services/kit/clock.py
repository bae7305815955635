"""Time as an argument: whoever needs the time is handed a clock.

Points in time are aware UTC datetimes with microseconds; lengths are timedeltas.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the domain knows about time."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC. It may step when the host is corrected."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary origin. It never goes back: measure spans with it."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the wall-clock time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the seconds of the system's monotonic clock."""
        return time.monotonic()


class ManualClock:
    """A clock that moves only when told to, for rules whose result depends on the time."""

    def __init__(self, start: datetime) -> None:
        self._now = _require_utc(start)
        self._monotonic = 0.0

    def now(self) -> datetime:
        """Return the moment last set."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds advanced since the start."""
        return self._monotonic

    def advance(self, by: timedelta) -> None:
        """Let time pass; a negative span raises ValueError, for that is what `set` is for."""
        if by < timedelta(0):
            raise ValueError(f"time does not pass backwards: {by}")
        self._now += by
        self._monotonic += by.total_seconds()

    def set(self, now: datetime) -> None:
        """Step the wall clock, in either direction, as a correction of the host's time would."""
        self._now = _require_utc(now)


def utc(
    year: int,
    month: int,
    day: int,
    hour: int = 0,
    minute: int = 0,
    second: int = 0,
    microsecond: int = 0,
) -> datetime:
    """Return a moment in UTC from its parts."""
    return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=UTC)


def _require_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"a moment without a zone: {moment}")
    return moment.astimezone(UTC)
