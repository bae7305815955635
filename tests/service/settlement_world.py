"""Settlement between a real book and quotes that a test scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from google.protobuf.json_format import MessageToDict
from pydantic import SecretStr

from services.kit.channels import Channels, failure_of
from services.kit.clock import SystemClock
from services.kit.ids import scoped
from services.kit.process import Application, Face, serving
from services.kit.settings import ServiceSettings
from services.kit.tokens import Keyring
from services.local.databases import Access
from services.settlement.app import build
from services.settlement.settings import Settings
from services.trading.app import faces
from services.trading.order import Direction, Outcome
from services.trading.service_rpc import BookFace
from tests.service.settlement_rpc import (
    Script,
    ScriptedFixings,
    ScriptedMarket,
    WatchedBook,
)
from tests.service.trading_fixtures import SYMBOL, Bench
from tests.waiting import PATIENCE_SECONDS
from veritick.quotes.v1.fixing_service_pb2_grpc import (
    add_FixingServiceServicer_to_server,
)
from veritick.quotes.v1.market_data_service_pb2_grpc import (
    add_MarketDataServiceServicer_to_server,
)
from veritick.settlement.v1.receipt_service_pb2 import GetReceiptRequest
from veritick.settlement.v1.receipt_service_pb2_grpc import ReceiptServiceStub
from veritick.trading.v1.book_service_pb2_grpc import add_BookServiceServicer_to_server

if TYPE_CHECKING:
    from veritick.settlement.v1.receipt_service_pb2_grpc import ReceiptServiceAsyncStub

_BOOKED = ("account", "entry", "open_order", "closed_order")

ENTRY = 10_000
"""The price at which orders open, unless a test says otherwise."""


@dataclass
class World:
    """A book, scripted quotes, and the database of settlement."""

    bench: Bench
    book: WatchedBook
    script: Script
    access: Access
    book_access: Access
    keys: Path
    quotes_address: str = ""
    trading_address: str = ""

    async def order(self, direction: Direction = Direction.UP, **changes: Any) -> str:
        """Place an order of a new account, and return its id."""
        account = await self.bench.account()
        placed = await self.bench.place(account, direction=direction, **changes)
        return scoped("demo", placed.booked.order.order_id)

    def expiry(self, seconds: int = 10) -> datetime:
        """Return when an order of so many seconds expires: rounded up to the second."""
        moment = self.bench.market.clock.now() + timedelta(seconds=seconds)
        return moment.replace(microsecond=0) + timedelta(seconds=bool(moment.microsecond))

    def fix(self, price: int, at: datetime, symbol: str = SYMBOL) -> None:
        """Let quotes know a price at a moment."""
        self.script.prices[symbol, at] = price

    def pass_to(self, moment: datetime) -> None:
        """Let time pass, for the market and in the watermark."""
        clock = self.bench.market.clock
        clock.advance(moment - clock.now())
        self.script.watermark = moment

    def rows(self, query: str) -> list[Any]:
        """Look into settlement's database."""
        with psycopg.connect(self.access.owner) as connection:
            return connection.execute(query.encode()).fetchall()

    async def until(self, query: str, expected: object) -> None:
        """Wait until a query for one value answers this one."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.rows(query)[0][0] != expected:
                await asyncio.sleep(0.05)

    async def outcomes(self) -> dict[str, str]:
        """Return how orders closed, by the book's own word."""
        async with self.bench.desk.book.database.raw() as connection:
            rows = await connection.execute("SELECT order_id, outcome FROM closed_order")
            return {scoped("demo", row[0]): Outcome(row[1]).name for row in await rows.fetchall()}

    async def asked(self, call: str, times: int) -> None:
        """Wait until a neighbour was called so many times more."""
        calls = self.book.calls if call in {"ListDueOrders", "SettleOrders"} else self.script.calls
        before = calls[call]
        async with asyncio.timeout(PATIENCE_SECONDS):
            while calls[call] < before + times:
                await asyncio.sleep(0.01)

    def restore_book(self) -> None:
        """Bring the book back to where `back_up_book` found it."""
        with psycopg.connect(self.book_access.owner) as connection:
            for table in _BOOKED:
                connection.execute(f"TRUNCATE {table}".encode())
                copy = f"INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE saved_{table}"
                connection.execute(copy.encode())

    def back_up_book(self) -> None:
        """Keep a copy of the book's orders and money."""
        with psycopg.connect(self.book_access.owner) as connection:
            for table in _BOOKED:
                connection.execute(f"CREATE TABLE saved_{table} AS TABLE {table}".encode())

    async def receipts(self, count: int) -> None:
        """Wait until there are so many receipts."""
        await self.until("SELECT count(*) FROM receipt", count)

    @asynccontextmanager
    async def settlement(self, **changes: Any) -> AsyncIterator[Settlement]:
        """Run settlement, with other settings if told; leaving stops it wherever it is."""
        settings = Settings(
            mode="development",
            database_url=SecretStr(self.access.service),
            keys=self.keys,
            quotes_address=self.quotes_address,
            trading_address=self.trading_address,
            drain_seconds=0,
            **changes,
        )
        channels = Channels(
            Keyring.load(self.keys, "edge"), SystemClock(), deadline_seconds=PATIENCE_SECONDS
        )
        async with (
            build(settings) as application,
            serving("settlement", settings, application) as running,
            channels.to("settlement", running.address, anonymous=True) as channel,
        ):
            stub = ReceiptServiceStub(channel)
            yield Settlement(application, running.failed, stub, running.address)


@dataclass
class Settlement:
    """A running settlement, and its face."""

    application: Application
    failed: asyncio.Event
    stub: ReceiptServiceAsyncStub
    address: str

    async def receipt(self, order_id: str) -> dict[str, Any]:
        """Return a receipt as the JSON that REST shows; Failure when there is none."""
        try:
            response = await self.stub.GetReceipt(GetReceiptRequest(order_id=order_id))
        except Exception as error:
            raise failure_of(error) from error  # type: ignore[arg-type]
        answer: dict[str, Any] = MessageToDict(
            response.receipt, always_print_fields_with_no_presence=True
        )
        return answer


@asynccontextmanager
async def running_world(
    bench: Bench, access: Access, book_access: Access, keys: Path
) -> AsyncIterator[World]:
    """Serve the book and the script within the block."""
    script = Script(bench.market.clock.now())
    world = World(bench, WatchedBook(bench), script, access, book_access, keys)
    quotes: list[Face] = [
        (add_FixingServiceServicer_to_server, ScriptedFixings(script)),  # type: ignore[abstract]
        (add_MarketDataServiceServicer_to_server, ScriptedMarket(script)),  # type: ignore[abstract]
    ]
    every = faces({"demo": bench.desk}, Keyring.load(keys, "trading"), {})
    trading = [face for face in every if not isinstance(face[1], BookFace)]
    trading.append((add_BookServiceServicer_to_server, world.book))
    async with (
        served("quotes", keys, quotes) as world.quotes_address,
        served("trading", keys, trading) as world.trading_address,
    ):
        yield world


@asynccontextmanager
async def served(name: str, keys: Path, faces: list[Face]) -> AsyncIterator[str]:
    """Serve faces as a service within the block, and yield where."""
    application = Application(Keyring.load(keys, name), faces)
    settings = ServiceSettings(mode="development", drain_seconds=0)
    async with serving(name, settings, application) as running:
        yield running.address
