"""The group commit: the one writer of a book, and how what arrives together is committed together.

Callers submit commands and wait. While a transaction is committing, whatever arrives is collected;
the next transaction takes all of it. So a commit, which costs a disk's flush, is shared, and every
caller still waits for its own. How the next batch is decided meanwhile is told in `commit`.
While many ask at once a batch is not begun with the first of them: see `_gather` and `_front`.

A kind of command says how a batch of it is decided and written (`commit.Batch`). Every kind is
idempotent by an id of its own, and from that follows how faults are met:

- An error that nobody announced, be it in deciding or in the database: the batch is committed
  again, one by one. A command that provokes a fault of ours is answered INTERNAL, and stops nobody.
- A commit whose outcome is unknown: wait until the old transaction has ended, then commit the
  same commands again. Those that had happened answer as replays.
- Leadership lost: the fence in the transaction has refused it; callers hear UNAVAILABLE.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from time import perf_counter
from typing import Any, LiteralString, NamedTuple

import psycopg
import structlog
from prometheus_client import Histogram

from services.kit.database import (
    CommitUnknown,
    Database,
    DatabaseUnavailable,
    translating_outages,
)
from services.kit.errors import Failure
from services.kit.leader import Leadership, LeadershipLost, Term
from services.kit.reason import Reason
from services.trading.commit import Batch, Lines, Overtaken, Progress, Transaction

WAITING_MAX = 20_000
_RETRY = timedelta(milliseconds=500)
_ATTEMPTS = 5
_ENOUGH = 16
"""So many commands in a batch make what a batch costs by itself small beside what they cost."""

_COMPANY = 4
"""Whoever shared a commit with so many may expect others to come soon."""

_LINGER = timedelta(milliseconds=3)
"""How long they are waited for: less than it takes to commit them apart."""

# The writer only ever looks rows up by key. Statistics that lag behind a book that grows fast
# must not talk the planner into reading a whole table instead; and a plan, once made, serves.
KEY_LOOKUPS: LiteralString = """
    SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
    SET plan_cache_mode = force_generic_plan
