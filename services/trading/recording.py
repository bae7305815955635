"""Recording: the one way in which anything that happens in a book is written down.

A movement of money is always three things in one commit: the rows it changes, its entries under a
seal, and what the journal tells. Every batch of the writer ends here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from services.kit.database import RawConnection
from services.kit.journal import APPEND, Journal, NewEvent, append_parameters
from services.trading.commit import Transaction
from services.trading.pending import NOTHING, Pending
from services.trading.posting import Entry
from services.trading.sealing import GENESIS, INSERT_ENTRIES, Head, head_of, read_head, sealed
from services.trading.statement import Part, Statement

_TELL = Part(APPEND)


class Record(NamedTuple):
    """What a commit will write, encoded, and where the chain of seals ends after it."""

    statements: Sequence[Statement]
    head: Head


class Recorder:
    """Writes a book's changes, and remembers where the chain of its seals ends.

    One recorder serves all batches of a book's writer, who alone writes to the book.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._head = GENESIS

    async def load(self, connection: RawConnection) -> None:
        """Read the chain's end: when a term begins, and after anything went wrong."""
        self._head = await read_head(connection)

    def prepare(
        self,
        before: Pending,
        changes: Sequence[Statement],
        entries: Sequence[Entry],
        events: Sequence[NewEvent],
        time: datetime,
    ) -> Record:
        """Encode changes, entries and events, sealed after what is pending."""
        statements, head = list(changes), before.head or self._head
        if entries:
            seal, parameters = sealed(head, entries, time)
            statements.append((INSERT_ENTRIES, parameters))
            head = head_of(seal)
        if events:
            told = append_parameters(self._journal.name, events, time)
            statements.append((_TELL, told))
        return Record(statements, head)

    async def write(
        self, transaction: Transaction, record: Record, after: Pending = NOTHING
    ) -> None:
        """Commit a record in its turn; the chain grows once it is committed."""
        await transaction.write(record.statements, after._replace(head=record.head))
        self._head = record.head
        self._journal.notify()

    async def record(
        self,
        transaction: Transaction,
        changes: Sequence[Statement],
        entries: Sequence[Entry],
        events: Sequence[NewEvent],
        time: datetime,
    ) -> None:
        """Prepare and write in one go, for what has the book to itself."""
        record = self.prepare(transaction.before, changes, entries, events, time)
        await self.write(transaction, record)
