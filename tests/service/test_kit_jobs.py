import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata
from structlog.testing import capture_logs

from services.kit.clock import SystemClock
from services.kit.database import Database, DatabaseUnavailable
from services.kit.errors import Failure
from services.kit.jobs import Job, JobOutcome, JobRun, JobRunner
from services.kit.reason import Reason
from services.kit.settings import DatabaseSettings
from tests.service.kit_databases import Databases
from tests.waiting import PATIENCE_SECONDS, eventually

pytest_plugins = ["tests.service.kit_fixtures"]

OFTEN = timedelta(milliseconds=50)
DAILY = timedelta(days=1)


class Work:
    """Counts how often it was done."""

    def __init__(self, takes_seconds: float = 0.0) -> None:
        self.begun = 0
        self.done = 0
        self.at_once = 0
        self._takes_seconds = takes_seconds

    async def __call__(self) -> None:
        self.begun += 1
        self.at_once = max(self.at_once, self.begun - self.done)
        await asyncio.sleep(self._takes_seconds)
        self.done += 1

    async def until_begun(self, runs: int) -> None:
        """Wait until it was begun so often."""
        await eventually(lambda: self.begun >= runs)


def runner(
    database: Database, *jobs: Job, on_run: Callable[[JobRun], None] | None = None
) -> JobRunner:
    return JobRunner(database, jobs, SystemClock(), on_run=on_run)


@asynccontextmanager
async def running(*runners: JobRunner) -> AsyncIterator[None]:
    """Let replicas run for as long as the context lasts."""
    tasks = [asyncio.create_task(each.run()) for each in runners]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)


async def recorded(database: Database, name: str, columns: str) -> Any:
    async with database.raw() as raw:
        query = f"SELECT {columns} FROM job WHERE name = %s".encode()
        return await (await raw.execute(query, [name])).fetchone()


async def test_a_job_repeats_at_its_interval(kit_database: Database) -> None:
    work = Work()
    clock = SystemClock()
    began = clock.now()

    async with running(runner(kit_database, Job("tidy", OFTEN, work))):
        await work.until_begun(5)

    assert clock.now() - began >= 4 * OFTEN


async def test_a_job_is_not_run_before_its_time_by_whichever_replica(
    kit_database: Database,
) -> None:
    work = Work()
    job = Job("tidy", DAILY, work)

    assert await runner(kit_database, job).run_if_due(job)
    assert not await runner(kit_database, job).run_if_due(job)
    assert work.done == 1


async def test_one_replica_at_a_time(kit_database: Database) -> None:
    work = Work(takes_seconds=0.1)

    async with running(*(runner(kit_database, Job("tidy", OFTEN, work)) for _ in range(4))):
        await work.until_begun(4)

    assert work.at_once == 1


async def test_a_run_is_recorded(kit_database: Database) -> None:
    heard: list[JobRun] = []
    job = Job("tidy", DAILY, Work(takes_seconds=0.05))

    await runner(kit_database, job, on_run=heard.append).run_if_due(job)

    kept = "runs, failures, outcome, reason, claimed_until, finished_at >= started_at"
    assert await recorded(kit_database, "tidy", kept) == (1, 0, "SUCCEEDED", None, None, True)
    (duration,) = await recorded(kit_database, "tidy", "duration")
    assert timedelta(seconds=0.05) <= duration < timedelta(seconds=PATIENCE_SECONDS)
    assert [(run.name, run.outcome) for run in heard] == [("tidy", JobOutcome.SUCCEEDED)]


async def test_a_failure_is_kept_with_its_reason_and_ends_nothing(kit_database: Database) -> None:
    work, attempt = Work(), Work()

    async def fail() -> None:
        await attempt()
        raise LookupError("no such rate at postgresql://svc:hunter2@db/rates")

    failing, sound = Job("rates", OFTEN, fail), Job("tidy", OFTEN, work)
    async with running(runner(kit_database, failing, sound)):
        await attempt.until_begun(3)
        await work.until_begun(attempt.begun)

    runs, failures, outcome, reason = await recorded(
        kit_database, "rates", "runs, failures, outcome, reason"
    )
    assert runs >= 2
    assert failures >= 2
    assert outcome == "FAILED"
    assert reason == "LookupError: no such rate at postgresql://svc:***@db/rates"


@pytest.mark.parametrize(
    ("error", "level", "reason"),
    [
        (
            AioRpcError(StatusCode.UNAVAILABLE, Metadata(), Metadata()),
            "warning",
            "Failure: The service did not answer.",
        ),
        (Failure(Reason.MARKET_CLOSED, "Closed."), "warning", "Failure: Closed."),
        (DatabaseUnavailable("gone"), "warning", "DatabaseUnavailable: gone"),
        (LookupError("no such rate"), "error", "LookupError: no such rate"),
    ],
)
async def test_only_a_fault_of_ours_is_logged_with_where_it_came_up(
    kit_database: Database, error: Exception, level: str, reason: str
) -> None:
    async def fail() -> None:
        raise error

    job = Job("rates", DAILY, fail)
    with capture_logs() as logs:
        assert await runner(kit_database, job).run_if_due(job)
    (entry,) = logs
    assert (entry["log_level"], entry["reason"]) == (level, reason)
    assert ("exc_info" in entry) == (level == "error")


