"""Whoever restarts a platform part by part interrupts its traders and takes nothing from them."""

import asyncio
import signal

import pytest

from tests.faults.experiment import Experiment
from tests.faults.world import World

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

PARTS = (
    *("identity", "quotes", "trading", "settlement", "rest", "stream"),
    *("simulator", "valkey", "postgres"),
)


async def test_every_part_is_restarted_in_turn(world: World, experiment: Experiment) -> None:
    async with experiment.under_load(pause_seconds=0.2) as (load, heard):
        for name in PARTS:
            part = world.part(name)
            how = signal.SIGINT if name == "postgres" else signal.SIGTERM
            await asyncio.to_thread(part.stop, how)
            part.start()
            await world.stores_answer()
            await world.well()
            await load.acknowledged_more(20)
    assert [listener.sockets for listener in heard] == [2, 2]
