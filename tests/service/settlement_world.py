"""Settlement between a real book and quotes that a test scripts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from google.protobuf.json_format import MessageToDict
from pydantic import SecretStr

from services.kit.channels import Channels, failure_of
from services.kit.clock import SystemClock
from services.kit.errors import Failure
from services.kit.ids import scoped
from services.kit.process import Application, Face, serving
from services.kit.reason import Reason
from services.kit.settings import ServiceSettings
from services.kit.tokens import Keyring
from services.kit.wire import to_datetime, to_timestamp
from services.local.databases import Access
from services.settlement.app import build
from services.settlement.settings import Settings
from services.trading.app import faces
from services.trading.order import Direction
from services.trading.service_rpc import BookFace
from tests.service.trading_fixtures import SYMBOL, Bench
from veritick.quotes.v1 import fixing_service_pb2 as fixing_pb
from veritick.quotes.v1.fixing_service_pb2_grpc import (
    FixingServiceServicer,
    add_FixingServiceServicer_to_server,
)
from veritick.quotes.v1.instrument_pb2 import Tick
from veritick.quotes.v1.market_data_service_pb2 import (
    WatchMarketRequest,
    WatchMarketResponse,
    Watermark,
)
from veritick.quotes.v1.market_data_service_pb2_grpc import (
    MarketDataServiceServicer,
    add_MarketDataServiceServicer_to_server,
)
from veritick.settlement.v1.receipt_service_pb2 import GetReceiptRequest
from veritick.settlement.v1.receipt_service_pb2_grpc import ReceiptServiceStub
from veritick.trading.v1 import book_service_pb2 as book_pb
from veritick.trading.v1.book_service_pb2_grpc import add_BookServiceServicer_to_server
from veritick.type.v1.price_pb2 import Price

if TYPE_CHECKING:
    from veritick.settlement.v1.receipt_service_pb2_grpc import ReceiptServiceAsyncStub

ENTRY = 10_000
"""The price at which orders open, unless a test says otherwise."""

PATIENCE_SECONDS = 20


@dataclass
class Script:
    """What quotes knows, as a test wrote it; a point that is not written is pending."""

    watermark: datetime
    prices: dict[tuple[str, datetime], int | fixing_pb.VoidReason.ValueType] = field(
        default_factory=dict
    )
    calls: Counter[str] = field(default_factory=Counter)
    unknown: set[str] = field(default_factory=set)

    def fixing(self, symbol: str, moment: datetime) -> fixing_pb.Fixing:
        point = {"instrument": symbol, "time": to_timestamp(moment)}
        price = self.prices.get((symbol, moment))
        if price is None or moment > self.watermark:
            return fixing_pb.Fixing(**point, state=fixing_pb.Fixing.PENDING)
        decided = point | {"watermark": to_timestamp(self.watermark), "rule_version": 1}
        if price in fixing_pb.VoidReason.values():
            return fixing_pb.Fixing(**decided, state=fixing_pb.Fixing.VOID, void_reason=price)
        before = [tick(symbol, price - 1 + n, moment - (2 - n) * timedelta(0, 0, 7)) for n in (0, 1)]
        return fixing_pb.Fixing(
            **decided,
            state=fixing_pb.Fixing.FINAL,
            tick=before[-1],
            ticks_before=before,
            ticks_after=[tick(symbol, price + 5, moment + timedelta(seconds=1))],
            feed_time=to_timestamp(moment - timedelta(milliseconds=20)),
        )


def tick(symbol: str, price: int, moment: datetime) -> Tick:
    return Tick(
        instrument=symbol,
        number=price * 7,
        price=Price(mantissa=price, scale=2),
        time=to_timestamp(moment),
        source_time=to_timestamp(moment - timedelta(milliseconds=3)),
    )


class ScriptedFixings(FixingServiceServicer):
    """Quotes' fixings by the script."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def BatchGetFixings(
        self, request: fixing_pb.BatchGetFixingsRequest, context: Any
    ) -> fixing_pb.BatchGetFixingsResponse:
        self._script.calls["BatchGetFixings"] += 1
        for point in request.points:
            if point.instrument in self._script.unknown:
                raise Failure(Reason.INSTRUMENT_NOT_FOUND, "There is no such instrument.")
        return fixing_pb.BatchGetFixingsResponse(
            fixings=[
                self._script.fixing(point.instrument, to_datetime(point.time))
                for point in request.points
            ]
        )


