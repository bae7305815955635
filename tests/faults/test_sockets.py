"""Sockets that never read, and crowds that come back at once, are nobody else's trouble."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from random import Random

import pytest
from websockets.asyncio.client import ClientConnection, connect

from services.local.ports import HOST
from services.local.probes import read_counter
from tests.bench.crowd import Reader
from tests.faults.experiment import Experiment
from tests.faults.load import Trader
from tests.faults.world import World, until, until_true

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

DEAF = 10
CROWD = 5_000
CROWD_SECONDS = 300
ADDRESSES = 8
"""More sockets than one address may have, so they come from several."""

_BUFFER_BYTES = 16 * 1024
_TOO_SLOW = 'veritick_stream_closed_total{code="4008"}'


async def test_sockets_that_never_read(world: World, experiment: Experiment) -> None:
    """They ask for a long past, take nothing, and are closed; who reads notices nothing."""

    async def closed() -> bool:
        return await _closed_as_too_slow(world) >= before + DEAF

    async with experiment.under_load(traders=2) as (load, heard), AsyncExitStack() as stack:
        await load.acknowledged_more(300)
        before = await _closed_as_too_slow(world)
        for _ in range(DEAF):
            await stack.enter_async_context(_never_reading(world, load.traders[0]))
        told = heard[0].last
        await until(closed, "who does not read is closed")
        assert heard[0].last > told
    assert [listener.sockets for listener in heard] == [1, 1]


@pytest.mark.timeout(1_200)
async def test_a_crowd_comes_back_at_once(world: World, experiment: Experiment) -> None:
    port, crowd = world.ports.of("stream"), [_Visitor(number) for number in range(CROWD)]
    async with experiment.under_load(pause_seconds=0.5) as (load, _), asyncio.TaskGroup() as group:
        visits = [group.create_task(visitor.visit(port, experiment.random)) for visitor in crowd]
        await until_true(partial(_all_came, crowd, 1), "the crowd is there", CROWD_SECONDS)
        world.part("stream").kill()
        await until_true(partial(_all_came, crowd, 2), "the crowd is back", CROWD_SECONDS)
        await load.acknowledged_more(20)
        for visit in visits:
            visit.cancel()


def _all_came(crowd: Sequence[_Visitor], times: int) -> bool:
    return all(visitor.lives >= times for visitor in crowd)


async def _closed_as_too_slow(world: World) -> float:
    return await read_counter(HOST, world.ports.of("stream metrics"), _TOO_SLOW) or 0


@asynccontextmanager
async def _never_reading(world: World, trader: Trader) -> AsyncIterator[ClientConnection]:
    """Ask for everything that ever happened to an account, and read none of it."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    raw.connect((HOST, world.ports.of("stream")))
    deaf = await connect(world.machine.stream_url, sock=raw, max_queue=1, ping_interval=None)
    channel = f"account:{trader.account_id}"
    wish = {"op": "subscribe", "channel": channel, "after": "0"}
    try:
        ticket = world.stream_ticket(trader.user_id)
        await deaf.send(json.dumps({"op": "authenticate", "ticket": ticket}))
        await deaf.send(json.dumps(wish))
        yield deaf
    finally:
        deaf.transport.abort()


class _Visitor:
    """Somebody who comes, and comes back whenever he is cut off."""

    def __init__(self, number: int) -> None:
        self.lives = self.left = 0
        self._origin = (f"127.0.0.{2 + number % ADDRESSES}", 0)

    def heard(self, payload: bytes) -> None:
        """Count how often his subscription began."""
        self.lives += b'"type":"subscribed"' in payload

    async def visit(self, port: int, random: Random) -> None:
        """Keep coming, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            with suppress(OSError):
                _, socket = await loop.create_connection(
                    partial(_Socket, self), HOST, port, local_addr=self._origin
                )
                try:
                    await socket.opened
                    socket.say(op="subscribe", channel="payouts:demo")
                    await socket.gone.wait()
                finally:
                    socket.end()
            await asyncio.sleep(random.uniform(0, 0.2))


class _Socket(Reader):
    """A visitor's socket, which notices its end."""

    def __init__(self, visitor: _Visitor) -> None:
        super().__init__(visitor)
        self.gone = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.gone.set()

    def end(self) -> None:
        """Leave without a word."""
        if self.transport:
            self.transport.abort()
