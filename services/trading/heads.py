"""Signed ends of a ledger's chain, and the job that signs one every minute.

A signature that is asked for speaks of the chain as it is when it is asked for. These were made
when the entries were young: whoever writes the past again, hashes and all, does not fit them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import LiteralString, NamedTuple

import structlog

from services.kit.database import Database
from services.kit.jobs import Job
from services.kit.tokens import Keyring
from services.trading.sealing import Head, head_text, read_head

_log = structlog.stdlib.get_logger()
_LIMIT = timedelta(seconds=30)

_COLUMNS: LiteralString = "seal_id, last_entry_id, hash, signed_at, public_key, signature"
_ADD: LiteralString = f"""
    INSERT INTO ledger_head ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_KNOWN: LiteralString = "SELECT FROM ledger_head WHERE seal_id = %s"
_AFTER: LiteralString = f"""
    SELECT {_COLUMNS} FROM ledger_head WHERE seal_id > %s ORDER BY seal_id LIMIT %s
"""


class SignedHead(NamedTuple):
    """Where a chain ended, signed. The fields are the columns of `ledger_head`."""

    seal_id: int
    last_entry_id: int
    hash: bytes
    signed_at: datetime
    public_key: bytes
    """The Ed25519 key in its 32 bytes. Kept, since the platform's key may change."""

    signature: bytes

    @property
    def key_id(self) -> str:
        """By which people compare keys: SHA-256 of the public key, hexadecimal."""
        return sha256(self.public_key).hexdigest()


def signed(book: str, head: Head, now: datetime, keyring: Keyring) -> SignedHead:
    """Sign the end of a book's chain with the keyring's own key."""
    signature = keyring.signature(head_text(book, head, now).encode())
    return SignedHead(*head, now, keyring.own_public_key(), signature)


class LedgerHeads:
    """The signed heads of one book. They can be added and read, nothing else."""

    def __init__(self, database: Database) -> None:
        """Keep them in the book's database."""
        self._database = database

    async def after(self, seal_id: int, limit: int) -> list[SignedHead]:
        """Return the heads signed behind a seal, in order."""
        async with self._database.raw() as connection:
            rows = await (await connection.execute(_AFTER, (seal_id, limit))).fetchall()
        return [SignedHead(*row) for row in rows]

    async def unsigned(self) -> Head | None:
        """Return where the chain ends now, unless that is signed or there are no entries."""
        async with self._database.raw() as connection:
            head = await read_head(connection)
            known = await (await connection.execute(_KNOWN, (head.seal_id,))).fetchone()
        return None if known is not None or head.seal_id == 0 else head

    async def add(self, head: SignedHead) -> None:
        """Store a signed head; of two of the same seal the first one stays."""
        async with self._database.raw() as connection, connection.transaction():
            await connection.execute(_ADD, head)


class Signing:
    """Signs the end of one book's chain whenever it has grown."""

    def __init__(
        self, book: str, heads: LedgerHeads, keyring: Keyring, now: Callable[[], datetime]
    ) -> None:
        """Sign with the platform's key, which is trading's own."""
        self._book = book
        self._heads = heads
        self._keyring = keyring
        self._now = now

    def job(self, every: timedelta) -> Job:
        """Return this as a job. It bears being repeated: a signed head is left alone."""
        return Job("sign-head", every, self.run, limit=_LIMIT)

    async def run(self) -> None:
        """Sign the end of the chain, if it is not signed yet."""
        head = await self._heads.unsigned()
        if head is not None:
            made = signed(self._book, head, self._now(), self._keyring)
            await self._heads.add(made)
            _log.info("signed", book=self._book, seal=head.seal_id, key=made.key_id)
