"""A backup of a platform at work becomes another platform, and what was open closes by rule."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.local.home import Home
from services.local.postgres import plain
from services.settlement.outcome import Outcome
from tests.faults import checks
from tests.faults.experiment import Experiment
from tests.faults.listener import told_on_rest
from tests.faults.load import Tally, trading
from tests.faults.report import Finding
from tests.faults.world import World, another_world, until_true

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

LONGEST_ORDER_SECONDS = 100
"""Some orders are due before the backup, some while nothing runs, some on what was restored."""

_SECONDS = 120


async def test_a_backup_under_load_is_restored_elsewhere(
    world: World, experiment: Experiment, tmp_path: Path
) -> None:
    async with experiment.under_load(at_once=8, pause_seconds=0.5) as (load, heard):
        load.duration_seconds = (5, LONGEST_ORDER_SECONDS)
        await load.acknowledged_more(100)
        kept = Tally(acknowledged=dict(load.tally.acknowledged))
        with tempfile.TemporaryDirectory(prefix="veritick-") as folder:
            home = Home(Path(folder))
            # With a Redis that knows nothing.
            await asyncio.to_thread(back_up, world, home)
            backed_up_at = datetime.now(UTC)
            began = time.monotonic()
            async with another_world(home.root) as other:
                _note_restored(experiment, other, kept, time.monotonic() - began)
                assert checks.lost(other, kept) == []
                await _people_go_on_trading(other)
                _assert_void_only_where_nothing_was_seen(other, backed_up_at)
                told = await told_on_rest(other, heard[0].trader)
                assert told == list(range(1, len(told) + 1))
                await _assert_proven(other, tmp_path / "restored.jsonl")


def back_up(world: World, home: Home) -> None:
    """Copy all databases as they were at one moment, and the files that they do not contain."""
    cluster = world.machine.cluster
    home.root.mkdir(exist_ok=True)
    options = ["--wal-method=stream", "--checkpoint=fast", f"--pgdata={home.postgres}"]
    program = str(cluster.binaries / "pg_basebackup")
    command = [program, f"--dbname={cluster.url('postgres')}", *options]
    subprocess.run(command, env=plain(), check=True, capture_output=True, timeout=_SECONDS)
    shutil.copy2(world.home.passwords, home.passwords)
    for folder in ("keys", "prices", "documents"):
        source: Path = getattr(world.home, folder)
        if source.exists():
            shutil.copytree(source, getattr(home, folder))


async def _people_go_on_trading(world: World) -> None:
    async with trading(world, 0, traders=2) as load:
        async with load.going_on(at_once=2, pause_seconds=0.5):
            await load.acknowledged_more(10)
        await checks.assert_all_is_well(world, load.tally)


def _assert_void_only_where_nothing_was_seen(world: World, backed_up_at: datetime) -> None:
    """Between what the backup saw of the market and the first that was seen again, all is void."""
    ((seen_until, seen_again),) = world.rows(
        "quotes",
        "SELECT max(watermark) FILTER (WHERE start_time <= %(at)s), "
        "min(start_time) FILTER (WHERE start_time > %(at)s) FROM run",
        {"at": backed_up_at},
    )
    closed = world.book(
        "SELECT outcome, expires_at > %(again)s FROM closed_order "
        "WHERE opened_at <= %(until)s AND expires_at > %(until)s",
        {"until": seen_until, "again": seen_again},
    )
    assert {outcome for outcome, seen in closed if not seen} == {Outcome.VOID}
    assert {outcome for outcome, seen in closed if seen} & {Outcome.WIN, Outcome.LOSS}


def _note_restored(experiment: Experiment, world: World, kept: Tally, seconds: float) -> None:
    lost = len(checks.lost(world, kept))
    orders = len(kept.acknowledged)
    name = f"{experiment.name}: what it knew"
    experiment.note(Finding(name, 1, orders, orders, lost, kept.doubles, seconds))


async def _assert_proven(world: World, path: Path) -> None:
    """An export whose signed head covers every receipt re-derives every outcome, offline."""
    covered = "SELECT (SELECT max(sequence) FROM checkpoint) = (SELECT max(sequence) FROM receipt)"
    await until_true(lambda: world.rows("settlement", covered) == [(True,)], "the head is signed")
    for arguments in (["export", "--url", world.machine.url, str(path)], ["verify", str(path)]):
        done = await asyncio.to_thread(_veritick, arguments)
        assert done.returncode == 0, done.stderr


def _veritick(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "veritick", *arguments]
    return subprocess.run(command, capture_output=True, check=False, text=True, timeout=_SECONDS)
