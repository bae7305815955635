"""A new build takes over from the old one part by part, while people trade, and is taken back.

The new build is this repository with one migration more in every database: each table gets a column
of which the old build knows nothing, and one table is new. That is the kind of change that an
upgrade without an outage allows: expand now, contract later. Whether two contracts fit each other,
`buf breaking` tells.

The old build is what `VERITICK_PREVIOUS=<commit>` names, or the last release in the history of this
repository; while there is none, this repository without the migration. The parts change in an order
that the seed decides, there and back.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from tests.expansion import EXPANSION
from tests.faults.experiment import Experiment
from tests.faults.load import Load
from tests.faults.processes import Process
from tests.faults.visitor import visiting
from tests.faults.world import (
    DATABASES,
    REPOSITORY,
    World,
    another_world,
    imports_of,
    until_true,
)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

SERVICES = ("identity", "quotes", "trading", "settlement")
EDGES = ("rest", "stream")
TREES = ("services", "edge", "clients/python")
"""Where lies what runs."""

READY_BESIDE = {"identity", "settlement"}
"""Whose replica is ready while another one leads; of the others, readiness follows the lead."""

_MIGRATION = f'''
from alembic import op

revision, down_revision = "9999", "{{last}}"


def upgrade() -> None:
    op.execute("""CREATE TABLE later (word text); {EXPANSION}""")
'''
_SERVING = '_log.info("serving", address='
_BUILT = '_log.info("serving", build="new", address='


async def test_a_new_build_takes_over_part_by_part_and_can_be_taken_back(
    experiment: Experiment, tmp_path: Path
) -> None:
    predecessor = named_predecessor()
    old, new = previous_build(predecessor, tmp_path / "old"), next_build(tmp_path / "new")
    with tempfile.TemporaryDirectory(prefix="veritick-") as folder:
        async with another_world(Path(folder), old) as world:
            name = f"{experiment.name}, {predecessor or 'this one'}"
            mine = replace(experiment, world=world, name=name)
            async with (
                mine.under_load(pause_seconds=0.2) as (load, heard),
                visiting(world) as guest,
            ):
                for database in DATABASES:
                    applied = await asyncio.to_thread(world.migrate, database, new)
                    assert applied[-1] == "9999"
                    await load.acknowledged_more(10)
                for build, replica in ((new, 1), (old, 0)):
                    parts = [*SERVICES, *EDGES]
                    mine.random.shuffle(parts)
                    for part in parts:
                        await _hand_over(world, load, part, build, replica)
                    await guest.came_again()
            assert [listener.sockets for listener in heard] == [3, 3]
            for service in SERVICES:
                assert '"build": "new"' not in world.log(service)
                assert '"build": "new"' in world.log(f"{service} 1")


async def _hand_over(world: World, load: Load, part: str, build: Path, replica: int) -> None:
    """Let a build take over a part: an edge from one moment to the next, a service as a replica."""
    if part in EDGES:
        await asyncio.to_thread(world.part(part).restart, PYTHONPATH=imports_of(build))
        await world.well(part)
    else:
        await _replace(world, load, part, build, replica)
    await load.acknowledged_more(20)


async def _replace(world: World, load: Load, service: str, build: Path, replica: int) -> None:
    """Let both builds run side by side, then the one that comes alone."""
    leaving, coming = world.part(service, 1 - replica), world.part(service, replica)
    if service == "settlement":
        await _leave_work_behind(leaving)
    coming.start(PYTHONPATH=imports_of(build), VERITICK_FAILPOINTS=None)
    await world.listens(service, replica)
    if service in READY_BESIDE:
        await world.well(service, replica=replica)
    await load.acknowledged_more(20)
    await asyncio.gather(asyncio.to_thread(leaving.stop), _lead_when_well(world, service, replica))


async def _lead_when_well(world: World, service: str, replica: int) -> None:
    """Do as a load balancer does."""
    await world.well(service, replica=replica)
    world.fronts[service].lead_to(world.address(service, replica))


async def _leave_work_behind(settlement: Process) -> None:
    """Let it die each time when orders have been closed and their receipts not been stored."""
    deaths = settlement.deaths
    settlement.restart(VERITICK_FAILPOINTS="worker.before_receipts=kill")
    await until_true(lambda: settlement.deaths >= deaths + 2, "settlement has died")


def named_predecessor() -> str | None:
    """Return the commit or the tag of what is upgraded from; None for this repository as it is."""
    if named := os.environ.get("VERITICK_PREVIOUS"):
        return named
    describe = ["git", "-C", str(REPOSITORY), "describe", "--tags", "--abbrev=0"]
    release = ["--match=v[0-9]*", "HEAD^"]
    try:
        found = subprocess.run([*describe, *release], capture_output=True, check=True, text=True)
    except (OSError, subprocess.CalledProcessError):  # no git, no history, or no release in it
        return None
    return found.stdout.strip()


def previous_build(commit: str | None, folder: Path) -> Path:
    """Return the tree that is upgraded from."""
    if commit is None:
        return REPOSITORY
    archive = ["git", "-C", str(REPOSITORY), "archive", commit, *TREES]
    packed = subprocess.run(archive, capture_output=True, check=True)
    with tarfile.open(fileobj=BytesIO(packed.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def next_build(folder: Path) -> Path:
    """Make a tree with a migration more, whose services say which build they are."""
    for part in TREES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / part, folder / part, ignore=ignored)
    for service in SERVICES:
        versions = folder / "services" / service / "migrations" / "versions"
        last = max(versions.glob("[0-9]*.py")).stem.partition("_")[0]
        (versions / "9999_later.py").write_text(_MIGRATION.format(last=last))
    process = folder / "services" / "kit" / "process.py"
    told = process.read_text().replace(_SERVING, _BUILT)
    assert _BUILT in told
    process.write_text(told)
    return folder
