"""Redis, relay and edge come and go; whoever listens hears every event once and in order."""

import asyncio
from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis

from services.kit.stream import stream_key
from tests.end_to_end.traders import PASSWORD
from tests.faults.experiment import Experiment
from tests.faults.listener import Heard
from tests.faults.proxy import Network
from tests.faults.world import World, until_true
from veritick import Veritick

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

CUT_SECONDS = 30
ROUNDS = 40
JUMBLED = 20


async def test_redis_is_killed(world: World, experiment: Experiment) -> None:
    async with experiment.under_load() as (load, heard):
        for _ in range(2):
            world.part("valkey").kill()
            await load.acknowledged_more(60)
    assert [listener.sockets for listener in heard] == [1, 1]


async def test_redis_is_flushed(world: World, experiment: Experiment) -> None:
    async with experiment.under_load() as (load, heard):
        for _ in range(3):
            with redis.Redis.from_url(world.machine.valkey.url) as client:
                client.flushall()
            await load.acknowledged_more(40)
    assert [listener.sockets for listener in heard] == [1, 1]


@pytest.mark.parametrize("network", [Network.REFUSES, Network.SWALLOWS])
async def test_redis_is_cut_off(world: World, experiment: Experiment, network: Network) -> None:
    async with experiment.under_load(pause_seconds=0.2) as (load, heard):
        with world.redis.being(network):
            await asyncio.sleep(CUT_SECONDS)
        await load.acknowledged_more(40)
    assert [listener.sockets for listener in heard] == [1, 1]


async def test_the_relay_dies_before_it_noted_what_it_sent(
    world: World, experiment: Experiment
) -> None:
    part = world.part("trading")
    async with experiment.under_load(pause_seconds=0.2) as (_, heard):
        deaths = part.deaths
        part.restart(VERITICK_FAILPOINTS="relay.after_send=kill@0.05")
        try:
            await until_true(lambda: part.deaths >= deaths + 3, "the relay has died")
        finally:
            part.restart(VERITICK_FAILPOINTS=None)
    assert [listener.sockets for listener in heard] == [1, 1]


async def test_the_edge_is_killed_with_its_sockets(world: World, experiment: Experiment) -> None:
    async with experiment.under_load() as (load, heard):
        for life in range(2, 5):
            await load.acknowledged_more(30)
            world.part("stream").kill()
            await until_true(partial(_are_back, heard, life), "sockets are back")


async def test_the_stream_tells_events_twice_and_out_of_order(
    world: World, experiment: Experiment
) -> None:
    async with experiment.under_load() as (load, heard):
        with redis.Redis.from_url(world.machine.valkey.url) as client:
            for _ in range(ROUNDS):
                _jumble(client, experiment.random)
                await load.acknowledged_more(2)
    assert [listener.sockets for listener in heard] == [1, 1]


async def test_somebody_who_was_away_hears_everything(world: World, experiment: Experiment) -> None:
    async with experiment.under_load() as (load, heard):
        await load.acknowledged_more(100)
        with redis.Redis.from_url(world.machine.valkey.url) as client:
            client.flushall()
        late = await experiment.listener(load.traders[2])
        await until_true(lambda: late.last > 0, "the past is told")
        heard.append(late)
        world.part("stream").kill()
        await load.acknowledged_more(40)


async def test_a_follower_dies_between_effect_and_acknowledgement(
    world: World, experiment: Experiment
) -> None:
    """Trading follows identity: whoever registers has one account in the book, whatever dies."""
    part = world.part("trading")
    async with experiment.under_load(pause_seconds=0.5):
        deaths = part.deaths
        part.restart(VERITICK_FAILPOINTS="follower.after_effect=kill@0.3")
        try:
            async with Veritick.connect(world.machine.url) as veritick:
                emails = [f"{uuid4()}@example.com" for _ in range(8)]
                users = [await veritick.register(email, PASSWORD) for email in emails]
            await until_true(lambda: part.deaths > deaths, "the follower has died")
        finally:
            part.restart(VERITICK_FAILPOINTS=None)
        await until_true(lambda: _followed(world), "all of identity's journal is followed")
    ids = [user.user_id for user in users]
    accounts = "SELECT count(*), count(DISTINCT user_id) FROM account WHERE user_id = ANY (%s)"
    assert world.book(accounts, [[UUID(user_id) for user_id in ids]]) == [(len(ids), len(ids))]


def _jumble(client: redis.Redis, random: Random) -> None:
    """Take the newest events out of the book's stream, and put each in twice, in any order.

    What the edge has read already it reads again; the rest it never sees in order.
    """
    key = stream_key("demo")
    newest: Any = client.xrevrange(key, count=JUMBLED)
    position, _, place = newest[0][0].decode().partition("-")
    with client.pipeline() as together:
        together.xdel(key, *[entry_id for entry_id, _ in newest])
        for number, (_, fields) in enumerate(random.sample(newest * 2, 2 * len(newest)), start=1):
            together.xadd(key, fields, id=f"{position}-{int(place) + number}")
        # When the relay adds an entry in between, its place is beyond these: they are refused.
        together.execute(raise_on_error=False)


def _are_back(heard: Sequence[Heard], life: int) -> bool:
    return all(listener.sockets >= life for listener in heard)


def _followed(world: World) -> bool:
    position = world.book("SELECT position FROM follower_position WHERE journal = 'identity'")
    last = world.rows("identity", "SELECT position FROM journal_head WHERE journal = 'identity'")
    return position == last
