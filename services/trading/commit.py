"""The group commit: the one writer of a book, and how what arrives together is committed together.

Callers submit commands and wait. While a transaction is committing, whatever arrives is collected;
the next transaction takes all of it. So a commit, which costs a disk's flush, is shared, and every
caller still waits for its own.

A kind of command says how a batch of it is decided and written (`Batch`). Every kind is idempotent
by an id of its own, and from that follows how faults are met:

- An error that the database did not announce: the batch is committed again, one by one.
- A commit whose outcome is unknown: wait until the old transaction has ended, then commit the
  same commands again. Those that had happened answer as replays.
- Leadership lost: the fence in the transaction has refused it; callers hear UNAVAILABLE.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from time import perf_counter
from typing import Any, LiteralString, Protocol

import psycopg
import structlog
from prometheus_client import Histogram

from services.kit.database import (
    CommitUnknown,
    Database,
    DatabaseUnavailable,
    RawConnection,
    committing,
    translating_outages,
)
from services.kit.errors import Failure
from services.kit.failpoints import reached
from services.kit.leader import Leadership, LeadershipLost, Term
from services.kit.reason import Reason

WAITING_MAX = 20_000
_REQUIRE_FAILED = "VT001"
_EPOCH_PASSED = "epoch"
_RETRY = timedelta(milliseconds=500)
_ATTEMPTS = 5

FENCE: LiteralString = """
    SELECT require(
        EXISTS (SELECT FROM leader WHERE name = %(leader)s AND epoch = %(epoch)s FOR KEY SHARE),
        'epoch'
    )
"""
# The writer only ever looks rows up by key. Statistics that lag behind a book that grows fast
# must not talk the planner into reading a whole table instead.
KEY_LOOKUPS: LiteralString = """
    SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off
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
_log = structlog.stdlib.get_logger()

Statement = tuple[LiteralString, Mapping[str, Any]]
Job = tuple[Any, asyncio.Future[Any]]
"""A command and the caller that waits for it."""


class Batch(Protocol):
    """How one kind of command is decided and written."""

    kind: str
    """For logs and metrics."""

    size_max: int

    async def load(self, connection: RawConnection) -> None:
        """Forget what was kept in memory and read it again; called when a term begins."""

    async def commit(self, commands: Sequence[Any], transaction: Transaction) -> Sequence[object]:
        """Decide the commands in order and write all that was accepted with `transaction.write`.

        Returns one result per command: what the caller gets, or the Failure it is told.
        """


