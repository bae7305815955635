"""A past for a new chart: generated candles that end at the first real price.

Nothing is settled by them, and they are marked as what they are. The walk goes backwards from the
first tick, in seconds for the last hour, in minutes for two days and in hours before that; wider
candles of the finer parts are folded from the narrower ones, so all widths agree.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isqrt
from random import Random

from services.quotes.candle import HOUR, MINUTE, SECOND, Candle, start_of, widen
from services.quotes.session import Schedule, Session, sessions

_SECONDS_BACK = timedelta(hours=1)
_MINUTES_BACK = timedelta(days=2)
_HOURS_BACK = timedelta(days=90)
_HOURLY_PPM = {"CRYPTO": 5000, "FX": 1000, "METAL": 2000, "INDEX": 2000}
_OTHER_PPM = 2000
_MILLION = 1_000_000
_THOUSAND = 1000


@dataclass(frozen=True, slots=True)
class Origin:
    """What a past is generated for: the first tick, and what kind of instrument it is of."""

    schedule: Schedule
    asset_class: str
    first_time: datetime
    first_price: int


def past(origin: Origin, random: Random) -> dict[int, list[Candle]]:
    """Return generated candles by width in seconds, oldest first. One seed gives one past."""
    first = origin.first_time
    second, minute, hour = (start_of(first, width) for width in (SECOND, MINUTE, HOUR))
    seconds_from = start_of(second - _SECONDS_BACK, MINUTE)
    minutes_from = start_of(second - _MINUTES_BACK, HOUR)
    hours_from = start_of(second - _HOURS_BACK, HOUR)
    open_spans = sessions(origin.schedule, hours_from, first)
    walk = _Walk(origin, random)
    seconds = walk.back(_starts(open_spans, seconds_from, second, SECOND), SECOND)
    minutes = walk.back(_starts(open_spans, minutes_from, seconds_from, MINUTE), MINUTE)
    hours = walk.back(_starts(open_spans, hours_from, minutes_from, HOUR), HOUR)
    minutes += [candle for candle in widen(seconds, MINUTE) if candle.start_time < minute]
    hours += [candle for candle in widen(minutes, HOUR) if candle.start_time < hour]
    return {SECOND: seconds, MINUTE: minutes, HOUR: hours}


def copy_lines(candles: Iterable[Candle]) -> bytes:
    """Write candles in the text form of COPY."""
    return b"".join(
        f"{c.start_time.isoformat()}\t{c.open}\t{c.high}\t{c.low}\t{c.close}\t0\tt\n".encode()
        for c in candles
    )


class _Walk:
    """A random walk backwards, in whole units of the last decimal place."""

    def __init__(self, origin: Origin, random: Random) -> None:
        self._price = origin.first_price
        self._hourly_ppm = _HOURLY_PPM.get(origin.asset_class, _OTHER_PPM)
        self._random = random

    def back(self, starts: Iterable[datetime], width: int) -> list[Candle]:
        """Return a candle for each start, which come newest first; the oldest is first."""
        # Parts per million, thousand times finer, of one such step: it grows with the root of time.
        step = self._hourly_ppm * isqrt(width * _MILLION // HOUR)
        return [self._candle(start, step) for start in starts][::-1]

    def _candle(self, start: datetime, step: int) -> Candle:
        close = self._price
        self._price = max(1, close + self._move(close, step))
        low, high = sorted((self._price, close))
        return Candle(
            start,
            self._price,
            high + abs(self._move(close, step)) // 2,
            max(1, low - abs(self._move(close, step)) // 2),
            close,
            0,
            synthetic=True,
        )

    def _move(self, price: int, step: int) -> int:
        return price * step * int(self._random.gauss(0, _THOUSAND)) // (_MILLION * _MILLION)


def _starts(
    spans: Sequence[Session], since: datetime, until: datetime, width: int
) -> Iterator[datetime]:
    """Yield the starts of intervals within since ≤ t < until that touch a session, newest first."""
    step, remaining = timedelta(seconds=width), list(spans)
    start = until - step
    while start >= since and remaining:
        opened, closed = remaining[-1].open_time, remaining[-1].close_time
        if opened is not None and opened >= start + step:
            remaining.pop()
            continue
        if closed is None or closed > start:
            yield start
        start -= step
