"""A long audit takes place in a process of its own, and nothing of it is lost on the way."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from typing import Any

import psycopg
import pytest

from services.kit.database import DatabaseUnavailable
from services.kit.errors import Failure
from services.trading import audit_apart
from services.trading.audit_apart import LITTLE, AuditApart
from services.trading.audit_report import Progress
from tests.service.trading_audit_fixtures import Books
from tests.waiting import eventually

pytest_plugins = ["tests.service.trading_audit_fixtures"]

_ASKING = """
    SELECT count(*) FROM pg_stat_activity WHERE application_name = 'audit.demo'
    AND datname = current_database() AND wait_event_type = 'Lock'
"""
"""Audits whose question waits for a table."""


@pytest.fixture
def started(books: Books, monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    """Collect the processes that are started; they find the settings of the book."""
    monkeypatch.setenv("VERITICK_MODE", "development")
    monkeypatch.setenv("VERITICK_BOOKS__DEMO__DATABASE_URL", books.demo.owner)
    processes: list[Process] = []
    start = asyncio.create_subprocess_exec

    async def noted(*command: Any, **options: Any) -> Process:
        process = await start(*command, **options)
        processes.append(process)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    return processes


async def test_what_a_process_of_its_own_finds_is_what_is_found_on_the_spot(
    books: Books, started: list[Process]
) -> None:
    await books.be_busy()
    books.tamper("UPDATE seal SET time = time + interval '1 s' WHERE seal_id = 5")
    books.tamper("UPDATE account SET posted = posted + 1 WHERE posted > 0")
    here = await books.audit()
    apart = await AuditApart("demo", books.auditor(), little=0).audit()
    assert len(started) == 1
    assert len(here.findings) > 1
    assert set(apart.unchecked) == {"I6", "I12"}  # it was given no quotes to ask
    assert apart.time.tzinfo is not None
    apart.unchecked, apart.time = here.unchecked, here.time
    assert apart == here


async def test_what_is_little_is_audited_on_the_spot(books: Books, started: list[Process]) -> None:
    await books.be_busy()
    auditor = AuditApart("demo", books.auditor())
    assert await auditor.amount(full=True) == 37 <= LITTLE
    assert (await auditor.audit(full=True)).entries == 37
    assert (await auditor.amount(), await auditor.amount(full=True)) == (0, 37)
    assert not started


async def test_it_says_how_far_it_is_gives_way_and_ends_when_it_is_given_up(
    books: Books, started: list[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_apart, "_TURN_SECONDS", 0.05)
    await books.be_busy()
    auditor, progress = AuditApart("demo", books.auditor(), little=0), Progress()
    with psycopg.connect(books.demo.owner) as connection:
        connection.execute("LOCK TABLE hold IN ACCESS EXCLUSIVE MODE")
        auditing = asyncio.create_task(auditor.audit(progress=progress))
        await eventually(lambda: progress.entries == progress.entries_total == 37)
        await eventually(lambda: books.tamper(_ASKING) == [(1,)])
        (process,) = started
        assert os.getpriority(os.PRIO_PROCESS, process.pid) >= 10
        with pytest.raises(Failure, match="Others have the book audited already"):
            await auditor.audit()
        auditing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await auditing
        assert process.returncode == -signal.SIGKILL
        # Nor does the database go on for it.
        await eventually(lambda: books.tamper(_ASKING) == [(0,)])
    assert (await auditor.audit()).entries == 37


async def test_it_ends_when_nobody_listens_any_more(books: Books, started: list[Process]) -> None:
    """As when the service is killed, which can end nothing any more."""
    await books.be_busy()
    with psycopg.connect(books.demo.owner) as connection:
        connection.execute("LOCK TABLE hold IN ACCESS EXCLUSIVE MODE")
        reading, writing = os.pipe()
        command = [sys.executable, "-m", "services.trading", "audit", "--apart"]
        process = await asyncio.create_subprocess_exec(*command, stdout=writing, stderr=DEVNULL)
        os.close(writing)
        await eventually(lambda: books.tamper(_ASKING) == [(1,)])
        os.close(reading)
        assert await process.wait() != 0


async def test_that_the_database_is_away_is_told_as_such(
    books: Books, started: list[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    await books.be_busy()
    monkeypatch.setenv("VERITICK_BOOKS__DEMO__STATEMENT_TIMEOUT_SECONDS", "0.2")
    with psycopg.connect(books.demo.owner) as connection:
        connection.execute("LOCK TABLE account IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(DatabaseUnavailable, match="statement timeout"):
            await AuditApart("demo", books.auditor(), little=0).audit()
    assert len(started) == 1


async def test_a_process_that_ends_without_a_report_is_a_failure(
    books: Books, started: list[Process], capfd: pytest.CaptureFixture[str]
) -> None:
    await books.be_busy()
    with pytest.raises(RuntimeError, match="ended with 1 and without a report"):
        await AuditApart("nosuch", books.auditor(), little=0).audit()
    assert "there is no book 'nosuch' here" in capfd.readouterr().err
