"""From the commit to the socket: journal, relay, Redis and edge as they are, coming and going.

Whatever happens on the way, a reader ends with every event of its account once and in order.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis
from websockets.exceptions import WebSocketException

from edge.stream.app import running
from services.kit.clock import SystemClock
from services.kit.database import Database
from services.kit.journal import Entry, Journal, new_event
from services.kit.journal_face import JournalFace
from services.kit.relay import Relay
from services.kit.stream import heading, stream_key
from tests.service.edge_stream_world import World, balance, client, running_world
from tests.service.kit_events import cancelled

pytest_plugins = ["tests.service.kit_fixtures", "tests.service.edge_stream_fixtures"]

BOOK = "demo"
_PATIENCE_SECONDS = 60.0


@dataclass
class Reader:
    """A client that comes back whenever its socket closes, and goes on after what it has."""

    delivery: "Delivery"
    heard: list[int] = field(default_factory=list)
    gaps: int = 0
    task: asyncio.Task[None] | None = None

    def come(self) -> None:
        self.task = asyncio.create_task(self._stay())

    async def go(self) -> None:
        assert self.task
        await cancelled(self.task)

    async def _stay(self) -> None:
        while True:
            with suppress(WebSocketException, OSError, TimeoutError):
                await self._listen()
            await asyncio.sleep(0.05)

    async def _listen(self) -> None:
        stage, channel = self.delivery.stage, self.delivery.channel
        async with client(self.delivery.address) as socket:
            ticket = stage.ticket(str(self.delivery.user_id))
            await socket.say(op="authenticate", ticket=ticket)
            await socket.say(op="subscribe", channel=channel, after=str(len(self.heard)))
            while True:
                frame = await socket.next()
                if frame["type"] == "balance.changed.v1":
                    self.heard.append(int(frame["sequence"]))
                self.gaps += frame["type"] == "gap"
                if frame["type"] == "error":  # not ready for him yet: he comes again
                    return


@dataclass
class Delivery:
    """One account's events, and everything between their commit and its reader."""

    stage: World
    journal: Journal
    database: Database
    user_id: UUID
    channel: str
    address: str = ""
    committed: int = 0
    relay: asyncio.Task[None] | None = None
    edge: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def happen(self, times: int = 1) -> None:
        """Commit events, some of others among them."""
        for _ in range(times):
            self.committed += 1
            events = [new_event(self.channel, balance(self.committed))]
            if self.committed % 3 == 0:
                events.append(new_event("account:demo_other", balance(0)))
            async with self.database.transaction() as connection:
                await self.journal.append(connection, events, SystemClock().now())
            self.journal.notify()

    async def start_relay(self) -> None:
        self.relay = asyncio.create_task(Relay(self.journal, self.stage.store.valkey.url).run())

    async def kill_relay(self) -> None:
        assert self.relay
        await cancelled(self.relay)

    async def restart_relay(self) -> None:
        await self.kill_relay()
        await self.happen(5)
        await self.start_relay()

    async def start_edge(self) -> None:
        edge = await self.edge.enter_async_context(running(self.stage.settings()))
        self.address = edge.address

    async def restart_edge(self) -> None:
        await self.edge.aclose()
        await self.happen(5)
        await self.start_edge()

    async def flush_redis(self) -> None:
        await self.stage.redis.flushall()

    async def restart_redis(self) -> None:
        await self.stage.store.kill()
        await self.happen(5)
        await self.stage.store.start()

    async def trim_stream(self) -> None:
        await self.stage.redis.xtrim(stream_key(BOOK), maxlen=0, approximate=False)

    async def deliver_twice_and_out_of_order(self) -> None:
        """Put into the stream, in place of the relay, what it would never put there so."""
        await self.kill_relay()
        before = await self.journal.last_position()
        await self.happen(6)
        entries = await self.journal.read(before - 4, 100)
        random = Random(self.committed)
        jumbled = random.sample(entries, len(entries)) + random.sample(entries, 4)
        position = max(before, await self.end_of_stream())
        for number, entry in enumerate(jumbled, start=1):
            await _put(self.stage.redis, f"{position}-{number}", entry)
        await self.start_relay()

    async def end_of_stream(self) -> int:
        """Return the position of the last entry in the stream; 0 when there is none."""
        newest: Any = await self.stage.redis.xrevrange(stream_key(BOOK), count=1)
        return int(newest[0][0].partition(b"-")[0]) if newest else 0

    async def everything_arrives(self, reader: Reader) -> None:
        """Wait until a reader has heard all that was committed."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while len(reader.heard) < self.committed:
                await asyncio.sleep(0.02)
        assert reader.heard == list(range(1, self.committed + 1))
        assert reader.gaps == 0


async def _put(redis: Redis, entry_id: str, entry: Entry) -> None:
    head = heading(entry.subject, entry.sequence, entry.type)
    await redis.xadd(stream_key(BOOK), {head: entry.payload}, id=entry_id)


@pytest.fixture
async def delivery(
    kit_database: Database, stream_keys: Path, stream_folder: Path
) -> AsyncIterator[Delivery]:
    user_id, channel = uuid4(), f"account:demo_{uuid4()}"
    journal = Journal(BOOK, kit_database)

    async def owns(_: str, subject: str, user: UUID | None) -> bool:
        return (subject, user) == (channel, user_id)

    face = JournalFace({BOOK: journal}, owns)
    async with (
        running_world(stream_keys, stream_folder, trading=face) as stage,
    ):
        delivery = Delivery(stage, journal, kit_database, user_id, channel)
        await delivery.start_relay()
        await delivery.start_edge()
        try:
            yield delivery
        finally:
            await delivery.edge.aclose()
            await delivery.kill_relay()


@asynccontextmanager
async def reading(delivery: Delivery) -> AsyncIterator[Reader]:
    reader = Reader(delivery)
    reader.come()
    try:
        yield reader
    finally:
        await reader.go()


Disturb = Callable[[Delivery], Awaitable[None]]
DISTURBANCES = [
    Delivery.restart_relay,
    Delivery.flush_redis,
    Delivery.restart_redis,
    Delivery.restart_edge,
    Delivery.trim_stream,
    Delivery.deliver_twice_and_out_of_order,
]


@pytest.mark.parametrize("disturb", DISTURBANCES, ids=lambda disturb: disturb.__name__)
async def test_every_event_is_heard_once_and_in_order(delivery: Delivery, disturb: Disturb) -> None:
    async with reading(delivery) as reader:
        for _ in range(3):
            await delivery.happen(7)
            await disturb(delivery)
        await delivery.happen(7)
        await delivery.everything_arrives(reader)


@pytest.mark.parametrize("seed", [1, 2])
async def test_one_disturbance_after_the_other(delivery: Delivery, seed: int) -> None:
    random = Random(seed)
    async with reading(delivery) as reader:
        for _ in range(8):
            await delivery.happen(random.randrange(6))
            await random.choice(DISTURBANCES)(delivery)
        await delivery.everything_arrives(reader)


async def test_who_was_away_while_the_stream_forgot_hears_everything(delivery: Delivery) -> None:
    reader = Reader(delivery)
    reader.come()
    await delivery.happen(5)
    await delivery.everything_arrives(reader)
    await reader.go()
    await delivery.happen(700)
    await delivery.trim_stream()
    await delivery.restart_edge()
    reader.come()
    await delivery.everything_arrives(reader)
    await delivery.happen(3)
    await delivery.everything_arrives(reader)
    await reader.go()


async def test_a_stream_that_is_ahead_of_its_journal_begins_anew(delivery: Delivery) -> None:
    """The database was restored from a backup, and Redis was not."""
    async with reading(delivery) as reader:
        await delivery.happen(5)
        await delivery.everything_arrives(reader)
        await delivery.kill_relay()
        newest = await delivery.journal.read(0, 1)
        await _put(delivery.stage.redis, "5000-0", newest[0])
        await delivery.start_relay()
        await delivery.happen(5)
        await delivery.everything_arrives(reader)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while await delivery.end_of_stream() >= 5000:
            await asyncio.sleep(0.02)
