"""What surrounds the socket in its tests: services that keep lists, a Redis, and clients."""

import asyncio
import json
import subprocess
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from edge.stream.settings import StreamSettings
from services.kit.clock import SystemClock
from services.kit.errors import Failure
from services.kit.process import Application, Running, serving
from services.kit.reason import Reason
from services.kit.settings import ServiceSettings
from services.kit.stream import entry_id, heading, stream_key
from services.kit.tokens import Keyring
from services.kit.wire import to_timestamp
from services.local.valkey import Valkey, embedded_server
from tests.revoked import Revoked
from tests.waiting import PATIENCE_SECONDS, eventually
from veritick.event.v1.event_pb2 import BalanceChanged, Event
from veritick.identity.v1.revocation_service_pb2_grpc import (
    add_RevocationServiceServicer_to_server,
)
from veritick.journal.v1.journal_service_pb2 import (
    JournalEntry,
    ListEventsRequest,
    ListEventsResponse,
)
from veritick.journal.v1.journal_service_pb2_grpc import (
    JournalServiceServicer,
    add_JournalServiceServicer_to_server,
)
from veritick.quotes.v1.instrument_pb2 import Market, Tick
from veritick.quotes.v1.market_data_service_pb2 import (
    Candle,
    GetMarketStatusRequest,
    GetMarketStatusResponse,
    ListCandlesRequest,
    ListCandlesResponse,
    TickBatch,
    Watermark,
)
from veritick.quotes.v1.market_data_service_pb2_grpc import (
    MarketDataServiceServicer,
    add_MarketDataServiceServicer_to_server,
)
from veritick.type.v1.price_pb2 import Price

Frame = dict[str, Any]


def balance(available: int) -> Event:
    """Return an event that tells a balance."""
    changed = BalanceChanged()
    changed.account.available.minor_units = available
    return Event(balance_changed=changed)


@dataclass
class Journals(JournalServiceServicer):
    """A service's journals, in lists."""

    entries: dict[tuple[str, str], list[JournalEntry]] = field(
        default_factory=lambda: defaultdict(list)
    )
    owners: dict[str, str] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    asked: list[ListEventsRequest] = field(default_factory=list)
    pruned: int = 0
    """So many of each subject's first entries are gone."""

    def append(self, journal: str, subject: str, event: Event) -> JournalEntry:
        """Commit an event, without telling anybody."""
        entries = self.entries[journal, subject]
        self.positions[journal] += 1
        kind = str(event.WhichOneof("data")).replace("_", ".") + ".v1"
        entry = JournalEntry(
            position=self.positions[journal],
            subject=subject,
            sequence=len(entries) + 1,
            type=kind,
            time=to_timestamp(datetime.now(UTC)),
            event=event,
        )
        entries.append(entry)
        return entry

    async def ListEvents(  # noqa: N802  the name in the contract
        self, request: ListEventsRequest, context: object
    ) -> ListEventsResponse:
        """List a subject's entries for its owner."""
        self.asked.append(request)
        public = request.subject in {"payouts", "instruments"}
        if not public and self.owners.get(request.subject) != request.on_behalf_of_user_id:
            raise Failure(Reason.UNKNOWN_CHANNEL, "There is no such channel.")
        entries = self.entries[request.journal, request.subject]
        listed: Sequence[JournalEntry] = ()
        if request.HasField("after_sequence"):
            after = max(request.after_sequence, self.pruned)
            listed = entries[after : after + (request.page_size or 500)]
        return ListEventsResponse(entries=listed, last_sequence=len(entries))


