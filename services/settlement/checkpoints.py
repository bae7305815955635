"""Signed heads as they are stored, and the job that signs them."""

from __future__ import annotations

from datetime import timedelta
from typing import LiteralString

import structlog

from services.kit.clock import Clock
from services.kit.database import Database
from services.kit.jobs import Job
from services.kit.tokens import Keyring
from services.settlement.checkpoint import Checkpoint, checkpoint_text
from services.settlement.receipt import Link

_log = structlog.stdlib.get_logger()
_LIMIT = timedelta(seconds=30)

# The books one by one: each step is a look into the index, however many receipts there are.
_UNSIGNED: LiteralString = """
    WITH RECURSIVE named (book) AS (
        (SELECT book FROM receipt ORDER BY book LIMIT 1)
        UNION ALL
        SELECT (SELECT book FROM receipt WHERE book > named.book ORDER BY book LIMIT 1)
        FROM named WHERE named.book IS NOT NULL
    )
    SELECT named.book, head.sequence, head.hash
    FROM named
    CROSS JOIN LATERAL (
        SELECT sequence, hash FROM receipt
        WHERE book = named.book ORDER BY sequence DESC LIMIT 1
    ) head
    WHERE NOT EXISTS (
        SELECT FROM checkpoint WHERE book = named.book AND sequence = head.sequence
    )
"""
_ADD: LiteralString = """
    INSERT INTO checkpoint (book, sequence, hash, signed_at, public_key, signature)
    VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_COVERING: LiteralString = """
    SELECT book, sequence, hash, signed_at, public_key, signature FROM checkpoint
    WHERE book = %(book)s AND sequence >= %(sequence)s ORDER BY sequence LIMIT 1
"""
_NEWEST: LiteralString = """
    SELECT book, sequence, hash, signed_at, public_key, signature FROM checkpoint
    WHERE book = %(book)s ORDER BY sequence DESC LIMIT 1
"""


class Checkpoints:
    """The signed heads of all books."""

    def __init__(self, database: Database) -> None:
        """Keep them in this database."""
        self._database = database

    async def covering(self, book: str, sequence: int) -> Checkpoint | None:
        """Return the first signed head at or after a sequence; the newest for sequence 0."""
        parameters = {"book": book, "sequence": sequence}
        async with self._database.raw() as connection:
            query = _COVERING if sequence else _NEWEST
            row = await (await connection.execute(query, parameters)).fetchone()
        return Checkpoint(*row) if row else None

    async def unsigned(self) -> dict[str, Link]:
        """Return the heads of the books whose head is not signed."""
        async with self._database.raw() as connection:
            rows = await (await connection.execute(_UNSIGNED)).fetchall()
        return {book: Link(*head) for book, *head in rows}

    async def add(self, checkpoint: Checkpoint) -> None:
        """Store a signed head; of two of the same receipt the first one stays."""
        async with self._database.raw() as connection, connection.transaction():
            await connection.execute(_ADD, checkpoint)


class Signing:
    """Signs the head of each book that has grown."""

    def __init__(self, checkpoints: Checkpoints, keyring: Keyring, clock: Clock) -> None:
        """Sign with the platform's key, which is settlement's own."""
        self._checkpoints = checkpoints
        self._keyring = keyring
        self._clock = clock

    def job(self, every: timedelta) -> Job:
        """Return this as a job. It bears being repeated: a signed head is left alone."""
        return Job("sign-heads", every, self.run, limit=_LIMIT)

    async def run(self) -> None:
        """Sign what is not signed yet."""
        for book, head in (await self._checkpoints.unsigned()).items():
            checkpoint = self._signed(book, head)
            await self._checkpoints.add(checkpoint)
            _log.info("signed", book=book, sequence=head.sequence, key=checkpoint.key_id)

    def _signed(self, book: str, head: Link) -> Checkpoint:
        now = self._clock.now()
        signature = self._keyring.signature(checkpoint_text(book, head, now).encode())
        return Checkpoint(book, *head, now, self._keyring.own_public_key(), signature)
