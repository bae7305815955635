"""One platform for all experiments, which each of them leaves as well as it found it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from zlib import crc32

import pytest

from tests.faults import checks
from tests.faults.auditing import auditing
from tests.faults.listener import Heard, listening
from tests.faults.load import Load, Trader, trading
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
        _REPORT.save(REPOSITORY / "build" / "faults.json")


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """A whole platform that may be hurt."""
    with (
        tempfile.TemporaryDirectory(prefix="veritick-") as folder,
        running_world(Path(folder)) as world,
    ):
        yield world


@dataclass
class Experiment:
    """One experiment: traders, two of them listening, and the checks afterwards."""

    world: World
    name: str
    random: Random
    _cured_at: float | None = None
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @asynccontextmanager
    async def under_load(
        self, *, traders: int = 8, at_once: int = 16, pause_seconds: float = 0.05
    ) -> AsyncIterator[tuple[Load, list[Heard]]]:
        """Let traders trade while the block hurts the platform; then all must be well again."""
        seed = self.random.randrange(1 << 30)
        async with trading(self.world, seed, traders=traders) as load, AsyncExitStack() as stack:
            self._stack = stack
            heard = [await self.listener(trader) for trader in load.traders[:2]]
            async with auditing(self.world), load.going_on(at_once, pause_seconds):
                await load.acknowledged_more(10)
                yield load, heard
                await load.acknowledged_more(10)
            await self.conclude(load, heard)

    async def listener(self, trader: Trader) -> Heard:
        """Let somebody begin to listen now, until the load is over and checked."""
        return await self._stack.enter_async_context(listening(self.world, trader))

    def cure(self) -> None:
        """Note that what hurts is over now: recovery counts from here.

        Without it, recovery is the longest time that traders had to wait for an order.
        """
        self._cured_at = time.monotonic()

    async def conclude(self, load: Load, heard: Sequence[Heard]) -> None:
        """Write down what was seen, and check that all is well."""
        recovery_seconds = load.tally.longest_wait_seconds
        if self._cured_at is not None:
            recovery_seconds = load.tally.wait_seconds_after(self._cured_at)
        lost = len(checks.lost(self.world, load.tally))
        _REPORT.finding(self.name).add(load.tally, lost, recovery_seconds)
        await checks.assert_all_is_well(self.world, load.tally, heard)


@pytest.fixture
async def experiment(world: World, request: pytest.FixtureRequest) -> Experiment:
    """What a test does to the platform; its random moments follow from the seed and its name."""
    await world.well()
    name = str(request.node.name).removeprefix("test_").replace("_", " ")
    return Experiment(world, name, Random(SEED ^ crc32(name.encode())))
