"""The timeline of one run: gives every packet its time and number, and cuts the batches to store.

Times come from the clock and only go forward: a watermark W is the clock at a cut, and whatever
is stamped after the cut is later than W, even if the clock stands still or steps back a little.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter

from services.kit.clock import Clock
from services.kit.values import parse_price
from services.quotes.candle import MINUTE, SECOND, STORED_SECONDS, Candle, Folder, pieces, start_of
from services.quotes.instrument import Instrument
from services.quotes.packet import MalformedPacket, Quote
from services.quotes.record import Batch
from services.quotes.tick import Tick, is_late
from services.quotes.ticks import Head

CLOCK_JUMP = timedelta(milliseconds=250)
"""A wall clock that moves against the monotonic one by more than this between two looks jumped."""

STALL = timedelta(seconds=3)
"""A process that did not look at the clock for this long was not listening.

It is the lease of a leader: whoever stands still for longer may have been replaced meanwhile. A
shorter pause loses nothing, what came in it is stamped at its end; and it stays below the age at
which a tick no longer counts.
"""

_CLOCK_JUMP_SECONDS = CLOCK_JUMP.total_seconds()
_STALL_SECONDS = STALL.total_seconds()
_INSTANT = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
_TIME = attrgetter("time")


@dataclass(slots=True)
class _Series:
    """One instrument's place in the timeline."""

    instrument_id: int
    price_scale: int
    max_age: timedelta
    number: int
    time: datetime
    folders: tuple[Folder, ...]


class Vigil:
    """Notices, by looking at the clock often, when there was nobody to look."""

    def __init__(self, clock: Clock) -> None:
        """Begin to look."""
        self._clock = clock
        before = clock.monotonic()
        self.wall = clock.now()
        """The wall clock at the last look."""
        self._monotonic = clock.monotonic()
        self._doubt = self._monotonic - before

    def look(self) -> str | None:
        """Return why market time was lost since the last look, or None if it was not."""
        # Both clocks are read as one; on a busy machine a process may be put aside just between
        # the two, and that is no jump.
        before = self._clock.monotonic()
        wall = self._clock.now()
        after = self._clock.monotonic()
        passed, doubt = after - self._monotonic, after - before
        drift = abs((wall - self.wall).total_seconds() - passed) - doubt - self._doubt
        self.wall, self._monotonic, self._doubt = wall, after, doubt
        if drift > _CLOCK_JUMP_SECONDS:
            return "CLOCK_JUMP"
        return "STALL" if passed > _STALL_SECONDS else None


