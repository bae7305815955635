"""One platform for all experiments, which each of them leaves as well as it found it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from random import Random
from zlib import crc32

import pytest

from tests.faults.experiment import Experiment
from tests.faults.report import FINDING, SEED, Finding
from tests.faults.world import World, running_world


# Of this folder, not of the session: what nobody hurts any more would take the others' time.
@pytest.fixture(scope="package")
def world() -> Iterator[World]:
    """A whole platform that may be hurt."""
    with (
        tempfile.TemporaryDirectory(prefix="veritick-") as folder,
        running_world(Path(folder)) as world,
    ):
        yield world


@pytest.fixture
async def experiment(
    world: World, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Experiment:
    """What a test does to the platform; its random moments follow from the seed and its name."""

    def note(finding: Finding) -> None:
        record_property(FINDING, asdict(finding))

    await world.well()
    name = str(request.node.name).removeprefix("test_").replace("_", " ")
    return Experiment(world, name, Random(SEED ^ crc32(name.encode())), note)
