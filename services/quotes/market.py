"""The market as it is now, in memory, and those who watch it.

It only ever shows what is stored. Each watcher has a bounded queue; one that lets it fill up is
cut off, and never slows the others down.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from services.kit.errors import Failure
from services.kit.reason import Reason
from services.quotes.candle import Candle
from services.quotes.instrument import Instrument, MarketStatus, market_status
from services.quotes.record import Batch
from services.quotes.session import Session, next_open, upcoming
from services.quotes.tick import Tick

QUEUE_LENGTH = 4096
"""Messages a watcher may lag behind: some seconds at the busiest."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An instrument with what its market does."""

    instrument: Instrument
    status: MarketStatus
    sessions: tuple[Session, ...]
    next_open_time: datetime | None


@dataclass(frozen=True, slots=True)
class Watermark:
    """Everything up to `time` is stored; the feed was last heard at `feed_time`."""

    time: datetime
    feed_time: datetime | None


@dataclass(frozen=True, slots=True)
class Ticks:
    """Ticks that were stored together, without late ones: those open and fix nothing."""

    ticks: tuple[Tick, ...]


Change = Standing | Ticks | Watermark


class Subscription:
    """What one watcher has not read yet."""

    def __init__(self, length: int = QUEUE_LENGTH) -> None:
        """Hold at most `length` changes."""
        self._queue: asyncio.Queue[Change] = asyncio.Queue(length)
        self._overflowed = False

    def offer(self, change: Change) -> None:
        """Add a change, or give the watcher up if it does not read."""
        try:
            self._queue.put_nowait(change)
        except asyncio.QueueFull:
            self._overflowed = True

    async def __aiter__(self) -> AsyncIterator[Change]:
        """Yield changes as they come. Errors: RATE_LIMITED when the reader is too slow."""
        while not self._overflowed:
            yield await self._queue.get()
        raise Failure(Reason.RATE_LIMITED, "This reader fell too far behind; begin again.")


