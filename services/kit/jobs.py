"""Recurring work: named jobs at an interval, each run by one replica at a time.

A run is claimed in the table `job`, by the database's clock: the claim is granted when the interval
since the last start has passed and nobody holds one. It lapses with the job's time limit, so a
replica that died in the middle keeps nobody waiting for longer. A replica that lived on knows its
own claim again: when the database went away before the end of a run was recorded, or before it said
that the claim was granted, the run is made as soon as it is back. The row keeps how it last went.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from random import Random
from typing import LiteralString
from uuid import UUID

import grpc.aio
import structlog

from services.kit.clock import Clock
from services.kit.database import Database, DatabaseUnavailable
from services.kit.errors import Failure
from services.kit.logs import without_secrets
from services.kit.metrics import JOB_RUNS, JOB_SECONDS
from services.kit.status import failure_of

_REASON_LENGTH_MAX = 500
_JITTER_SHARE = 0.1
_JITTER_SECONDS_MAX = 10.0
_RETRY_SECONDS = 2.0
_ABANDON_SECONDS = 2.0
# The claim outlives the time limit by this much, so that a run is over before another may start.
_CLAIM_MARGIN_SECONDS = 10.0

_ENTER = "INSERT INTO job (name) VALUES (%(name)s) ON CONFLICT DO NOTHING"
_CLAIM = """
    UPDATE job
    SET runs = runs + 1, started_at = clock_timestamp(), claimed_by = %(runner)s,
        claimed_until = clock_timestamp() + make_interval(secs => %(claim)s)
    WHERE name = %(name)s AND (
        claimed_by = %(runner)s
        OR coalesce(claimed_until <= clock_timestamp(), true)
        AND coalesce(started_at + make_interval(secs => %(every)s) <= clock_timestamp(), true)
    )
    RETURNING runs
"""
_DUE_IN = """
    SELECT extract(epoch FROM greatest(started_at + make_interval(secs => %(every)s),
                                       claimed_until) - clock_timestamp())::float8
    FROM job WHERE name = %(name)s
"""
_RECORD = """
    UPDATE job
    SET claimed_by = NULL, claimed_until = NULL, finished_at = clock_timestamp(),
        duration = make_interval(secs => %(duration)s),
        outcome = %(outcome)s, reason = %(reason)s,
        failures = failures + (%(outcome)s <> 'SUCCEEDED')::int
    WHERE name = %(name)s AND runs = %(run)s
"""
_ABANDON = """
    UPDATE job SET claimed_by = NULL, claimed_until = NULL, started_at = NULL
    WHERE name = %(name)s AND runs = %(run)s
"""

_log = structlog.stdlib.get_logger()


class JobOutcome(StrEnum):
    """How a run of a job ended."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"


@dataclass(frozen=True, slots=True)
class Job:
    """Work to repeat: its name, the time between starts, and what to do.

    A run longer than `limit` is cancelled. The work must bear being repeated, since a run that was
    cut short is simply made again.
    """

    name: str
    every: timedelta
    run: Callable[[], Awaitable[None]]
    limit: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class JobRun:
    """One finished run, for metrics."""

    name: str
    outcome: JobOutcome
    duration_seconds: float
    reason: str | None


