"""The database goes away in every way it can, and nobody has to start anything again."""

import asyncio
import signal
from collections.abc import Callable

import pytest

from tests.faults.experiment import Experiment
from tests.faults.proxy import Fate, Network, Watch, let_pass
from tests.faults.world import World

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

_BACKENDS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGKILL], ids=["immediately", "killed"])
async def test_postgres_stops(world: World, experiment: Experiment, how: signal.Signals) -> None:
    async with experiment.under_load() as (load, _):
        await asyncio.sleep(experiment.random.uniform(0.5, 2))
        postgres = world.part("postgres")
        await asyncio.to_thread(postgres.stop, how)
        await asyncio.to_thread(world.machine.cluster.clear_leftovers)
        await asyncio.sleep(1)
        postgres.start()
        await world.stores_answer()
        await load.acknowledged_more(30)


async def test_every_backend_is_ended_again_and_again(world: World, experiment: Experiment) -> None:
    async with experiment.under_load() as (load, _):
        with world.superuser() as connection:
            for _ in range(50):
                await asyncio.to_thread(connection.execute, _BACKENDS)
                await asyncio.sleep(0.1)
        experiment.cure()
        await load.acknowledged_more(30)


async def test_the_database_cannot_be_reached(world: World, experiment: Experiment) -> None:
    async with experiment.under_load() as (load, _):
        for network in (Network.REFUSES, Network.SWALLOWS):
            with world.database.being(network):
                await asyncio.sleep(4)
            experiment.cure()
            await load.acknowledged_more(20)


COMMIT = b"COMMIT"


def once(fate: Fate, *, after: int) -> Watch:
    """Let this be the fate of the nth COMMIT that passes, then of every tenth."""
    count = 0

    def watch(data: bytes) -> Fate:
        nonlocal count
        if COMMIT not in data:
            return Fate.ARRIVE
        count += 1
        return fate if count >= after and (count - after) % 10 == 0 else Fate.ARRIVE

    return watch


def before_it_arrives(after: int) -> tuple[Watch, Watch]:
    """The COMMIT never arrives."""
    return once(Fate.RESET, after=after), let_pass


def as_it_arrives(after: int) -> tuple[Watch, Watch]:
    """The COMMIT arrives; whether the answer does is chance."""
    return once(Fate.ARRIVE_AND_RESET, after=after), let_pass


def before_its_answer(after: int) -> tuple[Watch, Watch]:
    """It is committed, and nobody is told."""
    return let_pass, once(Fate.RESET, after=after)


@pytest.mark.parametrize("cut", [before_it_arrives, as_it_arrives, before_its_answer])
async def test_the_connection_is_reset_in_the_middle_of_commit(
    world: World, experiment: Experiment, cut: Callable[[int], tuple[Watch, Watch]]
) -> None:
    async with experiment.under_load() as (load, _):
        sent, answered = cut(experiment.random.randint(1, 5))
        with world.database.watched(sent=sent, answered=answered):
            await asyncio.sleep(8)
        await load.acknowledged_more(20)
    if cut is before_its_answer:
        assert "commit unknown" in world.log("trading")