class Timeline:
    """What is heard in a run, in order."""

    def __init__(
        self,
        start: datetime,
        instruments: Iterable[Instrument],
        heads: Mapping[int, Head],
        forming: Mapping[tuple[int, int], Candle],
        stream_of: Callable[[str], str | None] = str,
    ) -> None:
        """Begin after `start`, going on from each instrument's head and candles in progress.

        `stream_of` tells what packets call a feed symbol.
        """
        self._floor = start
        self._heads = heads
        self._forming = forming
        self._stream_of = stream_of
        self._by_stream: dict[str, list[_Series]] = {}
        self._series: dict[int, _Series] = {}
        self._ticks: list[Tick] = []
        self._finished: list[tuple[int, int, Candle]] = []
        self._heartbeat: datetime | None = None
        self._next_second = start
        self.follow(instruments)

    def follow(self, instruments: Iterable[Instrument]) -> None:
        """Take over what instruments are now; their numbering goes on."""
        self._by_stream = {}
        for instrument in instruments:
            series = self._series.get(instrument.id) or self._new_series(instrument)
            series.max_age = instrument.max_tick_age
            self._series[instrument.id] = series
            if stream := self._stream_of(instrument.definition.feed_symbol):
                self._by_stream.setdefault(stream, []).append(series)

    def _new_series(self, instrument: Instrument) -> _Series:
        head = self._heads.get(instrument.id) or Head()
        folders = tuple(
            Folder(width, self._forming.get((instrument.id, width))) for width in STORED_SECONDS
        )
        return _Series(
            instrument.id,
            instrument.definition.price_scale,
            instrument.max_tick_age,
            head.number,
            head.time or self._floor,
            folders,
        )

    @property
    def waiting(self) -> int:
        """How many ticks wait to be stored."""
        return len(self._ticks)

    def hear(self, now: datetime) -> None:
        """Note that the feed is there."""
        self._heartbeat = max(now, (self._heartbeat or self._floor) + _INSTANT)

    def add(self, quote: Quote, now: datetime) -> int:
        """Give a quote its place, and return of how many instruments it is a tick.

        Errors: MalformedPacket when the price is none.
        """
        following = self._by_stream.get(quote.symbol, ())
        for series in following:
            price = _price(quote.price, series.price_scale)
            before = max(series.time, self._floor)
            time = now if now > before else before + _INSTANT
            late = is_late(time, quote.source_time, series.max_age)
            series.number += 1
            series.time = time
            self._ticks.append(
                Tick(series.instrument_id, series.number, time, price, quote.source_time, late)
            )
        return len(following)

    def cut(self, now: datetime) -> Batch:
        """Return everything up to a new watermark; whatever comes later is later than it."""
        ticks, self._ticks = self._ticks, []
        heartbeat, self._heartbeat = self._heartbeat, None
        last = max(map(_TIME, ticks), default=now)
        watermark = max(now, self._floor + _INSTANT, heartbeat or now, last)
        self._floor = watermark
        self._fold(ticks, watermark)
        finished, self._finished = self._finished, []
        return Batch(watermark, heartbeat, ticks, finished)

    def forming(self, instrument_id: int) -> list[tuple[int, Candle | None]]:
        """Return an instrument's candles in progress by width, as of the last cut."""
        folders = self._series[instrument_id].folders
        return [
            (width, folder.current) for width, folder in zip(STORED_SECONDS, folders, strict=True)
        ]

    def _fold(self, ticks: Iterable[Tick], watermark: datetime) -> None:
        for identifier, piece in pieces(ticks):
            for width, folder in zip(STORED_SECONDS, self._series[identifier].folders, strict=True):
                self._finish(identifier, width, folder.add(piece))
        if watermark >= self._next_second:
            self._next_second = start_of(watermark, SECOND) + _SECOND
            for identifier, series in self._series.items():
                for width, folder in zip(STORED_SECONDS, series.folders, strict=True):
                    self._finish(identifier, width, folder.close_until(watermark))

    def _finish(self, instrument_id: int, width: int, candle: Candle | None) -> None:
        if candle is not None:
            self._finished.append((instrument_id, width, candle))


def forming_candles(
    ticks: Iterable[Tick], minutes: Mapping[int, list[Candle]]
) -> dict[tuple[int, int], Candle]:
    """Return the candles in progress, from what is stored.

    `ticks` are those since the minute of the last watermark began; `minutes` the finished minutes
    of its hour, by instrument.
    """
    folders: dict[tuple[int, int], Folder] = {}
    for instrument_id, candles in minutes.items():
        hour = candles[0]._replace(
            high=max(candle.high for candle in candles),
            low=min(candle.low for candle in candles),
            close=candles[-1].close,
            ticks=sum(candle.ticks for candle in candles),
        )
        hour = hour._replace(start_time=start_of(hour.start_time, STORED_SECONDS[-1]))
        folders[instrument_id, STORED_SECONDS[-1]] = Folder(STORED_SECONDS[-1], hour)
    for instrument_id, piece in pieces(ticks):
        for width in STORED_SECONDS:
            folders.setdefault((instrument_id, width), Folder(width)).add(piece)
    return {key: folder.current for key, folder in folders.items() if folder.current}


def minute_of(moment: datetime) -> datetime:
    """Return the start of a moment's minute."""
    return start_of(moment, MINUTE)


def _price(text: str, scale: int) -> int:
    try:
        price = parse_price(text, scale)
    except ValueError as error:
        raise MalformedPacket("not a price") from error
    if price <= 0:
        raise MalformedPacket("a price is positive")
    return price
