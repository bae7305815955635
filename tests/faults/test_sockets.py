"""Sockets that never read, and crowds that come back at once, are nobody else's trouble."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from random import Random

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from services.local.ports import HOST
from services.local.probes import read_counter
from tests.faults.experiment import Experiment
from tests.faults.load import Trader
from tests.faults.world import World, until, until_true

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

DEAF = 10
CROWD = 1_200
ADDRESSES = 3
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


async def test_a_crowd_comes_back_at_once(world: World, experiment: Experiment) -> None:
    async with experiment.under_load(pause_seconds=0.5) as (load, _), asyncio.TaskGroup() as group:
        lives = [0] * CROWD
        crowd = [
            group.create_task(_visit(world, lives, number, experiment.random))
            for number in range(CROWD)
        ]
        await until_true(lambda: min(lives) >= 1, "the crowd is there")
        world.part("stream").kill()
        await until_true(lambda: min(lives) >= 2, "the crowd is back")
        await load.acknowledged_more(20)
        for visitor in crowd:
            visitor.cancel()


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


async def _visit(world: World, lives: list[int], number: int, random: Random) -> None:
    """Come, and come back whenever cut off; count how often a subscription began."""
    origin = (f"127.0.0.{2 + number % ADDRESSES}", 0)
    wish = json.dumps({"op": "subscribe", "channel": "payouts:demo"})
    while True:
        with suppress(WebSocketException, OSError):
            async with connect(
                world.machine.stream_url, local_addr=origin, open_timeout=60, compression=None
            ) as visit:
                await visit.send(wish)
                async for text in visit:
                    lives[number] += json.loads(text)["type"] == "subscribed"
        await asyncio.sleep(random.uniform(0, 0.2))
