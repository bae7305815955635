"""The hub of prices: ticks and candles, to whoever follows them.

Prices are public and only the latest counts, so they come by plain publish and may be lost; what
an outage of Redis swallowed is made good by asking quotes again when it is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from datetime import datetime

import structlog

from edge.stream import frame
from edge.stream.channel import CandleChannel, TickChannel
from edge.stream.instrument import CANDLES_KEPT, CandleLine, Later, Line, TickLine
from edge.stream.listener import Listener
from edge.stream.neighbours import MarketSource
from services.kit.errors import Failure
from services.kit.tasks import end_tasks
from services.kit.wire import to_datetime
from veritick.quotes.v1.instrument_pb2 import Tick
from veritick.quotes.v1.market_data_service_pb2 import Watermark

PriceChannel = TickChannel | CandleChannel
_RETRY_SECONDS = 1.0
_HELD_MAX = 2_000
_log = structlog.stdlib.get_logger()


class Instrument:
    """What is followed of one instrument."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.ticks = TickLine(symbol)
        self.candles: dict[int, CandleLine] = {}
        self.holders = 0
        self.opening: asyncio.Task[None] | None = None
        self.renewing: asyncio.Task[None] | None = None
        self.seeding: dict[int, asyncio.Task[None]] = {}
        self.seen: list[Tick] = []
        """Ticks that came while candles were asked for; folded into them after."""

    def extend(self, ticks: Sequence[Tick]) -> None:
        """Take ticks that were published; those not later than the last are dropped."""
        last = self.ticks.sequence
        new = [tick for tick in ticks if tick.number > last]
        if not new:
            return
        if self.seeding:
            self.seen = (self.seen + new)[-_HELD_MAX:]
        self.ticks.extend(new)
        for line in self.candles.values():
            if line.seeded:
                line.extend(new)

    def line(self, channel: PriceChannel) -> Line:
        """Return the channel's line, which is held."""
        if isinstance(channel, TickChannel):
            return self.ticks
        return self.candles[channel.interval_seconds]

    def lines(self) -> Iterable[Line]:
        """Return the channels that have listeners."""
        lines: list[Line] = [self.ticks, *self.candles.values()]
        return [line for line in lines if line.listeners]


