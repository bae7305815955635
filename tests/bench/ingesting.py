"""Q1: ticks from a feed's frames to the commit, candles and all, beside COPY of the same rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import perf_counter

import orjson
import psycopg

from services.kit.clock import SystemClock
from services.kit.database import Database
from services.kit.ids import uuid7
from services.kit.journal import Journal
from services.kit.leader import Leadership, Term
from services.quotes import partitions, wire
from services.quotes.app import JOURNAL
from services.quotes.catalogue import Catalogue
from services.quotes.feeds import Hear
from services.quotes.ingest import Habits, Ingestor
from services.quotes.instrument import Definition
from services.quotes.instruments import LEADERSHIP
from services.quotes.market import LiveMarket, Ticks, Watermark
from services.quotes.packet import Veritick
from services.quotes.seed import seed_instruments
from tests.bench.rows import Row, side_by_side
from tests.stores import Postgres

TICKS = 60_000
IN_FLIGHT_MAX = 20_000
"""Frames handed over and not yet committed."""

_AT_ONCE = 200
"""Frames between two looks at anything else, as from one read of a busy socket."""

_AHEAD = timedelta(minutes=5)
"""By how much the source's clock is ahead: on a slow machine no tick is late, and all count."""

_CANDLES_SECONDS = 2.5
_PATIENCE_SECONDS = 60
_COLUMNS = "tick (instrument_id, number, time, price, source_time, late)"


async def q1(postgres: Postgres, folder: Path) -> Row:
    """Measure the whole ingestor, from frames on, beside COPY of what it stored."""
    with postgres.database("quotes") as ours, postgres.database("quotes") as theirs:
        await prepare_days(theirs.owner)
        async with ingesting(ours.service, seed_instruments()) as feed:

            async def copy() -> float:
                return await _copied(ours.owner, theirs.owner)

            left, right = await side_by_side(feed.ticks_per_second, copy)
            await _require_candles(ours.owner)
    title = "ticks ingested and committed with their candles, beside COPY of the same rows"
    return Row("Q1", title, "ticks/s", left, right, goal=0.3, stretch=0.5)


@dataclass
class Firehose:
    """A feed that says as much as is taken; and the audience that hears of it when it is stored."""

    symbols: Sequence[str]
    clock: SystemClock = field(default_factory=SystemClock)
    stored: int = 0
    connected: bool = True

    def __post_init__(self) -> None:
        self._frames: asyncio.Queue[list[str]] = asyncio.Queue()
        self._progress = asyncio.Event()
        self._said = 0

    async def ticks_per_second(self, ticks: int = TICKS) -> float:
        """Say so many ticks and wait until the last is committed."""
        frames = [self._frame(number) for number in range(ticks)]
        aim = self.stored + ticks
        began = perf_counter()
        self._frames.put_nowait(frames)
        while self.stored < aim:
            await self._until_progress()
        return ticks / (perf_counter() - began)

    # What the ingestor asks of a feed.

    def stream_of(self, feed_symbol: str) -> str | None:
        """Symbols are what packets call them."""
        return feed_symbol

    def subscribe(self, feed_symbols: frozenset[str]) -> None:
        """It says everything anyway."""

    async def run(self, hear: Hear) -> None:
        """Hand over what is to be said, parsed, and never too far ahead."""
        conversation = Veritick().conversation()
        while True:
            frames = await self._frames.get()
            for start in range(0, len(frames), _AT_ONCE):
                while self._said - self.stored > IN_FLIGHT_MAX:
                    await self._until_progress()
                for frame in frames[start : start + _AT_ONCE]:
                    hear(conversation.read(frame))
                self._said += _AT_ONCE
                await asyncio.sleep(0)

    # What the ingestor tells its audience.

    def ticks(self, stored: Ticks) -> None:
        """Count what was stored."""
        self.stored += len(stored.ticks)
        self._progress.set()

    def watermark(self, watermark: Watermark) -> None:
        """Nothing to do."""

    async def _until_progress(self) -> None:
        self._progress.clear()
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await self._progress.wait()

    def _frame(self, number: int) -> str:
        tick = {
            "type": "tick",
            "symbol": self.symbols[number % len(self.symbols)],
            "number": number,
            "price": f"{10_000 + number * 7 % 1_999}.{number % 100:02}",
            "time": (self.clock.now() + _AHEAD).isoformat(),
        }
        return orjson.dumps(tick).decode()


@asynccontextmanager
async def ingesting(dsn: str, definitions: Sequence[Definition]) -> AsyncIterator[Firehose]:
    """Lend a feed that an ingestor with these instruments listens to."""
    clock, market = SystemClock(), LiveMarket()
    feed = Firehose([definition.feed_symbol for definition in definitions])
    async with Database(dsn, name="quotes") as database:
        journal = Journal(JOURNAL, database)
        catalogue = Catalogue(database, market, journal, wire.instrument_changed, clock)
        ingestor = Ingestor(database, catalogue, market, feed, feed, clock, Habits())
        catalogue.changed = ingestor.follow

        async def lead(term: Term) -> None:
            await catalogue.seed(definitions)
            await ingestor.lead(term)

        leading = asyncio.create_task(Leadership(database, LEADERSHIP, clock, uuid7).run(lead))
        try:
            yield feed
        finally:
            leading.cancel()
            await asyncio.wait({leading})


async def prepare_days(url: str) -> None:
    """Make the partitions of today and tomorrow, as the owner."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        today = SystemClock().now().date()
        await partitions.create(connection, [today, today + timedelta(days=1)])


async def _copied(source: str, target: str) -> float:
    """COPY the rows that were stored last, ready as text, in one transaction."""
    async with (
        await psycopg.AsyncConnection.connect(source) as reading,
        await psycopg.AsyncConnection.connect(target) as writing,
    ):
        newest = f"(SELECT * FROM tick ORDER BY time DESC, instrument_id LIMIT {TICKS})"
        async with reading.cursor().copy(f"COPY {newest} TO STDOUT") as lines:
            text = b"".join([bytes(line) async for line in lines])
        began = perf_counter()
        async with writing.cursor().copy(f"COPY {_COLUMNS} FROM STDIN") as copy:
            await copy.write(text)
        await writing.commit()
        return TICKS / (perf_counter() - began)


async def _require_candles(url: str) -> None:
    """See that the candles hold exactly the ticks that were stored, once their second is over."""
    await asyncio.sleep(_CANDLES_SECONDS)
    counts = (
        "SELECT (SELECT count(*) FROM tick), "
        "(SELECT coalesce(sum(ticks), 0) FROM candle WHERE width_seconds = 1)"
    )
    async with await psycopg.AsyncConnection.connect(url) as connection:
        found = await (await connection.execute(counts)).fetchone()
    if found is None or found[0] != found[1]:
        raise RuntimeError(f"ticks, and ticks in candles: {found}")
