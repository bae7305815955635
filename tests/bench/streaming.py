"""W1, W2 and W3: what goes out to a thousand sockets, and what each of them costs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from tests.bench.bare_stream import BROADCAST, LOOP
from tests.bench.crowd import Crowd, crowd
from tests.bench.processes import Running, running
from tests.bench.rows import Row, side_by_side
from tests.bench.stage import SYMBOL, Stage, stage
from tests.stores import Postgres

SOCKETS = 1_000
TICKS, WINDOW = 200, 10
"""Ticks of a round, and how many are on their way at once: so few that nobody skips one."""

SETTLEMENTS = 10
"""Settlements of a round, for each socket: each is two events."""

_FIRST = 50
"""Sockets that are there before memory is looked at: what is loaded once is no socket's."""


@dataclass
class Halls:
    """Our edge and a bare server, each with its thousand readers."""

    stage: Stage
    ours: Crowd
    theirs: Crowd
    samples: dict[bytes, bytes] = field(default_factory=dict)
    """A frame of each kind that ours has sent, for theirs to send as well."""

    def listen(self, payload: bytes) -> None:
        """Keep the first frame of each kind."""
        kind = payload.partition(b'"type":"')[2].partition(b'"')[0]
        self.samples.setdefault(kind, payload)

    async def ticks_per_second(self) -> float:
        """Publish ticks and wait until every reader of ours has each of them."""

        async def publish() -> None:
            for _ in range(WINDOW):
                tick = self.stage.world.tick(SYMBOL, 6_512_345)
                await self.stage.world.publish_ticks(SYMBOL, tick)

        return await _rate(self.ours, TICKS // WINDOW, WINDOW, publish)

    async def broadcasts_per_second(self) -> float:
        """Have the same frames broadcast by the bare server."""

        async def publish() -> None:
            for _ in range(WINDOW):
                await self.stage.world.redis.publish(BROADCAST, self.samples[b"ticks.v1"])

        return await _rate(self.theirs, TICKS // WINDOW, WINDOW, publish)

    async def events_per_second(self) -> float:
        """Publish events of every reader's account and wait until each has its own."""
        commands = self.stage.settlements(SETTLEMENTS)
        return await _rate(self.ours, 1, 2 * SETTLEMENTS, lambda: self.stage.command(commands))

    async def sends_per_second(self) -> float:
        """Have frames as many and as long sent by the bare server, one after the other."""
        pair = b"\n".join(
            self.samples[kind] for kind in (b"order.settled.v1", b"balance.changed.v1")
        )

        async def publish() -> None:
            for _ in range(SETTLEMENTS):
                await self.stage.world.redis.publish(LOOP, pair)

        return await _rate(self.theirs, 1, 2 * SETTLEMENTS, publish)


async def w1(_: Postgres, folder: Path) -> Row:
    """Measure a price to every socket, beside `broadcast` of the same frames."""
    async with _halls(folder) as halls:
        left, right = await side_by_side(halls.ticks_per_second, halls.broadcasts_per_second)
    title = "a price, Redis → 1,000 sockets, beside a bare websockets broadcast"
    return Row("W1", title, "frames/s", left, right, goal=0.75, stretch=1)


async def w2(_: Postgres, folder: Path) -> Row:
    """Measure every socket's own events, beside a loop that sends the same frames."""
    async with _halls(folder) as halls:
        left, right = await side_by_side(halls.events_per_second, halls.sends_per_second)
    title = "private events, Redis → 1,000 sockets, beside a bare loop of sends"
    return Row("W2", title, "frames/s", left, right, goal=0.6, stretch=1)


async def w3(_: Postgres, folder: Path) -> Row:
    """Measure what a socket that is signed in and follows two channels costs, beside a bare one."""

    async def ours() -> float:
        async with stage(folder) as staged, crowd(staged.edge.address, 0) as readers:

            async def come(number: int) -> None:
                await staged.seat(readers, await readers.grow(staged.edge.address, number))

            return await _kilobytes_each(staged.edge, come)

    async def theirs() -> float:
        async with (
            stage(folder) as staged,
            running("tests.bench.bare_stream", staged.redis_url) as server,
            crowd(server.address, 0) as readers,
        ):

            async def come(number: int) -> None:
                await readers.grow(server.address, number)

            return await _kilobytes_each(server, come)

    left, right = await side_by_side(ours, theirs)
    title = "memory of a socket that follows an account and a price, beside a bare server's"
    return Row("W3", title, "kB", left, right, goal=2, less=True)


@asynccontextmanager
async def _halls(folder: Path) -> AsyncIterator[Halls]:
    async with (
        stage(folder) as staged,
        running("tests.bench.bare_stream", staged.redis_url) as bare,
        crowd(staged.edge.address, SOCKETS) as ours,
        crowd(bare.address, SOCKETS) as theirs,
    ):
        halls = Halls(staged, ours, theirs)
        ours.listen = halls.listen
        await staged.seat(ours, ours.readers)
        yield halls


async def _rate(
    readers: Crowd, turns: int, frames: int, publish: Callable[[], Awaitable[None]]
) -> float:
    """Publish in turns, each when all readers have every frame of the last; frames a second."""
    events = frames * len(readers.readers)
    began = perf_counter()
    for _ in range(turns):
        aim = readers.events + events
        await publish()
        await readers.until_heard(aim)
    return turns * events / (perf_counter() - began)


async def _kilobytes_each(server: Running, come: Callable[[int], Awaitable[None]]) -> float:
    await come(_FIRST)
    before = server.own_bytes
    await come(SOCKETS)
    return (server.own_bytes - before) / SOCKETS / 1024
