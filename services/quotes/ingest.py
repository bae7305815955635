"""The ingestor: hears the feed, stores what it heard, and only then shows it.

It leads in terms, and each term consists of runs. A run ends, and leaves a gap in the record, when
market time was lost: the process was not there, stood still, or its clock jumped. A new run begins
from what is stored, so nothing that was not committed lives on.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import structlog

from services.kit.clock import Clock
from services.kit.database import CommitUnknown, Database, DatabaseUnavailable
from services.kit.errors import Failure
from services.kit.failpoints import reached
from services.kit.leader import Term
from services.quotes import candles, metrics, ticks
from services.quotes.candle import HOUR, MINUTE, Candle, start_of
from services.quotes.catalogue import Catalogue
from services.quotes.feeds import Feed
from services.quotes.market import LiveMarket, Ticks, Watermark
from services.quotes.packet import Complaint, MalformedPacket, Packet, Quote, Welcome
from services.quotes.record import Batch, Record, Run
from services.quotes.timeline import Timeline, Vigil, forming_candles, minute_of
from services.quotes.together import together

WATERMARK_EVERY = timedelta(milliseconds=100)
_LOOK_SECONDS = 0.05
_RETRY_SECONDS = 0.05
_WAITING_MAX = 200_000
_WELCOMES_MAX = 100
_START = "START"
_log = structlog.stdlib.get_logger()


class Audience(Protocol):
    """Who is told what was stored."""

    def ticks(self, stored: Ticks) -> None:
        """Tell ticks that were just stored."""

    def watermark(self, watermark: Watermark) -> None:
        """Tell how far the record has come."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How the ingestor goes about it."""

    gather: timedelta = timedelta(milliseconds=10)
    """How long ticks wait for others, to be stored together."""

    heed_recordings: bool = False
    """Whether a feed may declare that it replays a recording, and so open markets."""