async def test_a_run_has_a_limit(kit_database: Database) -> None:
    job = Job("tidy", DAILY, Work(takes_seconds=10), limit=timedelta(seconds=0.1))

    run = await runner(kit_database, job).run_if_due(job)

    assert run
    assert run.outcome is JobOutcome.TIMED_OUT
    assert await recorded(kit_database, "tidy", "outcome, failures") == ("TIMED_OUT", 1)


async def test_a_timeout_of_the_work_itself_is_a_failure(kit_database: Database) -> None:
    async def give_up() -> None:
        raise TimeoutError("the provider did not answer")

    job = Job("rates", DAILY, give_up)

    run = await runner(kit_database, job).run_if_due(job)

    assert run
    assert run.outcome is JobOutcome.FAILED


async def test_a_run_cut_short_by_a_stop_is_made_by_another_replica_at_once(
    kit_database: Database,
) -> None:
    endless = Work(takes_seconds=60)
    async with running(runner(kit_database, Job("tidy", DAILY, endless))):
        await endless.until_begun(1)

    work = Work()
    job = Job("tidy", DAILY, work)
    assert await runner(kit_database, job).run_if_due(job)
    assert work.done == 1


async def test_the_claim_of_a_replica_that_died_lapses(kit_database: Database) -> None:
    endless = Work(takes_seconds=60)
    other = Job("tidy", timedelta(milliseconds=1), Work())

    async with running(runner(kit_database, Job("tidy", timedelta(seconds=1), endless))):
        await endless.until_begun(1)

        # Death says no goodbye: what stays is the claim.
        assert not await runner(kit_database, other).run_if_due(other)
        async with kit_database.raw() as raw, raw.transaction():
            await raw.execute("UPDATE job SET claimed_until = clock_timestamp()")
        assert await runner(kit_database, other).run_if_due(other)

    # The late one does not undo what its successor recorded.
    assert await recorded(kit_database, "tidy", "runs, outcome") == (2, "SUCCEEDED")


def end_connections(superuser: psycopg.Connection, name: str) -> None:
    """End the connections of this name, as a restart of Postgres does."""
    superuser.execute(
        "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE application_name = %s",
        [name],
    )


async def test_an_outage_of_the_database_only_makes_jobs_wait(
    kit_databases: Databases, kit_settings: DatabaseSettings
) -> None:
    work = Work()
    async with (
        Database.from_settings(kit_settings, name="outage") as database,
        running(runner(database, Job("tidy", OFTEN, work))),
    ):
        await work.until_begun(1)
        with kit_databases.superuser() as superuser:
            for _ in range(5):
                end_connections(superuser, "outage")
                await asyncio.sleep(0.02)

        await work.until_begun(work.begun + 3)


async def until_waiting(superuser: psycopg.Connection, name: str) -> None:
    """Wait until a connection of this name waits for a lock."""
    waiting = (
        "SELECT 1 FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"
    )
    await eventually(lambda: superuser.execute(waiting, [name]).fetchone() is not None)


async def test_a_run_that_could_not_be_recorded_is_made_again_at_once(
    kit_databases: Databases, kit_settings: DatabaseSettings, kit_database: Database
) -> None:
    work = Work()

    async def tidy() -> None:
        await work()
        if work.done == 1:
            locking = await locked.enter_async_context(kit_database.raw())
            await locking.execute("SELECT 1 FROM job FOR UPDATE")

    job = Job("tidy", DAILY, tidy)
    async with Database.from_settings(kit_settings, name="lost") as database:
        replica = runner(database, job)
        async with AsyncExitStack() as locked:
            run = asyncio.create_task(replica.run_if_due(job))
            with kit_databases.superuser() as superuser:
                await until_waiting(superuser, "lost")
                end_connections(superuser, "lost")
            with pytest.raises(DatabaseUnavailable):
                await run

        assert await replica.run_if_due(job)
        assert await recorded(database, "tidy", "runs, outcome") == (2, "SUCCEEDED")
        assert not await replica.run_if_due(job)


async def test_a_claim_that_was_granted_but_never_heard_of_keeps_nobody_waiting(
    kit_database: Database,
) -> None:
    work = Work()
    job = Job("tidy", DAILY, work)
    replica = runner(kit_database, job)
    await replica._claim(job)

    assert not await runner(kit_database, job).run_if_due(job)
    assert await replica.run_if_due(job)
    assert work.done == 1


def test_two_jobs_of_one_name_are_refused() -> None:
    job = Job("tidy", DAILY, Work())

    with pytest.raises(ValueError, match="tidy"):
        JobRunner(Database("", name="none"), [job, job], SystemClock())
