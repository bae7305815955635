"""However settlement dies, every order closes once, as it was decided, and has one receipt."""

import asyncio
from functools import partial

import pytest

from tests.faults.experiment import Experiment
from tests.faults.world import World, until_true

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

PLACES = (
    "worker.before_decisions",
    "worker.before_settle",
    "worker.after_settle",
    "worker.before_receipts",
)


@pytest.mark.parametrize("place", PLACES)
async def test_settlement_dies_at(world: World, experiment: Experiment, place: str) -> None:
    part = world.part("settlement")
    async with experiment.under_load(pause_seconds=0.2):
        deaths = part.deaths
        part.restart(VERITICK_FAILPOINTS=f"{place}=kill@0.3")
        try:
            await until_true(lambda: part.deaths >= deaths + 3, "settlement has died")
        finally:
            part.restart(VERITICK_FAILPOINTS=None)


async def test_settlement_is_killed_while_orders_fall_due(
    world: World, experiment: Experiment
) -> None:
    async with experiment.under_load() as (load, _):
        for _ in range(3):
            await load.acknowledged_more(40)
            await asyncio.sleep(experiment.random.uniform(0, 1))
            world.part("settlement").kill()


async def test_a_standby_settles_while_the_other_sleeps_and_then_wakes(
    world: World, experiment: Experiment
) -> None:
    first, second = world.part("settlement"), world.part("settlement", 1)
    second.start()
    await world.well("settlement", replica=1)
    try:
        async with experiment.under_load():
            for sleeper in (first, second):
                sleeper.pause()
                enough = _receipts(world) + 40
                await until_true(
                    partial(_has_receipts, world, enough), f"not only {sleeper.name} settles"
                )
                sleeper.resume()
                await asyncio.sleep(2)
    finally:
        first.resume()
        second.stop()


def _has_receipts(world: World, count: int) -> bool:
    return _receipts(world) >= count


def _receipts(world: World) -> int:
    ((count,),) = world.rows("settlement", "SELECT count(*) FROM receipt")
    return int(count)