class LiveMarket:
    """What everybody may know now."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self.watermark: Watermark | None = None
        self._standings: dict[int, Standing] = {}
        self._by_symbol: dict[str, int] = {}
        self._last_ticks: dict[int, Tick] = {}
        self._forming: dict[tuple[int, int], Candle | None] = {}
        self._watchers: set[Subscription] = set()
        self._tick_watchers: dict[int, set[Subscription]] = {}

    def standings(self) -> list[Standing]:
        """Return all instruments by position and symbol."""
        return sorted(self._standings.values(), key=_order)

    def standing(self, symbol: str) -> Standing:
        """Return one instrument. Errors: INSTRUMENT_NOT_FOUND."""
        if symbol not in self._by_symbol:
            raise Failure(
                Reason.INSTRUMENT_NOT_FOUND,
                f"There is no instrument {symbol}.",
                metadata={"instrument": symbol},
            )
        return self._standings[self._by_symbol[symbol]]

    def instrument(self, instrument_id: int) -> Instrument:
        """Return an instrument by its id in the database; KeyError if there is none."""
        return self._standings[instrument_id].instrument

    def instruments(self) -> list[Instrument]:
        """Return all instruments."""
        return [standing.instrument for standing in self._standings.values()]

    def last_tick(self, instrument_id: int) -> Tick | None:
        """Return the last stored tick that counts."""
        return self._last_ticks.get(instrument_id)

    def last_ticks(self) -> tuple[Tick, ...]:
        """Return the last tick of every instrument that has one."""
        return tuple(self._last_ticks.values())

    def forming(self, instrument_id: int, width_seconds: int) -> Candle | None:
        """Return the candle in progress of a stored width."""
        return self._forming.get((instrument_id, width_seconds))

    @property
    def feed_time(self) -> datetime | None:
        """When the feed was last heard, as stored; None before the first time."""
        return self.watermark.feed_time if self.watermark else None

    def begin(self, last_ticks: Iterable[Tick], forming: Mapping[tuple[int, int], Candle]) -> None:
        """Take over what is stored at the begin of a run."""
        self._last_ticks = {tick.instrument_id: tick for tick in last_ticks}
        self._forming = dict(forming)

    def put(self, instruments: Iterable[Instrument], now: datetime) -> list[Standing]:
        """Take over what instruments are now, and return those that are new or changed."""
        changed = []
        for instrument in instruments:
            known = self._standings.get(instrument.id)
            if known is None or known.instrument.version < instrument.version:
                changed.append(self._judge(instrument, now))
        return changed

    def preview(self, instrument: Instrument, now: datetime) -> Standing:
        """Return how an instrument would stand, without showing it."""
        return self._judged(instrument, None, now)

    def judge(self, now: datetime) -> list[Standing]:
        """Judge every market anew, and return those whose status or sessions changed."""
        changed = []
        for known in list(self._standings.values()):
            found = self._judged(known.instrument, known, now)
            if found != known:
                changed.append(self._place(found))
        return changed

    def record(self, batch: Batch, forming: Mapping[tuple[int, int], Candle | None]) -> Ticks:
        """Show a batch that was stored; return its ticks that count."""
        counted = Ticks(tuple(tick for tick in batch.ticks if not tick.late))
        for tick in counted.ticks:
            self._last_ticks[tick.instrument_id] = tick
        self._forming.update(forming)
        self.watermark = Watermark(batch.watermark, batch.heartbeat or self.feed_time)
        if counted.ticks:
            self._tell(counted)
            self._tell_tick_watchers(counted)
        return counted

    def beat(self) -> Watermark | None:
        """Tell the watchers how far the record has come."""
        if self.watermark is not None:
            self._tell(self.watermark)
        return self.watermark

    @contextmanager
    def watch(self) -> Iterator[Subscription]:
        """Lend a subscription to everything."""
        subscription = Subscription()
        self._watchers.add(subscription)
        try:
            yield subscription
        finally:
            self._watchers.discard(subscription)

    @contextmanager
    def watch_ticks(self, instrument_ids: Iterable[int]) -> Iterator[Subscription]:
        """Lend a subscription to the ticks of some instruments."""
        subscription = Subscription()
        ids = set(instrument_ids)
        for instrument_id in ids:
            self._tick_watchers.setdefault(instrument_id, set()).add(subscription)
        try:
            yield subscription
        finally:
            for instrument_id in ids:
                self._tick_watchers[instrument_id].discard(subscription)

    def _judge(self, instrument: Instrument, now: datetime) -> Standing:
        return self._place(self._judged(instrument, None, now))

    def _judged(self, instrument: Instrument, known: Standing | None, now: datetime) -> Standing:
        sessions = known.sessions if known and _valid(known, now) else None
        if sessions is None:
            sessions = upcoming(instrument.schedule, now)
        status = market_status(
            instrument, sessions, self.last_tick(instrument.id), self.feed_time, now
        )
        opens = None
        if status is MarketStatus.CLOSED:
            opens = known.next_open_time if known and sessions is known.sessions else None
            opens = opens or next_open(instrument.schedule, now)
        return Standing(instrument, status, sessions, opens)

    def _place(self, standing: Standing) -> Standing:
        self._standings[standing.instrument.id] = standing
        self._by_symbol[standing.instrument.symbol] = standing.instrument.id
        self._tell(standing)
        return standing

    def _tell(self, change: Change) -> None:
        for watcher in self._watchers:
            watcher.offer(change)

    def _tell_tick_watchers(self, stored: Ticks) -> None:
        addressed: dict[Subscription, list[Tick]] = {}
        for tick in stored.ticks:
            for watcher in self._tick_watchers.get(tick.instrument_id, ()):
                addressed.setdefault(watcher, []).append(tick)
        for watcher, ticks in addressed.items():
            watcher.offer(Ticks(tuple(ticks)))


def _order(standing: Standing) -> tuple[int, str]:
    return standing.instrument.definition.position, standing.instrument.symbol


def _valid(known: Standing, now: datetime) -> bool:
    """Tell whether the sessions found earlier are still those of the next seven days.

    They change when one closes. That another one comes within reach is noticed then as well, or
    with the first session to open: so a list never lacks what an order could need.
    """
    ends = [session.close_time for session in known.sessions if session.close_time]
    return bool(known.sessions) and (not ends or now < ends[0])
