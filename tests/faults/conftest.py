"""One platform for all experiments, which each of them leaves as well as it found it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from zlib import crc32

import pytest

from tests.faults.experiment import Experiment
from tests.faults.report import Report
from tests.faults.world import REPOSITORY, SEED, World, running_world

_REPORT = Report()


def pytest_report_header() -> str:
    return f"faults: VERITICK_FAULTS_SEED={SEED}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if lines := _REPORT.lines():
        terminalreporter.section(f"faults, VERITICK_FAULTS_SEED={SEED}")
        for line in lines:
            terminalreporter.line(line)
        # The short selection of `make test` does not replace what `make faults` found.
        if terminalreporter.config.option.markexpr != "not faults":
            _REPORT.save(REPOSITORY / "build" / "faults.json")


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """A whole platform that may be hurt."""
    with (
        tempfile.TemporaryDirectory(prefix="veritick-") as folder,
        running_world(Path(folder)) as world,
    ):
        yield world


@pytest.fixture
async def experiment(world: World, request: pytest.FixtureRequest) -> Experiment:
    """What a test does to the platform; its random moments follow from the seed and its name."""
    await world.well()
    name = str(request.node.name).removeprefix("test_").replace("_", " ")
    return Experiment(world, name, Random(SEED ^ crc32(name.encode())), _REPORT)
