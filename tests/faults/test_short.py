"""The faults that every run of the tests goes through; `make faults` goes through all."""

import asyncio

import pytest

from tests.faults.experiment import Experiment
from tests.faults.world import World

pytestmark = [pytest.mark.platform, pytest.mark.timeout(600)]


async def test_the_writer_dies_right_after_a_commit(world: World, experiment: Experiment) -> None:
    trading = world.part("trading")
    async with experiment.under_load():
        trading.restart(VERITICK_FAILPOINTS="writer.after_write=kill@0.05")
        deaths = trading.deaths
        while trading.deaths == deaths:
            await asyncio.sleep(0.05)
        trading.restart(VERITICK_FAILPOINTS=None)


async def test_every_part_dies_once(world: World, experiment: Experiment) -> None:
    async with experiment.under_load() as (load, _):
        for name in ("settlement", "valkey", "stream", "quotes", "trading"):
            world.part(name).kill()
            await load.acknowledged_more(20)
