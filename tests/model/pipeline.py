"""From ticks to receipts in one process: the record of quotes, a book, and settlement, all real.

What they do they do against real databases and over real calls; only time is a test's. Each of them
can die, again and again, and is put together anew from what it has stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from services.kit.channels import Channels
from services.kit.clock import SystemClock
from services.kit.database import Database
from services.kit.errors import Failure
from services.kit.failpoints import PLACES, FailpointError, arm
from services.kit.ids import uuid7
from services.kit.journal import Journal
from services.kit.tokens import Keyring
from services.local.keys import ensure_keys
from services.quotes import wire
from services.quotes.catalogue import Catalogue
from services.quotes.fixings import Fixings
from services.quotes.market import LiveMarket
from services.quotes.openings import Openings
from services.quotes.rpc import FixingFace
from services.quotes.seed import seed_instruments
from services.settlement.app import Workshop
from services.settlement.market_time import MarketTime
from services.settlement.neighbours import Quotes, Trading
from services.settlement.receipts import Proof, Receipts
from services.trading.desk import Desk
from services.trading.order import OrderRequest
from services.trading.placing import Placed
from services.trading.service_rpc import BookFace
from tests.service.settlement_world import served
from tests.service.trading_fixtures import START, Market, desk_on, leading
from tests.stores import Postgres
from tests.waiting import eventually
from veritick.quotes.v1.fixing_service_pb2_grpc import add_FixingServiceServicer_to_server
from veritick.trading.v1.book_service_pb2_grpc import add_BookServiceServicer_to_server

SYMBOLS = ("BTCUSD", "ETHUSD")
LIMITS: dict[str, Any] = {"open_orders_max": 10**6, "exposure_max": 10**12}
DEADLY = tuple(place for place in PLACES if place.startswith(("writer.", "worker.")))
"""Where a book's writer, or settlement's worker, dies."""

_AGAIN_SECONDS = 0.01
_PAGE = 500


class Heard(NamedTuple):
    """A tick as quotes recorded it."""

    symbol: str
    number: int
    time: datetime
    price: int
    late: bool


@dataclass
class Dying:
    """Deaths of whoever gets to a deadly place, as chance has it, up to so many."""

    remaining: int = 0
    count: int = 0

    def begin(self, deaths: int, seed: int, chance: str) -> None:
        """Let the next ones who come there die."""
        self.remaining = deaths
        arm(";".join(f"{place}=error@{chance}" for place in DEADLY) if deaths else "", seed)

    async def survive(self, live: Callable[[], Awaitable[object]]) -> None:
        """Live as many lives as it takes, for ever."""
        while True:
            try:
                await live()
            except FailpointError:
                self.count += 1
                self.remaining -= 1
                if self.remaining <= 0:
                    arm("", None)


@dataclass
class Pipeline:
    """Quotes' record, a book and settlement."""

    market: Market
    record: str
    """DSN of the owner of quotes' database, who writes the record instead of an ingestor."""

    book: Database
    receipts: Receipts
    time: MarketTime
    desks: dict[str, Desk] = field(default_factory=dict)
    dying: Dying = field(default_factory=Dying)

    @property
    def desk(self) -> Desk:
        """The book as it lives now."""
        return self.desks["demo"]

    def hear(self, ticks: Sequence[Heard]) -> None:
        """Put ticks on record, in this order."""
        with psycopg.connect(self.record) as connection:
            connection.cursor().executemany(
                "INSERT INTO tick SELECT id, %s, %s, %s, NULL, %s FROM instrument"
                " WHERE symbol = %s",
                [(*tick[1:], tick.symbol) for tick in ticks],
            )

    def beat(self, moments: Sequence[datetime]) -> None:
        """Put on record when the feed was heard."""
        with psycopg.connect(self.record) as connection:
            insert = "INSERT INTO heartbeat VALUES (%s)"
            connection.cursor().executemany(insert, [(moment,) for moment in moments])

    def know(self, watermark: datetime) -> None:
        """Let everything up to a moment be known, and settlement hear that."""
        with psycopg.connect(self.record) as connection:
            connection.execute("UPDATE run SET watermark = %s", [watermark])
        self.time.advance(watermark)

    async def persist(self, request: OrderRequest) -> Placed:
        """Ask for an order until the answer is definite, as traders do."""
        while True:
            try:
                placed: Placed = await self.desk.writer.submit(request)
            except Failure:
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                return placed

    async def settled(self, receipts: int) -> None:
        """Wait until there are so many receipts."""

        async def there() -> bool:
            return (await self.receipts.after("demo", receipts, 1))[1] >= receipts

        await eventually(there)

    async def proofs(self) -> list[Proof]:
        """Return the whole chain of receipts."""
        found: list[Proof] = []
        while page := (await self.receipts.after("demo", len(found), _PAGE))[0]:
            found += page
        return found

    async def balances(self, accounts: Sequence[UUID]) -> list[tuple[int, int]]:
        """Return what accounts have, and how many orders they have open."""
        found = [await self.desk.book.account(account) for account in accounts]
        return [(account.posted, account.open_orders) for account in found if account]