class ScriptedMarket(MarketDataServiceServicer):
    """Quotes' watermark by the script."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def WatchMarket(
        self, request: WatchMarketRequest, context: Any
    ) -> AsyncIterator[WatchMarketResponse]:
        while True:
            mark = Watermark(time=to_timestamp(self._script.watermark))
            yield WatchMarketResponse(watermark=mark)
            await asyncio.sleep(0.02)


class WatchedBook(BookFace):
    """The real book, which a test may stop before or after it settles."""

    def __init__(self, bench: Bench) -> None:
        super().__init__({"demo": bench.desk})
        self.calls: Counter[str] = Counter()
        self.before = Gate()
        self.after = Gate()
        self.away = False

    async def ListDueOrders(
        self, request: book_pb.ListDueOrdersRequest, context: Any
    ) -> book_pb.ListDueOrdersResponse:
        self.calls["ListDueOrders"] += 1
        self._refuse_when_away()
        return await super().ListDueOrders(request, context)

    async def SettleOrders(
        self, request: book_pb.SettleOrdersRequest, context: Any
    ) -> book_pb.SettleOrdersResponse:
        self.calls["SettleOrders"] += 1
        self._refuse_when_away()
        await self.before.pass_through()
        response = await super().SettleOrders(request, context)
        await self.after.pass_through()
        return response

    def _refuse_when_away(self) -> None:
        if self.away:
            raise Failure(Reason.UNAVAILABLE, "Not available right now.")


class Gate:
    """Open, until a test closes it; then whoever comes is noticed and waits."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._reached = asyncio.Event()

    async def pass_through(self) -> None:
        if not self._open.is_set():
            self._reached.set()
        await self._open.wait()

    def close(self) -> None:
        self._open.clear()
        self._reached.clear()

    def open(self) -> None:
        self._open.set()

    async def reached(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._reached.wait()


@dataclass
class World:
    """A book, scripted quotes, and the database of settlement."""

    bench: Bench
    book: WatchedBook
    script: Script
    access: Access
    keys: Path
    quotes_address: str = ""
    trading_address: str = ""

    async def order(self, direction: Direction = Direction.UP, **changes: Any) -> str:
        """Place an order of a new account, and return its id."""
        account = await self.bench.account()
        placed = await self.bench.place(account, direction=direction, **changes)
        return scoped("demo", placed.booked.order.order_id)

    def expiry(self, seconds: int = 10) -> datetime:
        """Return when an order of so many seconds placed now expires: a whole second, rounded up."""
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

    async def receipts(self, count: int) -> None:
        """Wait until there are so many receipts."""
        await self.until("SELECT count(*) FROM receipt", count)

    @asynccontextmanager
    async def settlement(self) -> AsyncIterator[Settlement]:
        """Run settlement; leaving stops it wherever it is."""
        settings = Settings(
            mode="development",
            database_url=SecretStr(self.access.service),
            keys=self.keys,
            quotes_address=self.quotes_address,
            trading_address=self.trading_address,
            drain_seconds=0,
        )
        channels = Channels(Keyring.load(self.keys, "edge"), SystemClock())
        async with (
            build(settings) as application,
            serving("settlement", settings, application) as running,
            channels.to("settlement", running.address, anonymous=True) as channel,
        ):
            yield Settlement(application, running.failed, ReceiptServiceStub(channel))


@dataclass
class Settlement:
    """A running settlement, and its face."""

    application: Application
    failed: asyncio.Event
    stub: ReceiptServiceAsyncStub

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
async def running_world(bench: Bench, access: Access, keys: Path) -> AsyncIterator[World]:
    """Serve the book and the script within the block."""
    script = Script(bench.market.clock.now())
    world = World(bench, WatchedBook(bench), script, access, keys)
    quotes: list[Face] = [
        (add_FixingServiceServicer_to_server, ScriptedFixings(script)),
        (add_MarketDataServiceServicer_to_server, ScriptedMarket(script)),
    ]
    trading = [face for face in faces({"demo": bench.desk}) if not isinstance(face[1], BookFace)]
    trading.append((add_BookServiceServicer_to_server, world.book))
    async with (
        _served("quotes", keys, quotes) as world.quotes_address,
        _served("trading", keys, trading) as world.trading_address,
    ):
        yield world


@asynccontextmanager
async def _served(name: str, keys: Path, faces: list[Face]) -> AsyncIterator[str]:
    application = Application(Keyring.load(keys, name), faces)
    settings = ServiceSettings(mode="development", drain_seconds=0)
    async with serving(name, settings, application) as running:
        yield running.address
