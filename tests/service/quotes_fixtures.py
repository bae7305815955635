"""Quotes as it runs: a real market data server, Postgres and Valkey, and calls over gRPC."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import SecretStr
from websockets.asyncio.client import connect

from services.kit.channels import Channels
from services.kit.clock import Clock, SystemClock
from services.kit.database import Database
from services.kit.process import serving
from services.kit.tokens import Keyring
from services.kit.wire import to_datetime, to_timestamp
from services.local.databases import Access
from services.local.keys import ensure_keys
from services.quotes.app import build
from services.quotes.settings import Settings
from tests.stores import Postgres, ValkeyServer
from tests.waiting import PATIENCE_SECONDS, eventually
from veritick.journal.v1.journal_service_pb2_grpc import JournalServiceStub
from veritick.quotes.v1 import fixing_service_pb2 as fixing
from veritick.quotes.v1 import instrument_pb2
from veritick.quotes.v1 import market_data_service_pb2 as market
from veritick.quotes.v1.fixing_service_pb2_grpc import FixingServiceStub
from veritick.quotes.v1.instrument_service_pb2 import GetInstrumentRequest
from veritick.quotes.v1.instrument_service_pb2_grpc import InstrumentServiceStub
from veritick.quotes.v1.market_data_service_pb2_grpc import MarketDataServiceStub

REPOSITORY = Path(__file__).parents[2]


@dataclass
class Simulator:
    """A market data server in a process of its own."""

    process: asyncio.subprocess.Process
    address: str

    @property
    def url(self) -> str:
        return f"ws://{self.address}"

    async def command(self, command: str, *symbols: str, **details: object) -> None:
        """Command the market, and wait until it obeys."""
        request: dict[str, object] = {"op": "control", "command": command, **details}
        if symbols:
            request["symbols"] = list(symbols)
        async with connect(self.url, proxy=None) as connection:
            await connection.send(json.dumps(request))
            async for frame in connection:
                answer = json.loads(frame)
                if answer["type"] == "controlled":
                    return
                assert answer["type"] != "error", answer

    async def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process.returncode is None:
            self.process.send_signal(number)
        await self.process.wait()


@asynccontextmanager
async def simulator(
    *arguments: str, listen: str = "127.0.0.1:0", state: Path | None = None
) -> AsyncIterator[Simulator]:
    """Run a market data server; by default a simulated one that obeys commands."""
    environment = os.environ | {"VERITICK_LISTEN": listen, "PYTHONPATH": str(REPOSITORY)}
    if state:
        environment["VERITICK_STATE"] = str(state)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.quotes.simulator",
        *(arguments or ("simulated", "--control", "--seed", "7")),
        cwd=REPOSITORY,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    running = Simulator(process, await _address(process))
    draining = asyncio.create_task(_drain(process))
    try:
        yield running
    finally:
        await running.stop()
        await draining


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stdout
    async with asyncio.timeout(PATIENCE_SECONDS):
        while line := await process.stdout.readline():
            said = json.loads(line)
            if said["event"] == "serving":
                return str(said["address"])
    raise AssertionError("the simulator ended before it served")


async def _drain(process: asyncio.subprocess.Process) -> None:
    assert process.stdout
    while await process.stdout.readline():
        pass


@dataclass
class Quotes:
    """A running quotes, as its neighbours call it."""

    channel: grpc.aio.Channel
    database: Database
    clock: Clock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        self.since = self.clock.now() - timedelta(seconds=60)
        self.instruments = InstrumentServiceStub(self.channel)
        self.data = MarketDataServiceStub(self.channel)
        self.fixings = FixingServiceStub(self.channel)
        self.journal = JournalServiceStub(self.channel)

    async def instrument(self, symbol: str) -> instrument_pb2.Instrument:
        answer = await self.instruments.GetInstrument(GetInstrumentRequest(instrument=symbol))
        return answer.instrument

    async def market(self, symbol: str) -> instrument_pb2.Market:
        answer = await self.data.GetMarketStatus(market.GetMarketStatusRequest(instrument=symbol))
        return answer.market

    async def status(self, symbol: str) -> str:
        return instrument_pb2.Market.Status.Name((await self.market(symbol)).status)

    async def until_status(self, symbol: str, status: str) -> None:
        async def reached() -> bool:
            return await self.status(symbol) == status

        await eventually(reached)

    async def silent_since(self, symbol: str, long: timedelta) -> datetime:
        """Wait until the feed was not heard for so long; return when it was heard last.

        What was sent before a command took effect may still be on its way.
        """
        return await self._still(symbol, long, lambda found: found.feed_time)

    async def frozen_since(self, symbol: str, long: timedelta) -> datetime:
        """Wait until there was no tick for so long; return when the last one came."""
        return await self._still(symbol, long, lambda found: found.last_tick.time)

    async def _still(
        self, symbol: str, long: timedelta, moment: Callable[[instrument_pb2.Market], Timestamp]
    ) -> datetime:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                since = to_datetime(moment(await self.market(symbol)))
                await self.fixed(symbol, since + long)
                if to_datetime(moment(await self.market(symbol))) == since:
                    return since

    async def until_fixed(self, symbol: str) -> None:
        """Wait until there is a price again at the present moment, as it passes."""

        async def fixed() -> bool:
            found = await self.fixed(symbol, self.clock.now())
            return bool(found.state == fixing.Fixing.FINAL)

        await eventually(fixed)

    async def ticks(
        self, symbol: str, start: datetime, end: datetime, page_size: int = 5000
    ) -> list[instrument_pb2.Tick]:
        """All stored ticks of a span, page by page."""
        found: list[instrument_pb2.Tick] = []
        token = ""
        while True:
            page = await self.data.ListTicks(
                market.ListTicksRequest(
                    instrument=symbol,
                    start=to_timestamp(start),
                    end=to_timestamp(end),
                    page_size=page_size,
                    page_token=token,
                )
            )
            found += page.ticks
            token = page.next_page_token
            if not token:
                return found

    async def until_ticks(self, symbol: str, number: int) -> None:
        """Wait until the record holds so many ticks more than it does now."""
        before = len(await self.ticks(symbol, self.since, self.clock.now()))

        async def came() -> bool:
            stored = await self.ticks(symbol, self.since, self.clock.now())
            return len(stored) >= before + number

        await eventually(came)

    async def fix(self, symbol: str, time: datetime) -> fixing.Fixing:
        """The fixing of a moment as it is known now."""
        point = fixing.FixingPoint(instrument=symbol, time=to_timestamp(time))
        request = fixing.BatchGetFixingsRequest(points=[point])
        answer = await self.fixings.BatchGetFixings(request)
        return answer.fixings[0]

    async def fixed(self, symbol: str, time: datetime) -> fixing.Fixing:
        """The fixing of a moment once it is decided."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                found = await self.fix(symbol, time)
                if found.state != fixing.Fixing.PENDING:
                    return found
                await asyncio.sleep(0.05)