@asynccontextmanager
async def pipeline(postgres: Postgres, folder: Path) -> AsyncIterator[Pipeline]:
    """Run all of it within the block."""
    ensure_keys(folder)
    async with AsyncExitStack() as stack:
        accesses = {
            name: stack.enter_context(postgres.database(name))
            for name in ("quotes", "trading_demo", "settlement")
        }
        databases = {
            name: await stack.enter_async_context(Database(access.service, name=name))
            for name, access in accesses.items()
        }
        time = MarketTime(SystemClock())
        chain = Receipts(databases["settlement"])
        market = Market(*SYMBOLS)
        owner = accesses["quotes"].owner
        running = Pipeline(market, owner, databases["trading_demo"], chain, time)
        fixings = await _fixings(databases["quotes"], owner, market)
        book = BookFace(running.desks)
        quotes = await stack.enter_async_context(
            served("quotes", folder, [(add_FixingServiceServicer_to_server, fixings)])
        )
        trading = await stack.enter_async_context(
            served("trading", folder, [(add_BookServiceServicer_to_server, book)])
        )
        channels = Channels(Keyring.load(folder, "settlement"), SystemClock())
        asked = Quotes(await stack.enter_async_context(channels.to("quotes", quotes)))
        told = await stack.enter_async_context(channels.to("trading", trading))

        async def write() -> None:
            running.desks["demo"] = desk = desk_on(running.book, market, **LIMITS)
            async with leading(desk) as writing:
                await writing

        async def settle() -> None:
            workshop = Workshop(
                databases["settlement"], time, asked, Trading(told), SystemClock(), uuid7
            )
            await workshop.worker("demo").run()

        lives = [asyncio.create_task(running.dying.survive(live)) for live in (write, settle)]
        try:
            await eventually(lambda: "demo" in running.desks and running.desk.ready())
            yield running
        finally:
            arm("", None)
            for life in lives:
                life.cancel()
            await asyncio.wait(lives)


async def _fixings(database: Database, owner: str, market: Market) -> FixingFace:
    """Return quotes' face over an empty record in which the instruments were always there."""
    live, journal = LiveMarket(), Journal("quotes", database)
    catalogue = Catalogue(database, live, journal, wire.instrument_changed, market.clock)
    wanted = [item for item in seed_instruments() if item.symbol in SYMBOLS]
    await catalogue.seed([replace(item, price_scale=2) for item in wanted])
    with psycopg.connect(owner) as connection:
        for day in (START.date(), START.date() + timedelta(days=1)):
            connection.execute("SELECT partition_create(%s)", [day])
        connection.execute(
            "INSERT INTO run (epoch, start_time, watermark, gap_reason)"
            " VALUES (1, %s, %s, 'START')",
            [START, START],
        )
    return FixingFace(live, Fixings(database), Openings(database))
