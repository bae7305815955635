"""The platform's time, measured from its answers.

The clock of this machine may be wrong by minutes, and an order that carries `valid_until` is
judged by the platform's clock. So each answer that tells the time narrows down how far the two
are apart: at some moment between sending and receiving, the platform's clock showed what the
answer says.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_HTTP_DATE_STEP = timedelta(seconds=1)


class ServerClock:
    """Tells the platform's time, from a monotonic clock and the answers seen so far."""

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Start out with the time of this machine, until the first answer."""
        self._monotonic = monotonic
        self._offset = (wall() - self._local(),) * 2
        self._measured = False

    def monotonic(self) -> float:
        """Return seconds since an arbitrary origin: read it before sending and after receiving."""
        return self._monotonic()

    def now(self) -> datetime:
        """Return the platform's time: the middle of what is possible."""
        earliest, latest = self._offset
        return self._local() + earliest + (latest - earliest) / 2

    @property
    def uncertainty(self) -> timedelta | None:
        """How far `now` may be off either way; None before the first answer."""
        earliest, latest = self._offset
        return (latest - earliest) / 2 if self._measured else None

    def saw_date(self, header: str | None, sent: float, received: float) -> None:
        """Learn from the `Date` of an answer, which tells the second but not how much of it."""
        try:
            date = parsedate_to_datetime(header) if header else None
        except ValueError:
            return
        if date is not None:
            self._learn(date, date + _HTTP_DATE_STEP, sent, received)

    def saw(self, told: datetime, sent: float, received: float) -> None:
        """Learn from an answer that tells the time exactly."""
        self._learn(told, told + _MICROSECOND, sent, received)

    def _learn(self, first: datetime, last: datetime, sent: float, received: float) -> None:
        seen = (first - _moment(received), last - _moment(sent))
        earliest, latest = max(self._offset[0], seen[0]), min(self._offset[1], seen[1])
        # No offset fits both: one of the clocks was set since, so what was known is void.
        fits = self._measured and earliest <= latest
        self._offset = (earliest, latest) if fits else seen
        self._measured = True

    def _local(self) -> datetime:
        return _moment(self._monotonic())


def _moment(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)
