"""The relay: a stream in Redis that shows the journal in order, and may be lost."""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from redis.asyncio import Redis

from services.kit.database import Database
from services.kit.journal import Journal
from services.kit.relay import Relay
from services.kit.stream import position_of, stream_key
from tests.service.kit_events import append_many, cancelled
from tests.stores import ValkeyServer, running_valkey
from tests.waiting import PATIENCE_SECONDS

pytest_plugins = ["tests.service.kit_fixtures"]


@pytest.fixture
def journal(kit_database: Database) -> Journal:
    # The name of one that is served elsewhere, so that the contract's channel may carry it.
    return Journal("identity", kit_database)


async def relayed(redis: Redis, journal: str = "identity") -> list[tuple[int, bytes]]:
    entries: Sequence[Any] = await redis.xrange(stream_key(journal))  # type: ignore[assignment]
    return [(position_of(key), *fields.values()) for key, fields in entries]


async def until_relayed(redis: Redis, last: int) -> list[int]:
    """Wait for the last position in the stream, and return all that are there."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with suppress(ConnectionError):
                positions = [position for position, _ in await relayed(redis)]
                if positions and positions[-1] >= last:
                    return positions
            await asyncio.sleep(0.02)


async def test_a_relay_fills_the_stream_in_order_and_two_add_nothing_twice(
    journal: Journal, kit_database: Database, valkey: ValkeyServer
) -> None:
    valkey.flush()
    await append_many(journal, kit_database, 20)
    tasks = [asyncio.create_task(Relay(journal, valkey.url).run()) for _ in range(2)]
    async with Redis.from_url(valkey.url) as redis:
        await until_relayed(redis, 20)
        for _ in range(20):
            await append_many(journal, kit_database, 3)
        assert await until_relayed(redis, 80) == list(range(1, 81))
        stored = [entry.payload for entry in await journal.read(0, 100)]
        assert [payload for _, payload in await relayed(redis)] == stored
        await cancelled(*tasks)
        await append_many(journal, kit_database, 5)
        # One that starts anew goes on where the stream ends.
        task = asyncio.create_task(Relay(journal, valkey.url).run())
        assert await until_relayed(redis, 85) == list(range(1, 86))
        await cancelled(task)


async def test_a_relay_that_is_told_to_stop_stops(
    journal: Journal, kit_database: Database, valkey: ValkeyServer
) -> None:
    """Whatever it is doing: a library below it may take the word for a timeout of its own."""
    random = Random(5)
    for _ in range(30):
        task = asyncio.create_task(Relay(journal, valkey.url).run())
        await asyncio.sleep(random.random() * 0.03)
        await append_many(journal, kit_database, 2)
        await asyncio.sleep(random.random() * 0.006)
        task.cancel()
        await asyncio.wait({task}, timeout=20)
        assert task.cancelled()


async def test_a_relay_survives_a_restart_of_redis(
    journal: Journal, kit_database: Database
) -> None:
    await append_many(journal, kit_database, 3)
    with tempfile.TemporaryDirectory(prefix="kit-") as folder:
        with running_valkey(Path(folder)) as valkey:
            task = asyncio.create_task(Relay(journal, valkey.url).run())
            async with Redis.from_url(valkey.url) as redis:
                assert await until_relayed(redis, 3) == [1, 2, 3]
        await append_many(journal, kit_database, 4)
        await asyncio.sleep(0.3)
        assert not task.done()
        with running_valkey(Path(folder)) as valkey:
            await append_many(journal, kit_database, 1)
            async with Redis.from_url(valkey.url) as redis:
                # The stream was lost; a new one begins with the recent past.
                assert await until_relayed(redis, 8) == list(range(1, 9))
            await cancelled(task)