"""
_AWAIT_OLD_TRANSACTION: LiteralString = "SELECT FROM leader WHERE name = %(leader)s FOR UPDATE"

BATCH_SIZE = Histogram(
    "veritick_trading_batch_commands",
    "Commands that shared a commit",
    ["book", "kind"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
)
COMMIT_SECONDS = Histogram(
    "veritick_trading_commit_seconds",
    "How long a batch took, from forming to committed",
    ["book", "kind"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
_UNKNOWN = object()
_log = structlog.stdlib.get_logger()


class Call:
    """A caller who waits for the results of its commands."""

    def __init__(self, commands: int) -> None:
        self.results: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._known: list[object] = [_UNKNOWN] * commands
        self._missing = commands

    def answer(self, number: int, result: object) -> None:
        """Take the result of one command, the first one told; with the last the caller goes on."""
        if self._known[number] is not _UNKNOWN:
            return
        self._known[number] = result
        self._missing -= 1
        if self._missing == 0 and not self.results.done():
            self.results.set_result(self._known)


class Job(NamedTuple):
    """A command, and where its result goes."""

    command: Any
    call: Call
    number: int


class UnderWay(NamedTuple):
    """A batch that was begun."""

    batch: Batch
    jobs: Sequence[Job]
    progress: Progress
    task: asyncio.Task[None]


class Writer:
    """The writer of one book, in this process: leading or standing by."""

    def __init__(
        self,
        book: str,
        database: Database,
        leadership: Leadership,
        batches: Mapping[type, Batch],
    ) -> None:
        """Write to `database` while leading; `batches` says what to do with each command type."""
        self.book = book
        self._database = database
        self._leadership = leadership
        self._batches = batches
        self._waiting: deque[Job] = deque()
        self._woken = asyncio.Event()
        self._crowded = asyncio.Event()
        self._shared = 0
        self._under_way: deque[UnderWay] = deque()
        self.leading = False

    async def submit(self, command: Any) -> Any:
        """Return the command's result once it is committed.

        Failures: what its batch refuses with; UNAVAILABLE when this process does not lead the
        book or too much is waiting; OUTCOME_UNKNOWN when the database went away while committing.
        """
        [result] = await self.submit_all([command])
        if isinstance(result, Failure):
            raise result
        return result

    async def submit_all(self, commands: Sequence[Any]) -> list[Any]:
        """Return the result of each command, or the Failure that `submit` would raise.

        They follow each other without a gap, and so share their commits.
        """
        if not self.leading or len(self._waiting) + len(commands) > WAITING_MAX:
            return [unavailable()] * len(commands)
        if not commands:
            return []
        call = Call(len(commands))
        self._waiting.extend(Job(command, call, number) for number, command in enumerate(commands))
        self._woken.set()
        if len(self._waiting) >= _ENOUGH:
            self._crowded.set()
        return await call.results

    def has_others(self, kind: str) -> bool:
        """Tell whether commands of other kinds than this one are waiting or under way."""
        return any(item.batch.kind != kind for item in self._under_way) or any(
            self._batches[type(job.command)].kind != kind for job in self._waiting
        )

    async def run(self) -> None:
        """Lead the book whenever elected, for ever."""
        await self._leadership.run(self._lead)

    async def _lead(self, term: Term) -> None:
        async with self._connected() as lines:
            for batch in self._batches.values():
                await batch.load(lines.reading)
            self.leading = True
            _log.info("leads the book", book=self.book, epoch=term.epoch)
            try:
                await self._commit_arrivals(lines, term)
            finally:
                self.leading = False
                self._refuse_waiting()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Lines]:
        async with AsyncExitStack() as stack:
            lines = Lines(
                await stack.enter_async_context(self._database.raw()),
                await stack.enter_async_context(self._database.raw()),
            )
            for connection in lines:
                await connection.set_autocommit(True)
                await connection.execute(KEY_LOOKUPS)
            try:
                yield lines
            finally:
                # What was set on them is for the writer alone: the pool makes new ones.
                for connection in lines:
                    await connection.close()

    async def _commit_arrivals(self, lines: Lines, term: Term) -> None:
        """Begin one batch after the other, each as soon as the one before it was sent."""
        try:
            while True:
                await self._woken.wait()
                self._woken.clear()
                self._forget_ended()
                while self._waiting:
                    await self._begin(lines, term)
        except (DatabaseUnavailable, LeadershipLost):
            # What else is under way may still find out what became of it.
            await asyncio.gather(*self._tasks(), return_exceptions=True)
            raise
        finally:
            for task in self._tasks():
                task.cancel()
            await asyncio.gather(*self._tasks(), return_exceptions=True)
            _answer([job for item in self._under_way for job in item.jobs], unavailable())
            self._under_way.clear()

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [item.task for item in self._under_way]

    async def _begin(self, lines: Lines, term: Term) -> None:
        """Begin the batch in front, when it may, and come back when it was sent."""
        batch = self._batches[type(self._waiting[0].command)]
        await self._gather(min(_ENOUGH, batch.size_max))
        # More than one is under way only while one recovers from a fault.
        overlaps = batch.ahead and all(item.batch.ahead for item in self._under_way)
        if not overlaps or len(self._under_way) > 1:
            await asyncio.gather(*self._tasks())
            self._forget_ended()
        jobs = self._front(batch)
        if not jobs:
            return
        previous = self._under_way[-1].progress if self._under_way else None
        progress = Progress()
        transaction = Transaction(lines, term, progress, previous)
        task = asyncio.create_task(self._commit(batch, jobs, transaction))
        task.add_done_callback(self._look_at)
        self._under_way.append(UnderWay(batch, jobs, progress, task))
        await progress.sent.wait()
        self._forget_ended()

    async def _gather(self, enough: int) -> None:
        """While many ask at once, wait a moment until enough of them are here to share a commit.

        Whoever asks alone never waits for others: the last batch tells.
        """
        if self._shared < _COMPANY or len(self._waiting) >= enough:
            return
        self._crowded.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER.total_seconds()):
                await self._crowded.wait()

    def _front(self, batch: Batch) -> list[Job]:
        """Take the commands in front that are of one kind, leaving out those given up on.

        Callers answered together come back together. Without a batch under way, half of a crowd
        is left for the next one: from then on one half is decided while the other is written.
        """
        size_max, crowd = batch.size_max, len(self._waiting)
        if not self._under_way and crowd >= 2 * _ENOUGH:
            size_max = min(size_max, (crowd + 1) // 2)
        jobs: list[Job] = []
        while self._waiting and len(jobs) < size_max:
            job = self._waiting[0]
            if self._batches[type(job.command)] is not batch:
                break
            self._waiting.popleft()
            if not job.call.results.done():
                jobs.append(job)
        if batch.size_max > 1:
            self._shared = len(jobs)
        return jobs

    def _look_at(self, task: asyncio.Task[None]) -> None:
        """Let a commit that failed be noticed at once, also when nothing arrives."""
        if task.cancelled() or task.exception() is not None:
            self._woken.set()

    def _forget_ended(self) -> None:
        """Drop the batches that have ended; raises what made one of them fail."""
        while self._under_way and self._under_way[0].task.done():
            self._under_way.popleft().task.result()

    async def _commit(self, batch: Batch, jobs: Sequence[Job], transaction: Transaction) -> None:
        """Commit a batch, whatever it takes, and answer its callers."""
        started, progress = perf_counter(), transaction.progress
        commands = [job.command for job in jobs]
        try:
            results, as_said = await self._attempt(batch, commands, transaction)
        except BaseException as error:
            stopped = isinstance(error, asyncio.CancelledError) and progress.sent.is_set()
            unknown = stopped or isinstance(error, CommitUnknown)
            progress.end(as_said=False)
            _answer(jobs, _outcome_unknown() if unknown else unavailable())
            raise
        progress.end(as_said=as_said)
        for job, result in zip(jobs, results, strict=True):
            job.call.answer(job.number, result)
        BATCH_SIZE.labels(self.book, batch.kind).observe(len(jobs))
        COMMIT_SECONDS.labels(self.book, batch.kind).observe(perf_counter() - started)
        if transaction.lines.closed:
            raise DatabaseUnavailable("the writer's connection is gone")

    async def _attempt(
        self, batch: Batch, commands: Sequence[Any], transaction: Transaction
    ) -> tuple[Sequence[object], bool]:
        """Return the results, and whether the book is now as the batch said it would be."""
        try:
            with translating_outages():
                results = await batch.commit(commands, transaction)
            # Also what wrote nothing was decided on the commit before it.
            await transaction.turn()
        except Overtaken:
            return await self._attempt(batch, commands, transaction.alone())
        except CommitUnknown:
            return await self._resolve(batch, commands, transaction), False
        except (DatabaseUnavailable, LeadershipLost):
            raise
        except Exception as error:  # noqa: BLE001  whatever a command provokes is its own affair
            with suppress(Overtaken):
                await transaction.turn()
            return await self._one_by_one(batch, commands, transaction, error), False
        return results, True

    async def _one_by_one(
        self,
        batch: Batch,
        commands: Sequence[Any],
        transaction: Transaction,
        error: Exception,
    ) -> Sequence[object]:
        """Commit the commands of a batch that failed, so that only the faulty one fails."""
        _log.error(
            "batch failed", book=self.book, kind=batch.kind, size=len(commands), exc_info=error
        )
        await batch.load(transaction.lines.reading)
        if len(commands) == 1:
            return [_fault(error)]
        results: list[object] = []
        for command in commands:
            singly, _ = await self._attempt(batch, [command], transaction.alone())
            results += singly
        return results

    async def _resolve(
        self, batch: Batch, commands: Sequence[Any], lost: Transaction
    ) -> Sequence[object]:
        """Find out on a new connection, by doing it again, what became of a commit."""
        _log.warning("commit unknown", book=self.book, kind=batch.kind, size=len(commands))
        for attempt in range(_ATTEMPTS):
            try:
                async with self._database.raw() as connection:
                    # The old transaction, if it still runs, holds the fence until it has ended.
                    parameters = {"leader": lost.leader}
                    await connection.execute(_AWAIT_OLD_TRANSACTION, parameters)
                    await connection.rollback()
                    await connection.set_autocommit(True)
                    await batch.load(connection)
                    return await batch.commit(commands, lost.alone(Lines(connection, connection)))
            except LeadershipLost:
                break  # the writer that leads now can tell, by their ids
            except (DatabaseUnavailable, psycopg.Error) as error:
                _log.warning("still unknown", book=self.book, attempt=attempt, reason=str(error))
        raise CommitUnknown(f"the fate of {len(commands)} commands is not known")

    def _refuse_waiting(self) -> None:
        jobs = list(self._waiting)
        self._waiting.clear()
        _answer(jobs, unavailable())


def _answer(jobs: Sequence[Job], result: object) -> None:
    """Give all these the same answer, except those that have one."""
    for job in jobs:
        job.call.answer(job.number, result)


def unavailable() -> Failure:
    """Return the refusal of whoever comes to a process that does not write the book."""
    message = "The book takes no changes here at the moment."
    return Failure(Reason.UNAVAILABLE, message, retry_after=_RETRY, metadata={"part": "book"})


def _outcome_unknown() -> Failure:
    message = "The connection to the database broke while committing."
    return Failure(Reason.OUTCOME_UNKNOWN, message, retry_after=_RETRY)


def _fault(error: BaseException) -> Failure:
    failure = Failure(Reason.INTERNAL, "A fault of ours; it was recorded.")
    failure.__cause__ = error
    return failure
