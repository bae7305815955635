import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from services.kit.clock import SystemClock
from services.kit.database import Database
from services.kit.jobs import Job, JobOutcome, JobRun, JobRunner
from services.kit.settings import DatabaseSettings
from tests.service.kit_databases import Databases

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


def runner(
    database: Database, *jobs: Job, on_run: Callable[[JobRun], None] | None = None
) -> JobRunner:
    return JobRunner(database, jobs, SystemClock(), on_run=on_run)


async def run_for(seconds: float, *runs: Awaitable[None]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*runs)


async def recorded(database: Database, name: str, columns: str) -> Any:
    async with database.raw() as raw:
        query = f"SELECT {columns} FROM job WHERE name = %s".encode()
        return await (await raw.execute(query, [name])).fetchone()


async def test_a_job_repeats(kit_database: Database) -> None:
    work = Work()

    await run_for(0.6, runner(kit_database, Job("tidy", OFTEN, work)).run())

    assert 4 <= work.done <= 12


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
    replicas = [runner(kit_database, Job("tidy", OFTEN, work)).run() for _ in range(4)]

    await run_for(0.7, *replicas)

    assert work.done >= 3
    assert work.at_once == 1


async def test_a_run_is_recorded(kit_database: Database) -> None:
    heard: list[JobRun] = []
    job = Job("tidy", DAILY, Work(takes_seconds=0.05))

    await runner(kit_database, job, on_run=heard.append).run_if_due(job)

    kept = "runs, failures, outcome, reason, claimed_until, finished_at >= started_at"
    assert await recorded(kit_database, "tidy", kept) == (1, 0, "SUCCEEDED", None, None, True)
    (duration,) = await recorded(kit_database, "tidy", "duration")
    assert timedelta(seconds=0.05) <= duration < timedelta(seconds=5)
    assert [(run.name, run.outcome) for run in heard] == [("tidy", JobOutcome.SUCCEEDED)]


async def test_a_failure_is_kept_with_its_reason_and_ends_nothing(kit_database: Database) -> None:
    work = Work()

    async def fail() -> None:
        raise LookupError("no such rate at postgresql://svc:hunter2@db/rates")

    failing, sound = Job("rates", OFTEN, fail), Job("tidy", OFTEN, work)
    await run_for(0.4, runner(kit_database, failing, sound).run())

    runs, failures, outcome, reason = await recorded(
        kit_database, "rates", "runs, failures, outcome, reason"
    )
    assert runs >= 2
    assert failures >= 2
    assert outcome == "FAILED"
    assert reason == "LookupError: no such rate at postgresql://svc:***@db/rates"
    assert work.done >= 2


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
    endless = Job("tidy", DAILY, Work(takes_seconds=60))
    await run_for(0.2, runner(kit_database, endless).run())

    work = Work()
    job = Job("tidy", DAILY, work)
    assert await runner(kit_database, job).run_if_due(job)
    assert work.done == 1


async def test_the_claim_of_a_replica_that_died_lapses(kit_database: Database) -> None:
    job = Job("tidy", timedelta(seconds=1), Work(takes_seconds=60))
    dying = asyncio.create_task(runner(kit_database, job).run())
    await asyncio.sleep(0.2)
    other = Job("tidy", timedelta(milliseconds=1), Work())

    # Death says no goodbye: what stays is the claim.
    assert not await runner(kit_database, other).run_if_due(other)
    async with kit_database.raw() as raw, raw.transaction():
        await raw.execute("UPDATE job SET claimed_until = clock_timestamp()")
    assert await runner(kit_database, other).run_if_due(other)

    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    # The late one does not undo what its successor recorded.
    assert await recorded(kit_database, "tidy", "runs, outcome") == (2, "SUCCEEDED")


async def test_an_outage_of_the_database_only_makes_jobs_wait(
    kit_databases: Databases, kit_settings: DatabaseSettings
) -> None:
    work = Work()
    async with Database.from_settings(kit_settings, name="outage") as database:
        running = asyncio.create_task(runner(database, Job("tidy", OFTEN, work)).run())
        await asyncio.sleep(0.3)
        before = work.done
        with kit_databases.superuser() as superuser:
            for _ in range(5):
                superuser.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'outage'"
                )
                await asyncio.sleep(0.05)
        async with asyncio.timeout(6):
            while work.done < before + 3:
                await asyncio.sleep(0.05)

        running.cancel()
        await asyncio.wait({running})
        assert running.cancelled()


def test_two_jobs_of_one_name_are_refused() -> None:
    job = Job("tidy", DAILY, Work())

    with pytest.raises(ValueError, match="tidy"):
        JobRunner(Database("", name="none"), [job, job], SystemClock())
