"""A commit: how one batch of commands is read for, waits for its turn, and is written.

Deciding and writing overlap. While one batch is written, the next is read and decided *on what the
first will leave behind* (`Transaction.before`), and it is sent the moment the first is committed;
at most one is being written and one decided ahead of its turn. Nobody but this writer changes the
book, so what it has sent is what will be there, unless that commit fails. Then what was decided on
it is thrown away, with no trace of it anywhere, and decided again on what is really there
(`Overtaken`): a batch changes what its kind keeps in memory (exposure, terms, the chain of seals)
only after its commit. The database keeps watch all the same: the fence, and balances that must be
what they were, are part of every statement.

Only kinds that read through `before` overlap (`Batch.ahead`); the others have the book to
themselves from their first read to their commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, LiteralString, NamedTuple, Protocol

import psycopg

from services.kit.database import RawConnection, committing
from services.kit.failpoints import reached
from services.kit.leader import LeadershipLost, Term
from services.trading.pending import NOTHING, Pending
from services.trading.statement import Part, Statement, run

_REQUIRE_FAILED = "VT001"
_EPOCH_PASSED = "epoch"

FENCE = Part(
    "",
    """require(
        EXISTS (
            SELECT FROM leader
            WHERE name = %(leader.name)s AND epoch = %(leader.epoch)s FOR KEY SHARE
        ),
        'epoch'
    )""",
)
"""The first condition of every commit: its writer's term has not passed, and will not before it."""


class Overtaken(Exception):
    """The commit on which a batch was decided went otherwise: it has to be decided again."""


class Batch(Protocol):
    """How one kind of command is decided and written."""

    kind: str
    """For logs and metrics."""

    size_max: int

    ahead: bool
    """Whether it reads through `Transaction.before`, and so may be decided before its turn."""

    async def load(self, connection: RawConnection) -> None:
        """Forget what was kept in memory and read it again; called when a term begins."""

    async def commit(self, commands: Sequence[Any], transaction: Transaction) -> Sequence[object]:
        """Decide the commands in order and write all that was accepted with `transaction.write`.

        Returns one result per command: what the caller gets, or the Failure it is told.
        """


class Lines(NamedTuple):
    """The two connections of a writer: one batch is read for while another is written."""

    reading: RawConnection
    writing: RawConnection

    @property
    def closed(self) -> bool:
        """Whether one of them is gone."""
        return self.reading.closed or self.writing.closed


class Progress:
    """How far a batch has come, for the one that follows it."""

    def __init__(self) -> None:
        self.sent = asyncio.Event()
        """Its statement was sent, or never will be."""

        self.after = NOTHING
        """What its commit leaves, once it was sent."""

        self._as_said: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def end(self, *, as_said: bool) -> None:
        """Let the next one have its turn; `as_said` if the book is now as `after` says."""
        self.sent.set()
        if not self._as_said.done():
            self._as_said.set_result(as_said)

    async def ended(self) -> bool:
        """Wait for the end, and tell whether the book is now as `after` says."""
        return await asyncio.shield(self._as_said)


class Transaction:
    """One commit of the writer: what is read for it, its turn, and the write that ends it."""

    def __init__(
        self, lines: Lines, term: Term, progress: Progress, previous: Progress | None = None
    ) -> None:
        """Prepare a commit that follows `previous`, if that is under way."""
        self.lines = lines
        self.progress = progress
        self.before: Pending = previous.after if previous else NOTHING
        """What the commit under way leaves: it overrides what is read."""

        self._term = term
        self._previous = previous

    @property
    def leader(self) -> str:
        """The name of the leadership that the fence is about."""
        return self._term.name

    def alone(self, lines: Lines | None = None) -> Transaction:
        """Return another one for the same batch, with nothing under way before it."""
        return Transaction(lines or self.lines, self._term, self.progress)

    async def read(self, statement: LiteralString, parameters: Mapping[str, Any]) -> list[Any]:
        """Return committed rows.

        Nobody but this writer changes the book: except for what is in `before`, they hold until
        the write.
        """
        cursor = self.lines.reading.cursor(binary=True)
        return await (await cursor.execute(statement, parameters)).fetchall()

    async def turn(self) -> None:
        """Wait until the commit before this one has ended; Overtaken if it went otherwise."""
        if self._previous is not None:
            as_said = await self._previous.ended()
            self._previous = None
            if not as_said:
                raise Overtaken

    async def write(self, statements: Sequence[Statement], after: Pending = NOTHING) -> None:
        """Commit the statements together, in this term and in turn; `after` is what they leave.

        Errors: Overtaken, LeadershipLost, DatabaseUnavailable, CommitUnknown, and psycopg's own.
        """
        await self.turn()
        reached("writer.before_write")
        self.progress.after = after
        self.progress.sent.set()
        epoch = {"leader.name": self._term.name, "leader.epoch": self._term.epoch}
        try:
            with committing():
                await run(self.lines.writing, [(FENCE, epoch), *statements])
        except psycopg.Error as error:
            if error.sqlstate == _REQUIRE_FAILED and error.diag.message_primary == _EPOCH_PASSED:
                raise LeadershipLost("another writer leads this book") from error
            raise
        reached("writer.after_write")
