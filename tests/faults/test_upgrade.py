"""A new build takes over from the old one part by part, while people trade, and can be taken back.

The old build is this repository, or with `VERITICK_PREVIOUS=<commit>` that commit of it; the new
one is this repository with one migration more in every database: each table gets a column of which
the old build knows nothing, and one table is new. That is the kind of change that an upgrade
without an outage allows: expand now, contract later. Whether two contracts fit each other, `buf
breaking` tells.
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
from tests.faults.world import DATABASES, REPOSITORY, World, another_world, imports_of

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

SERVICES = ("identity", "quotes", "trading", "settlement")
PARTS = ("services", "edge", "clients/python")
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
    old, new = previous_build(tmp_path / "old"), next_build(tmp_path / "new")
    with tempfile.TemporaryDirectory(prefix="veritick-") as folder:
        async with another_world(Path(folder), old) as world:
            mine = replace(experiment, world=world)
            async with mine.under_load(pause_seconds=0.2) as (load, heard):
                for database in DATABASES:
                    applied = await asyncio.to_thread(world.migrate, database, new)
                    assert applied[-1] == "9999"
                    await load.acknowledged_more(10)
                for service in SERVICES:
                    await _hand_over(world, load, service, new)
                for runtime in ("rest", "stream"):
                    part = world.part(runtime)
                    await asyncio.to_thread(part.restart, PYTHONPATH=imports_of(new))
                    await world.well(runtime)
                    await load.acknowledged_more(20)
                await _take_back(world, load)
            assert [listener.sockets for listener in heard] == [2, 2]
            for service in SERVICES:
                assert '"build": "new"' in world.log(f"{service} 1")


async def _hand_over(world: World, load: Load, service: str, new: Path) -> None:
    """Let both builds run side by side, then the new one alone."""
    old, other = world.part(service), world.part(service, 1)
    other.start(PYTHONPATH=imports_of(new))
    if service in READY_BESIDE:
        await world.well(service, replica=1)
    await load.acknowledged_more(20)
    await asyncio.to_thread(old.stop)
    await world.well(service, replica=1)
    world.fronts[service].lead_to(world.address(service, 1))
    await load.acknowledged_more(20)


async def _take_back(world: World, load: Load) -> None:
    """Let the old build write the book again, in the tables that the new one brought."""
    world.part("trading").start()
    await load.acknowledged_more(20)
    await asyncio.to_thread(world.part("trading", 1).stop)
    await world.well("trading")
    world.fronts["trading"].lead_to(world.address("trading"))
    await load.acknowledged_more(20)


def previous_build(folder: Path) -> Path:
    """Return the tree that is upgraded from."""
    commit = os.environ.get("VERITICK_PREVIOUS")
    if not commit:
        return REPOSITORY
    archive = ["git", "-C", str(REPOSITORY), "archive", commit, *PARTS]
    packed = subprocess.run(archive, capture_output=True, check=True)
    with tarfile.open(fileobj=BytesIO(packed.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def next_build(folder: Path) -> Path:
    """Make a tree with a migration more, whose services say which build they are."""
    for part in PARTS:
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