class Market:
    """Follows prices on behalf of sockets."""

    def __init__(self, source: MarketSource, later: Later) -> None:
        """Ask `source` for what was before."""
        self._source = source
        self._later = later
        self._instruments: dict[str, Instrument] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.feed_time: datetime | None = None
        """When the feed was last heard, as the last watermark said."""

    # What sockets ask.

    async def follow(self, channel: PriceChannel, listener: Listener) -> None:
        """Send a listener the present state, then what changes, until `unfollow`.

        Failure UNKNOWN_CHANNEL, UNAVAILABLE or DEADLINE_EXCEEDED, and then nothing is followed.
        """
        instrument = self._hold(channel)
        line = instrument.line(channel)
        try:
            await self._open_once(instrument)
            if isinstance(line, CandleLine):
                await self._seed_once(instrument, line)
        except BaseException:
            self._let_go(instrument, line)
            raise
        listener.deliver(frame.subscribed(line.name, line.sequence))
        if (state := line.snapshot()) is not None:
            listener.deliver(state)
        line.listeners[listener] = None

    def unfollow(self, channel: PriceChannel, listener: Listener) -> None:
        """Send a listener that was following nothing more."""
        instrument = self._instruments[channel.symbol]
        line = instrument.line(channel)
        line.listeners.pop(listener, None)
        listener.forget(line)
        self._let_go(instrument, line)

    def sequence(self, channel: PriceChannel) -> int:
        """Return where a channel that is followed stands."""
        return self._instruments[channel.symbol].line(channel).sequence

    # What Redis brings.

    def wants(self, symbol: str) -> bool:
        """Whether anybody follows an instrument: other ticks need not even be decoded."""
        return symbol in self._instruments

    def receive(self, symbol: str, ticks: Sequence[Tick]) -> None:
        """Take ticks that were published together."""
        if instrument := self._instruments.get(symbol):
            instrument.extend([tick for tick in ticks if tick.instrument == symbol])

    def heard(self, watermark: Watermark) -> None:
        """Learn when the feed was last heard."""
        if watermark.HasField("feed_time"):
            self._heard_at(to_datetime(watermark.feed_time))

    def check(self) -> None:
        """Ask quotes about everything that is followed: ticks may have been lost."""
        for instrument in self._instruments.values():
            if instrument.renewing is None:
                instrument.renewing = self._spawn(self._renew(instrument))

    def heartbeat_lines(self) -> Iterable[Line]:
        """Return the channels that have listeners."""
        return [line for item in self._instruments.values() for line in item.lines()]

    async def close(self) -> None:
        """Stop asking and sending."""
        for instrument in self._instruments.values():
            for line in instrument.candles.values():
                line.stop()
        await end_tasks(self._tasks)

    # Opening channels: once for all who ask at the same time.

    async def _open_once(self, instrument: Instrument) -> None:
        if instrument.opening is None or _failed(instrument.opening):
            instrument.opening = self._spawn(self._open(instrument))
        await asyncio.shield(instrument.opening)

    async def _open(self, instrument: Instrument) -> None:
        market = await self._source.market(instrument.symbol)
        if market.HasField("feed_time"):
            self._heard_at(to_datetime(market.feed_time))
        if market.HasField("last_tick"):
            instrument.extend([market.last_tick])

    async def _seed_once(self, instrument: Instrument, line: CandleLine) -> None:
        if not line.seeded:
            await self._seeding(instrument, line)

    async def _seeding(self, instrument: Instrument, line: CandleLine) -> None:
        task = instrument.seeding.get(line.interval_seconds)
        if task is None:
            task = self._spawn(self._seed(instrument, line))
            instrument.seeding[line.interval_seconds] = task
        await asyncio.shield(task)

    async def _seed(self, instrument: Instrument, line: CandleLine) -> None:
        """Fetch candles, and fold in the ticks that came meanwhile.

        A tick that came meanwhile and is in the fetched candle already changes none of its prices,
        and may count twice in its number of ticks.
        """
        interval = line.interval_seconds
        known = instrument.ticks.last
        try:
            candles = await self._source.candles(instrument.symbol, interval, CANDLES_KEPT)
            number = known.number if known else 0
            line.seed(candles, known.price.scale if known else 0, number)
            if later := [tick for tick in instrument.seen if tick.number > number]:
                line.extend(later)
        finally:
            instrument.seeding.pop(interval, None)
            if not instrument.seeding:
                instrument.seen = []

    # After an outage, and during one.

    async def _renew(self, instrument: Instrument) -> None:
        try:
            await self._open(instrument)
            for line in list(instrument.candles.values()):
                if line.seeded:
                    await self._seeding(instrument, line)
                    line.resend()
        except Failure as failure:
            _log.info("prices wait", symbol=instrument.symbol, reason=failure.reason)
            await asyncio.sleep(_RETRY_SECONDS)
            instrument.renewing = self._spawn(self._renew(instrument))
        else:
            instrument.renewing = None

    # Who keeps what.

    def _hold(self, channel: PriceChannel) -> Instrument:
        instrument = self._instruments.get(channel.symbol)
        if instrument is None:
            instrument = self._instruments[channel.symbol] = Instrument(channel.symbol)
        instrument.holders += 1
        if isinstance(channel, CandleChannel):
            interval = channel.interval_seconds
            if interval not in instrument.candles:
                line = CandleLine(channel.symbol, interval, self._later)
                instrument.candles[interval] = line
            instrument.candles[interval].holders += 1
        return instrument

    def _let_go(self, instrument: Instrument, line: Line) -> None:
        if isinstance(line, CandleLine):
            line.holders -= 1
            if line.holders == 0:
                line.stop()
                del instrument.candles[line.interval_seconds]
        instrument.holders -= 1
        if instrument.holders == 0:
            del self._instruments[instrument.symbol]
            if instrument.renewing:
                instrument.renewing.cancel()

    def _heard_at(self, time: datetime) -> None:
        self.feed_time = max(self.feed_time, time) if self.feed_time else time

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        _failed(task)


def _failed(task: asyncio.Task[None]) -> bool:
    """Whether a task has failed; asking also says that its failure has been seen."""
    return task.done() and (task.cancelled() or task.exception() is not None)