class JobRunner:
    """Runs the jobs of one service; every replica has one, and each job one run at a time."""

    def __init__(
        self,
        database: Database,
        jobs: Sequence[Job],
        clock: Clock,
        *,
        on_run: Callable[[JobRun], None] | None = None,
        random: Random | None = None,
    ) -> None:
        """Prepare to run `jobs`; `on_run` hears of each run made here."""
        names = [job.name for job in jobs]
        if len(set(names)) < len(names):
            raise ValueError(f"two jobs of one name: {sorted(names)}")
        self._database = database
        self._jobs = jobs
        self._clock = clock
        self._on_run = on_run
        self._random = random or Random()  # noqa: S311  spreads load, guards nothing
        self._id = UUID(int=self._random.getrandbits(128), version=4)

    async def run(self) -> None:
        """Run the jobs until cancelled. No failure of a job or of the database ends it."""
        async with asyncio.TaskGroup() as group:
            for job in self._jobs:
                group.create_task(self._repeat(job), name=f"job:{job.name}")

    async def _repeat(self, job: Job) -> None:
        while True:
            try:
                await self.run_if_due(job)
                pause = await self._due_in(job)
            except DatabaseUnavailable as error:
                _log.warning("job waits for the database", job=job.name, reason=str(error))
                pause = _RETRY_SECONDS
            await asyncio.sleep(max(pause, 0.0) + self._jitter(job))

    async def run_if_due(self, job: Job) -> JobRun | None:
        """Run a job now if it is due and nobody else is at it; return how it went, else None.

        Errors: DatabaseUnavailable, after which it is due again, whether the work was done or not.
        """
        run_number = await self._claim(job)
        if run_number is None:
            return None
        try:
            run = await self._attempt(job)
        except asyncio.CancelledError:
            await self._abandon(job, run_number)
            raise
        JOB_RUNS.labels(self._database.name, job.name, run.outcome.value).inc()
        JOB_SECONDS.labels(self._database.name, job.name).set(run.duration_seconds)
        if self._on_run:
            self._on_run(run)
        await self._record(run, run_number)
        return run

    async def _attempt(self, job: Job) -> JobRun:
        began = self._clock.monotonic()
        outcome, reason = JobOutcome.SUCCEEDED, None
        deadline = asyncio.timeout(job.limit.total_seconds())
        try:
            async with deadline:
                await job.run()
        except Exception as error:  # noqa: BLE001  whatever a job raises is logged, counted, kept
            outcome = JobOutcome.TIMED_OUT if deadline.expired() else JobOutcome.FAILED
            told = failure_of(error) if isinstance(error, grpc.aio.AioRpcError) else error
            reason = without_secrets(f"{type(told).__name__}: {told}")[:_REASON_LENGTH_MAX]
            # That somebody is away or refuses is no fault of ours, whose place would tell anything.
            expected = isinstance(told, Failure | DatabaseUnavailable)
            log = _log.warning if expected else _log.exception
            log("job failed", job=job.name, outcome=outcome, reason=reason)
        return JobRun(job.name, outcome, self._clock.monotonic() - began, reason)

    async def _claim(self, job: Job) -> int | None:
        claim = job.limit.total_seconds() + _CLAIM_MARGIN_SECONDS
        parameters = {
            "name": job.name,
            "every": job.every.total_seconds(),
            "runner": self._id,
            "claim": claim,
        }
        async with self._database.raw() as connection, connection.transaction():
            await connection.execute(_ENTER, parameters)
            row = await (await connection.execute(_CLAIM, parameters)).fetchone()
        return int(row[0]) if row else None

    async def _abandon(self, job: Job, run_number: int) -> None:
        """Give up a run that is cut short by a stop, so that another replica may make it now."""
        with suppress(DatabaseUnavailable, TimeoutError):
            async with asyncio.timeout(_ABANDON_SECONDS):
                await self._execute(_ABANDON, {"name": job.name, "run": run_number})

    async def _due_in(self, job: Job) -> float:
        parameters = {"name": job.name, "every": job.every.total_seconds()}
        async with self._database.raw() as connection:
            row = await (await connection.execute(_DUE_IN, parameters)).fetchone()
        return float(row[0]) if row and row[0] is not None else 0.0

    async def _record(self, run: JobRun, run_number: int) -> None:
        parameters: dict[str, object] = {
            "name": run.name,
            "run": run_number,
            "duration": run.duration_seconds,
            "outcome": run.outcome.value,
            "reason": run.reason,
        }
        await self._execute(_RECORD, parameters)

    async def _execute(self, statement: LiteralString, parameters: dict[str, object]) -> None:
        async with self._database.raw() as connection, connection.transaction():
            await connection.execute(statement, parameters)

    def _jitter(self, job: Job) -> float:
        """Return up to a tenth of the interval, so that jobs and replicas do not march in step."""
        bound = min(job.every.total_seconds() * _JITTER_SHARE, _JITTER_SECONDS_MAX)
        return self._random.uniform(0.0, bound)
