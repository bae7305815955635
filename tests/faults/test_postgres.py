"""The database goes away in every way it can, and nobody has to start anything again."""

import asyncio
import signal
from dataclasses import dataclass

import pytest

from tests.faults.experiment import Experiment
from tests.faults.proxy import Fate, Network
from tests.faults.world import World, until_true

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


CUTS = 5


@dataclass
class Cut:
    """Lets something be the fate of the nth commit of orders that is sent, then of every fifth."""

    fate: Fate
    after: int
    passed: int = 0
    met: int = 0
    """How many it has befallen."""

    def __call__(self, data: bytes) -> Fate:
        """Look at what is sent."""
        if not _commits_orders(data):
            return Fate.ARRIVE
        self.passed += 1
        if self.passed < self.after or (self.passed - self.after) % 5:
            return Fate.ARRIVE
        self.met += 1
        return self.fate


def _commits_orders(data: bytes) -> bool:
    """Tell whether this is the one statement that opens orders, and with which it is committed.

    It brings their events, and there is no COMMIT behind it. (The auditor asks for both events.)
    """
    return b"order.opened.v1" in data and b"order.settled.v1" not in data


@pytest.mark.parametrize(
    "fate",
    [Fate.RESET, Fate.ARRIVE_AND_RESET, Fate.ARRIVE_UNANSWERED],
    ids=["before it arrives", "as it arrives", "before its answer"],
)
async def test_the_connection_is_reset_in_the_middle_of_commit(
    world: World, experiment: Experiment, fate: Fate
) -> None:
    """It never arrives; or it does, and whether the answer does is chance; or nobody is told."""
    said = len(world.log("trading"))
    async with experiment.under_load() as (load, _):
        cut = Cut(fate, after=experiment.random.randint(1, 5))
        with world.database.watched(cut):
            await until_true(lambda: cut.met >= CUTS, "commits are cut off")
        await load.acknowledged_more(20)
    assert world.log("trading")[said:].count("commit unknown") >= CUTS
