"""The fault that every run of the tests goes through; `make faults` goes through all."""

import pytest

from tests.faults.experiment import Experiment
from tests.faults.world import World

pytestmark = [pytest.mark.platform, pytest.mark.timeout(600)]


async def test_every_part_dies_once(world: World, experiment: Experiment) -> None:
    async with experiment.under_load() as (load, _):
        for name in ("settlement", "valkey", "stream", "quotes", "trading"):
            world.part(name).kill()
            await load.acknowledged_more(20)
