"""Candles: how a price moved within an interval, folded from the ticks that settle."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from services.quotes.tick import Tick

SECOND, MINUTE, HOUR, DAY = 1, 60, 3600, 86_400
STORED_SECONDS = (SECOND, MINUTE, HOUR)
"""Widths that are stored; the others are folded from the largest of these that divides them."""

INTERVALS_SECONDS = (1, 5, 15, 30, 60, 300, 900, 3600, 14_400, 86_400)
"""Widths that can be asked for."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=SECOND)


class Candle(NamedTuple):
    """One interval, start ≤ t < start + width. Prices are mantissas."""

    start_time: datetime
    open: int
    high: int
    low: int
    close: int
    ticks: int
    """How many ticks it is built from; 0 when it is synthetic."""

    synthetic: bool = False


def start_of(moment: datetime, width_seconds: int) -> datetime:
    """Return the start of the interval in which a moment lies, counted from the epoch."""
    since = moment - _EPOCH
    seconds = since.days * DAY + since.seconds
    return _EPOCH + timedelta(seconds=seconds - seconds % width_seconds)


def base_of(interval_seconds: int) -> int:
    """Return the stored width that an interval is folded from."""
    return max(width for width in STORED_SECONDS if interval_seconds % width == 0)


@dataclass(slots=True)
class Forming:
    """A candle in progress, start ≤ t < end."""

    start_time: datetime
    end_time: datetime
    open: int
    high: int
    low: int
    close: int
    ticks: int

    def candle(self) -> Candle:
        """Return it as it is now."""
        return Candle(self.start_time, self.open, self.high, self.low, self.close, self.ticks)


Piece = tuple[int, Forming]
"""What an instrument ticked within one second, or a part of it."""


def pieces(ticks: Iterable[Tick]) -> list[Piece]:
    """Fold ticks into a piece for each instrument and second, each instrument's in order of time.

    Late ones do not count. The ticks of an instrument come in order of time.
    """
    found: list[Piece] = []
    last: dict[int, Forming] = {}
    for instrument, _, time, price, _, late in ticks:
        if late:
            continue
        piece = last.get(instrument)
        if piece is None or time >= piece.end_time:
            start = start_of(time, SECOND)
            piece = Forming(start, start + _SECOND, price, price, price, price, 1)
            last[instrument] = piece
            found.append((instrument, piece))
            continue
        piece.close = price
        piece.ticks += 1
        if price > piece.high:
            piece.high = price
        elif price < piece.low:
            piece.low = price
    return found


class Folder:
    """Folds the pieces of one instrument into candles of one width, in order of time."""

    def __init__(self, width_seconds: int, forming: Candle | None = None) -> None:
        """Begin, or go on with the candle that was in progress."""
        self._seconds = width_seconds
        self._width = timedelta(seconds=width_seconds)
        self._forming = forming and Forming(
            forming.start_time,
            forming.start_time + self._width,
            forming.open,
            forming.high,
            forming.low,
            forming.close,
            forming.ticks,
        )

    def add(self, piece: Forming) -> Candle | None:
        """Fold one piece; return the candle that it completes, if it begins a new one."""
        forming = self._forming
        if forming is None or piece.start_time >= forming.end_time:
            start = start_of(piece.start_time, self._seconds)
            self._forming = replace(piece, start_time=start, end_time=start + self._width)
            return forming.candle() if forming else None
        forming.close = piece.close
        forming.ticks += piece.ticks
        forming.high = max(forming.high, piece.high)
        forming.low = min(forming.low, piece.low)
        return None

    def close_until(self, moment: datetime) -> Candle | None:
        """Return the candle in progress if its interval is over at a moment, and forget it."""
        forming = self._forming
        if forming is None or moment < forming.end_time:
            return None
        self._forming = None
        return forming.candle()

    @property
    def current(self) -> Candle | None:
        """The candle in progress."""
        return self._forming.candle() if self._forming else None


def widen(candles: Iterable[Candle], width_seconds: int) -> list[Candle]:
    """Return candles folded into wider ones, given in order of time.

    Generated ones do not count in an interval that has real ones: what a real candle shows was
    all ticked.
    """
    wide: list[Candle] = []
    for candle in candles:
        start = start_of(candle.start_time, width_seconds)
        last = wide[-1] if wide and wide[-1].start_time == start else None
        if last is None or (last.synthetic and not candle.synthetic):
            wide[len(wide) - (last is not None) :] = [candle._replace(start_time=start)]
        elif last.synthetic or not candle.synthetic:
            wide[-1] = last._replace(
                high=max(last.high, candle.high),
                low=min(last.low, candle.low),
                close=candle.close,
                ticks=last.ticks + candle.ticks,
            )
    return wide