@dataclass
class Quotes(MarketDataServiceServicer):
    """Last ticks and candles, in dictionaries."""

    last: dict[str, Tick] = field(default_factory=dict)
    past: dict[str, list[Candle]] = field(default_factory=lambda: defaultdict(list))

    async def GetMarketStatus(  # noqa: N802
        self, request: GetMarketStatusRequest, context: object
    ) -> GetMarketStatusResponse:
        """Answer with the last tick."""
        if request.instrument not in self.last:
            raise Failure(Reason.INSTRUMENT_NOT_FOUND, "There is no such instrument.")
        last = self.last[request.instrument]
        return GetMarketStatusResponse(market=Market(instrument=request.instrument, last_tick=last))

    async def ListCandles(  # noqa: N802
        self, request: ListCandlesRequest, context: object
    ) -> ListCandlesResponse:
        """List what there is."""
        candles = self.past[request.instrument][-request.page_size :]
        return ListCandlesResponse(candles=candles, price_scale=5)


@dataclass
class Store:
    """A Valkey that a test may kill and start again."""

    valkey: Valkey
    process: "subprocess.Popen[bytes] | None" = None

    async def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        self._launch()
        async with Redis.from_url(self.valkey.url) as client:

            async def answers() -> bool:
                with suppress(RedisError, OSError):
                    return bool(await client.ping())
                return False

            await eventually(answers)

    def _launch(self) -> None:
        self.process = subprocess.Popen(self.valkey.command(), stdout=subprocess.DEVNULL)

    async def kill(self) -> None:
        """End it without a word."""
        if self.process:
            self.process.kill()
            await asyncio.to_thread(self.process.wait)
            self.process = None