class Transaction:
    """One commit of the writer: reads see what was committed before, and one write ends it."""

    def __init__(self, connection: RawConnection, term: Term) -> None:
        self.connection = connection
        self._term = term
        self.leader = term.name

    def on(self, connection: RawConnection) -> Transaction:
        """Return a transaction of the same term on another connection."""
        return Transaction(connection, self._term)

    async def read(self, statement: LiteralString, parameters: Mapping[str, Any]) -> list[Any]:
        """Return rows. Nobody but this writer changes the book, so they hold until the write."""
        return await (await self.connection.execute(statement, parameters)).fetchall()

    async def write(self, statements: Sequence[Statement]) -> None:
        """Run the statements in one transaction of this term: one trip to the database.

        Errors: LeadershipLost, DatabaseUnavailable, CommitUnknown, and psycopg's own.
        """
        epoch = {"leader": self._term.name, "epoch": self._term.epoch}
        reached("writer.before_write")
        try:
            with committing():
                async with self.connection.pipeline(), self.connection.transaction():
                    await self.connection.execute(FENCE, epoch)
                    for statement, parameters in statements:
                        await self.connection.execute(statement, parameters)
        except psycopg.Error as error:
            if error.sqlstate == _REQUIRE_FAILED and error.diag.message_primary == _EPOCH_PASSED:
                raise LeadershipLost("another writer leads this book") from error
            raise
        reached("writer.after_write")


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
        self._arrived = asyncio.Event()
        self.leading = False

    async def submit(self, command: Any) -> Any:
        """Return the command's result once it is committed.

        Failures: what its batch refuses with; UNAVAILABLE when this process does not lead the
        book or too much is waiting; OUTCOME_UNKNOWN when the database went away while committing.
        """
        if not self.leading or len(self._waiting) >= WAITING_MAX:
            raise _unavailable()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, future))
        self._arrived.set()
        result = await future
        if isinstance(result, Failure):
            raise result
        return result

    async def run(self) -> None:
        """Lead the book whenever elected, for ever."""
        await self._leadership.run(self._lead)

    async def _lead(self, term: Term) -> None:
        async with self._database.raw() as connection:
            await connection.set_autocommit(True)
            await connection.execute(KEY_LOOKUPS)
            for batch in self._batches.values():
                await batch.load(connection)
            self.leading = True
            _log.info("leads the book", book=self.book, epoch=term.epoch)
            try:
                await self._commit_arrivals(connection, term)
            finally:
                self.leading = False
                self._refuse_waiting()

    async def _commit_arrivals(self, connection: RawConnection, term: Term) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                batch, jobs = self._form_batch()
                if jobs:
                    await self._commit(batch, jobs, Transaction(connection, term))
                if connection.closed:
                    raise DatabaseUnavailable("the writer's connection is gone")

    def _form_batch(self) -> tuple[Batch, list[Job]]:
        """Take the commands in front that are of one kind, leaving out those given up on."""
        batch = self._batches[type(self._waiting[0][0])]
        jobs: list[Job] = []
        while self._waiting and len(jobs) < batch.size_max:
            command, future = self._waiting[0]
            if self._batches[type(command)] is not batch:
                break
            self._waiting.popleft()
            if not future.done():
                jobs.append((command, future))
        return batch, jobs

    async def _commit(
        self,
        batch: Batch,
        jobs: Sequence[Job],
        transaction: Transaction,
    ) -> None:
        started = perf_counter()
        try:
            results = await self._attempt(batch, [command for command, _ in jobs], transaction)
        except BaseException as error:
            unknown = isinstance(error, CommitUnknown | asyncio.CancelledError)
            refusal = _outcome_unknown() if unknown else _unavailable()
            _answer(jobs, [refusal] * len(jobs))
            raise
        _answer(jobs, results)
        BATCH_SIZE.labels(self.book, batch.kind).observe(len(jobs))
        COMMIT_SECONDS.labels(self.book, batch.kind).observe(perf_counter() - started)

    async def _attempt(
        self, batch: Batch, commands: Sequence[Any], transaction: Transaction
    ) -> Sequence[object]:
        try:
            with translating_outages():
                return await batch.commit(commands, transaction)
        except CommitUnknown:
            return await self._resolve(batch, commands, transaction)
        except psycopg.Error as error:
            _log.exception("batch failed", book=self.book, kind=batch.kind, size=len(commands))
            await batch.load(transaction.connection)
            if len(commands) == 1:
                return [_fault(error)]
            return [
                result
                for command in commands
                for result in await self._attempt(batch, [command], transaction)
            ]

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
                    return await batch.commit(commands, lost.on(connection))
            except LeadershipLost:
                break  # the writer that leads now can tell, by their ids
            except DatabaseUnavailable:
                if attempt == _ATTEMPTS - 1:
                    break
        raise CommitUnknown(f"the fate of {len(commands)} commands is not known")

    def _refuse_waiting(self) -> None:
        jobs = list(self._waiting)
        self._waiting.clear()
        _answer(jobs, [_unavailable()] * len(jobs))


def _answer(jobs: Sequence[Job], results: Sequence[object]) -> None:
    for (_, future), result in zip(jobs, results, strict=True):
        with suppress(asyncio.InvalidStateError):
            future.set_result(result)


def _unavailable() -> Failure:
    message = "The book takes no changes here at the moment."
    return Failure(Reason.UNAVAILABLE, message, retry_after=_RETRY, metadata={"part": "book"})


def _outcome_unknown() -> Failure:
    message = "The connection to the database broke while committing."
    return Failure(Reason.OUTCOME_UNKNOWN, message, retry_after=_RETRY)


def _fault(error: BaseException) -> Failure:
    failure = Failure(Reason.INTERNAL, "A fault of ours; it was recorded.")
    failure.__cause__ = error
    return failure