class Ingestor:
    """Hears one feed, as the only one to do so."""

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        market: LiveMarket,
        feed: Feed,
        audience: Audience,
        clock: Clock,
        habits: Habits,
    ) -> None:
        """Store what `feed` says, and show it on `market` and to `audience`."""
        self._database = database
        self._record = Record(database)
        self._catalogue = catalogue
        self._market = market
        self._feed = feed
        self._audience = audience
        self._clock = clock
        self._habits = habits
        self._timeline: Timeline | None = None
        self._vigil = Vigil(clock)
        self._gap: str | None = None
        self._begun = asyncio.Event()
        self._heard = asyncio.Event()
        self._recordings: asyncio.Queue[frozenset[str]] = asyncio.Queue(_WELCOMES_MAX)
        self._beat_at = 0.0

    @property
    def running(self) -> bool:
        """Whether a run is in progress and its first watermark is stored."""
        return self._timeline is not None and self._market.watermark is not None

    async def lead(self, term: Term) -> None:
        """Ingest for a term. Errors: LeadershipLost, DatabaseUnavailable; then nothing is kept."""
        self._gap = None
        self._begun.clear()
        try:
            await together(
                self._ingest(term),
                self._listen(),
                self._look(),
                self._heed_recordings(),
            )
        finally:
            self._timeline = None

    def follow(self) -> None:
        """Take over what instruments are now; call it when they changed."""
        instruments = self._market.instruments()
        self._feed.subscribe(frozenset(i.definition.feed_symbol for i in instruments))
        if self._timeline is not None:
            self._timeline.follow(instruments)

    async def _listen(self) -> None:
        """Hear the feed once there is a run to hear it for, so that no tick of it is lost."""
        await self._begun.wait()
        await self._feed.run(self._hear)

    async def _look(self) -> None:
        while True:
            self._lost()
            metrics.FEED_CONNECTED.set(self._feed.connected)
            await asyncio.sleep(_LOOK_SECONDS)

    def _lost(self) -> str | None:
        """Look at the clock, and tell why this run can not go on, if it can not."""
        lost = self._vigil.look()
        if lost and self._timeline is not None:
            self._gap = self._gap or lost
        return self._gap

    def _hear(self, packet: Packet) -> None:
        """Take one packet of the feed. Whatever it holds, this goes on."""
        timeline = None if self._lost() else self._timeline
        now = self._vigil.wall
        try:
            if isinstance(packet, Welcome):
                self._greet(packet)
            elif isinstance(packet, Complaint):
                metrics.COMPLAINTS.inc()
                _log.warning("the feed complains", message=packet.message)
            elif isinstance(packet, Quote) and timeline and not timeline.add(packet, now):
                metrics.UNLISTED.inc()
        except MalformedPacket:
            metrics.MALFORMED.inc()
            return
        if timeline:
            timeline.hear(now)
            if timeline.waiting:
                self._heard.set()

    def _greet(self, welcome: Welcome) -> None:
        if not self._recordings.full():
            self._recordings.put_nowait(welcome.recordings)

    async def _ingest(self, term: Term) -> None:
        reason = _START
        while True:
            run = await self._begin(term, reason)
            _log.info("run begins", run=run.id, start=run.start_time.isoformat(), reason=reason)
            timeline = self._timeline = await self._loaded(run)
            self._vigil.look()
            self.follow()
            self._begun.set()
            reason = await self._go_on(term, run, timeline)
            self._timeline, self._gap = None, None
            metrics.GAPS.labels(reason).inc()
            _log.warning("market time was lost", reason=reason, run=run.id)

    async def _begin(self, term: Term, reason: str) -> Run:
        """Begin a run as soon as the clock is past what is known already."""
        await self._catalogue.refresh()
        while True:
            run = await self._record.begin(term, self._clock.now(), reason)
            if run is not None:
                return run
            await asyncio.sleep(_RETRY_SECONDS)

    async def _loaded(self, run: Run) -> Timeline:
        """Return a timeline that goes on from what is stored."""
        # Candles still in progress began in the hour of the last tick, whenever that was.
        async with self._database.raw() as connection:
            heads = await ticks.heads(connection, run.start_time)
            times = [head.time for head in heads.values() if head.time]
            forming: dict[tuple[int, int], Candle] = {}
            if times:
                last = max(times)
                minute, hour = minute_of(last), start_of(last, HOUR)
                minutes = await candles.real_since(connection, MINUTE, hour, minute)
                recent = await ticks.since(connection, minute)
                forming = forming_candles(recent, candles.hour_so_far(minutes, last))
        last_ticks = [head.last_tick for head in heads.values() if head.last_tick]
        self._market.begin(last_ticks, forming)
        instruments = self._market.instruments()
        return Timeline(run.start_time, instruments, heads, forming, self._feed.stream_of)

    async def _go_on(self, term: Term, run: Run, timeline: Timeline) -> str:
        """Store batch after batch; return why the run ends."""
        while True:
            await self._gather()
            if lost := self._lost():
                return lost
            if timeline.waiting > _WAITING_MAX:
                return "OVERFLOW"
            began = self._clock.monotonic()
            # As it was looked at just now: a clock that jumps here is noticed at the next look.
            batch = timeline.cut(self._vigil.wall)
            reached("ingest.before_store")
            run = await self._stored(term, run, batch)
            reached("ingest.after_store")
            metrics.FLUSH_SECONDS.observe(self._clock.monotonic() - began)
            self._show(batch, timeline)

    async def _gather(self) -> None:
        """Wait until there are ticks, and a little longer for others, or for the watermark."""
        due = self._beat_at + WATERMARK_EVERY.total_seconds() - self._clock.monotonic()
        try:
            async with asyncio.timeout(max(due, 0)):
                await self._heard.wait()
                await asyncio.sleep(self._habits.gather.total_seconds())
        except TimeoutError:
            pass
        self._heard.clear()

    async def _stored(self, term: Term, run: Run, batch: Batch) -> Run:
        """Store a batch, as often as it takes; the term ends if it takes too long."""
        while True:
            try:
                return await self._record.store(term, run, batch)
            except CommitUnknown:
                found = await self._resolved(run, batch)
                if found.batches > run.batches:
                    return found
            except DatabaseUnavailable as error:
                _log.warning("a batch waits for the database", reason=str(error))
                await asyncio.sleep(_RETRY_SECONDS)

    async def _resolved(self, run: Run, batch: Batch) -> Run:
        while True:
            try:
                return await self._record.resolve(run, batch)
            except DatabaseUnavailable:
                await asyncio.sleep(_RETRY_SECONDS)

    def _show(self, batch: Batch, timeline: Timeline) -> None:
        changed = {tick.instrument_id for tick in batch.ticks}
        changed |= {instrument_id for instrument_id, _, _ in batch.candles}
        forming = {
            (instrument_id, width): candle
            for instrument_id in changed
            for width, candle in timeline.forming(instrument_id)
        }
        stored = self._market.record(batch, forming)
        metrics.TICKS.inc(len(batch.ticks))
        metrics.LATE.inc(len(batch.ticks) - len(stored.ticks))
        if stored.ticks:
            self._audience.ticks(stored)
            delay = self._clock.now() - batch.ticks[0].time
            metrics.DELAY_SECONDS.observe(delay.total_seconds())
        if self._clock.monotonic() - self._beat_at >= WATERMARK_EVERY.total_seconds():
            self._beat_at = self._clock.monotonic()
            if watermark := self._market.beat():
                self._audience.watermark(watermark)

    async def _heed_recordings(self) -> None:
        """Open the instruments whose feed replays a recording around the clock, and only those."""
        while True:
            recordings = await self._recordings.get()
            if not self._habits.heed_recordings:
                continue
            try:
                await self._catalogue.mark_recorded(recordings)
            except Failure as failure:
                # Staff changed an instrument at the same time: theirs first, then this again.
                _log.info("recordings are marked again", reason=str(failure))
                self._greet(Welcome(recordings))