class Client:
    """A program at the other end of a socket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.seen: list[Frame] = []

    async def say(self, **request: object) -> None:
        """Send a request."""
        await self.connection.send(json.dumps(request))

    async def subscribe(self, channel: str, after: int | None = None) -> Frame:
        """Subscribe and return the answer: subscribed or error."""
        extra = {} if after is None else {"after": str(after)}
        await self.say(op="subscribe", channel=channel, **extra)
        return await self.next("subscribed", "error")

    async def next(self, *types: str, channel: str | None = None) -> Frame:
        """Return the next frame of these types, or of any but heartbeats."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                frame: Frame = json.loads(await self.connection.recv())
                self.seen.append(frame)
                wanted = frame["type"] in types if types else frame["type"] != "heartbeat"
                if wanted and channel in {None, frame.get("channel")}:
                    return frame

    async def events(self, number: int) -> list[int]:
        """Return the sequences of the next so many frames that are not heartbeats."""
        return [int((await self.next())["sequence"]) for _ in range(number)]

    async def closed(self) -> int | None:
        """Wait until the server closes, and return its code."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            with suppress(ConnectionClosedError):
                async for text in self.connection:
                    self.seen.append(json.loads(text))
        return self.connection.close_code


@dataclass
class World:
    """Services, a Redis, and users with accounts; the socket itself is started by `edge`."""

    keys: Path
    store: Store
    redis: "Redis"
    trading: Journals = field(default_factory=Journals)
    identity: Journals = field(default_factory=Journals)
    quotes_journals: Journals = field(default_factory=Journals)
    quotes: Quotes = field(default_factory=Quotes)
    revoked: Revoked = field(default_factory=Revoked)
    addresses: dict[str, str] = field(default_factory=dict)
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def settings(self, **changes: object) -> StreamSettings:
        """Return the settings of a socket in this world."""
        values: dict[str, Any] = {
            "mode": "development",
            "keys": self.keys,
            "redis_url": SecretStr(self.store.valkey.url),
            "stream_listen": "127.0.0.1:0",
            "drain_seconds": 1,
            "poll_seconds": 0.2,
            "heartbeat_seconds": 0.5,
            **{f"{name}_address": address for name, address in self.addresses.items()},
            **changes,
        }
        return StreamSettings(**values)

    def user(self) -> str:
        """Return a new user."""
        user_id = str(uuid4())
        self.identity.owners[f"user:{user_id}"] = user_id
        return user_id

    def account(self, user_id: str) -> str:
        """Return the channel of a new account."""
        channel = f"account:demo_{uuid4()}"
        self.trading.owners[channel] = user_id
        return channel

    def ticket(
        self, user_id: str, issuer: str = "identity", session: str = "s1", **changes: object
    ) -> str:
        """Return a ticket as identity makes it."""
        keyring = Keyring.load(self.keys, issuer)
        claims = {"sub": user_id, "aud": "stream", "sid": session, "ver": 1, "jti": str(uuid4())}
        return keyring.sign(claims | changes, timedelta(seconds=30), datetime.now(UTC))

    async def publish(self, entry: JournalEntry, journal: str = "demo") -> None:
        """Put an entry into Redis, as the relay does."""
        head = heading(entry.subject, entry.sequence, entry.type)
        event = entry.event.SerializeToString()
        await self.redis.xadd(stream_key(journal), {head: event}, id=entry_id(entry.position))

    def commit(self, channel: str, amount: int = 0) -> JournalEntry:
        """Commit an event of an account."""
        return self.trading.append("demo", channel, balance(amount))

    async def happen(self, channel: str, times: int = 1) -> None:
        """Commit events of an account and publish them."""
        for _ in range(times):
            await self.publish(self.commit(channel))

    def tick(self, symbol: str, price: int, seconds: float = 0) -> Tick:
        """Store a tick, without telling anybody."""
        last = self.quotes.last.get(symbol)
        tick = Tick(
            instrument=symbol,
            number=last.number + 1 if last else 1,
            price=Price(mantissa=price, scale=5),
            time=to_timestamp(datetime(2026, 11, 23, 12, tzinfo=UTC) + timedelta(seconds=seconds)),
        )
        self.quotes.last[symbol] = tick
        return tick

    async def publish_ticks(self, symbol: str, *ticks: Tick) -> None:
        """Publish ticks, as quotes does."""
        await self.redis.publish(f"ticks:{symbol}", TickBatch(ticks=ticks).SerializeToString())

    async def publish_watermark(self, feed_time: datetime) -> None:
        """Publish when the feed was last heard."""
        mark = Watermark(time=to_timestamp(feed_time), feed_time=to_timestamp(feed_time))
        await self.redis.publish("watermark", mark.SerializeToString())


@asynccontextmanager
async def running_world(
    keys: Path, folder: Path, trading: JournalServiceServicer | None = None
) -> AsyncIterator[World]:
    """Run the services and the Redis within the block; trading keeps its journals in lists."""
    store = Store(Valkey(folder, embedded_server()))
    await store.start()
    async with Redis.from_url(store.valkey.url) as redis:
        world = World(keys, store, redis)
        try:
            async with (
                service(world, "identity", world.identity) as identity,
                service(world, "quotes", world.quotes_journals, world.quotes) as quotes,
                service(world, "trading", trading or world.trading) as trading_service,
            ):
                world.addresses = {
                    "identity": identity.address,
                    "quotes": quotes.address,
                    "trading": trading_service.address,
                }
                yield world
        finally:
            await store.kill()


@asynccontextmanager
async def service(
    world: World,
    name: str,
    journals: JournalServiceServicer,
    market: Quotes | None = None,
    listen: str = "127.0.0.1:0",
) -> AsyncIterator[Running]:
    """Serve a service's faces within the block."""
    faces: list[Any] = [(add_JournalServiceServicer_to_server, journals)]
    if market:
        faces.append((add_MarketDataServiceServicer_to_server, market))
    if name == "identity":
        faces.append((add_RevocationServiceServicer_to_server, world.revoked))
    settings = ServiceSettings(mode="development", drain_seconds=0, listen=listen)
    application = Application(Keyring.load(world.keys, name), faces)
    async with serving(name, settings, application, SystemClock()) as running:
        yield running


@asynccontextmanager
async def client(address: str, **options: Any) -> AsyncIterator[Client]:
    """Open a socket."""
    async with connect(f"ws://{address}/v1/stream", **options) as connection:
        yield Client(connection)


@asynccontextmanager
async def signed_in(
    world: World, address: str, user_id: str, **options: Any
) -> AsyncIterator[Client]:
    """Open a socket of a user."""
    async with client(address, **options) as opened:
        await opened.say(op="authenticate", ticket=world.ticket(user_id))
        assert (await opened.next())["type"] == "authenticated"
        yield opened