@dataclass
class World:
    """What quotes stands on; it can be started and stopped in it any number of times."""

    access: Access
    keys: Path
    redis_url: str

    def settings(self, feed_url: str, **overrides: object) -> Settings:
        values: dict[str, object] = {
            "mode": "development",
            "listen": "127.0.0.1:0",
            "keys": self.keys,
            "redis_url": SecretStr(self.redis_url),
            "database_url": SecretStr(self.access.service),
            "feed_url": feed_url,
            "feed_patience_seconds": 1,
            "drain_seconds": 0.2,
            "generated_past": False,
        }
        return Settings.model_validate(values | overrides)

    @asynccontextmanager
    async def running(
        self, feed_url: str, caller: str = "operator", **overrides: object
    ) -> AsyncIterator[Quotes]:
        """Run quotes in this process, ready to be called by a service over gRPC."""
        settings = self.settings(feed_url, **overrides)
        clock = SystemClock()
        async with (
            build(settings) as application,
            serving("quotes", settings, application) as served,
        ):
            await eventually(application.ready)
            channels = Channels(
                Keyring.load(self.keys, caller), clock, deadline_seconds=PATIENCE_SECONDS
            )
            async with channels.to("quotes", served.address) as channel, self.database() as own:
                yield Quotes(channel, own, clock)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """The database, as the service's own role sees it."""
        async with Database(self.access.service, name="test") as database:
            yield database


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


@pytest.fixture(scope="session")
def quotes_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    ensure_keys(folder)
    return folder


@pytest.fixture
def base(postgres: Postgres, valkey: ValkeyServer, quotes_keys: Path) -> Iterator[World]:
    with postgres.database("quotes") as access:
        yield World(access, quotes_keys, valkey.url)


@pytest.fixture
async def feed() -> AsyncIterator[Simulator]:
    async with simulator() as running:
        yield running


@pytest.fixture
async def quotes(base: World, feed: Simulator) -> AsyncIterator[Quotes]:
    async with base.running(feed.url) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def quotes_for_a_while(
    postgres: Postgres, valkey: ValkeyServer, quotes_keys: Path
) -> AsyncIterator[Quotes]:
    """One quotes for all tests of a module that only look."""
    with postgres.database("quotes") as access:
        base = World(access, quotes_keys, valkey.url)
        async with simulator() as feed, base.running(feed.url, generated_past=True) as running:
            await running.until_status("BTCUSD", "OPEN")
            yield running
