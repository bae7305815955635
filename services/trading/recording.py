"""Recording: the one way in which anything that happens in a book is written down.

A movement of money is always three things in one commit: the rows it changes, its entries under a
seal, and what the journal tells. Every batch of the writer ends here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.kit.database import RawConnection
from services.kit.journal import APPEND_SQL, Journal, NewEvent, append_parameters
from services.trading.commit import Statement, Transaction
from services.trading.posting import Entry
from services.trading.sealing import GENESIS, INSERT_ENTRIES, head_of, read_head, sealed


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

    async def record(
        self,
        transaction: Transaction,
        changes: Sequence[Statement],
        entries: Sequence[Entry],
        events: Sequence[NewEvent],
        time: datetime,
    ) -> None:
        """Commit changes, entries and events together; the chain grows once they are committed."""
        statements, head = list(changes), self._head
        if entries:
            seal, parameters = sealed(head, entries, time)
            statements.append((INSERT_ENTRIES, parameters))
            head = head_of(seal)
        if events:
            told = append_parameters(self._journal.name, events, time)
            statements.append((APPEND_SQL, told))
        await transaction.write(statements)
        self._head = head
        self._journal.notify()
