"""Seals: a chain of hashes over a book's entries, one link for each commit that wrote some.

A seal is SHA-256 over the hash before it, its own number, count and time, and its entries, in
order: column by column, as the arrays in which they travel to the database (`kit.arrays`). That
form says the length of everything, and is made anyway, so a seal costs no work per entry but
hashing a hundred bytes. The contract publishes it (`Seal`), so that others can check.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import LiteralString, NamedTuple

from services.kit.arrays import Array, bigints, smallints, texts, timestamps, uuids
from services.kit.database import RawConnection
from services.trading.posting import Entry
from services.trading.statement import Part
from services.trading.tables import Encoder, columns


class Seal(NamedTuple):
    """One link of the chain. The fields are the columns of `seal`."""

    seal_id: int
    """Counts seals from 1, without gaps."""

    last_entry_id: int
    """The newest entry it covers; the first one follows the last of the seal before."""

    entries: int
    previous_hash: bytes
    hash: bytes
    time: datetime


class Head(NamedTuple):
    """Where the chain of a book ends."""

    seal_id: int
    last_entry_id: int
    hash: bytes


GENESIS = Head(0, 0, bytes(32))
"""The chain of a book without entries."""

SEAL_COLUMNS: LiteralString = "seal_id, last_entry_id, entries, previous_hash, hash, time"
_READ_HEAD: LiteralString = """
    SELECT seal_id, last_entry_id, hash FROM seal ORDER BY seal_id DESC LIMIT 1
"""

INSERT_ENTRIES = Part(
    """
    sealed AS (
        INSERT INTO seal (seal_id, last_entry_id, entries, previous_hash, hash, time)
        VALUES (%(seal.seal_id)s::bigint, %(seal.last_entry_id)s::bigint,
                %(seal.entries)s::integer, %(seal.previous_hash)s, %(seal.hash)s, %(seal.time)s)
    ), entered AS (
        INSERT INTO entry (entry_id, seal_id, transfer_id, kind, account_id, contra_account_id,
            amount, currency, balance, order_id, time)
        SELECT %(seal.last_entry_id)s::bigint - %(seal.entries)s::integer + n,
               %(seal.seal_id)s::bigint, transfer_id, kind, account_id, contra_account_id, amount,
               currency, balance, order_id, time
        FROM unnest(%(entry.transfer_id)s::uuid[], %(entry.kind)s::smallint[],
            %(entry.account_id)s::uuid[], %(entry.contra_account_id)s::uuid[],
            %(entry.amount)s::bigint[], %(entry.currency)s::text[], %(entry.balance)s::bigint[],
            %(entry.order_id)s::uuid[], %(entry.time)s::timestamptz[])
            WITH ORDINALITY AS e (transfer_id, kind, account_id, contra_account_id, amount,
                currency, balance, order_id, time, n)
    )
    """
)
"""Writes entries together with their seal. Its parameters are those of `sealed`."""

ENTRY_ENCODERS: Mapping[str, Encoder] = {
    "transfer_id": uuids,
    "kind": smallints,
    "account_id": uuids,
    "contra_account_id": uuids,
    "amount": bigints,
    "currency": texts,
    "balance": bigints,
    "order_id": uuids,
    "time": timestamps,
}


def seal_of(head: Head, entries: Sequence[Entry], time: datetime) -> Seal:
    """Return the seal that covers these entries after this head; there is at least one."""
    return _seal(head, columns("entry", ENTRY_ENCODERS, entries), len(entries), time)


def sealed(
    head: Head, entries: Sequence[Entry], time: datetime
) -> tuple[Seal, Mapping[str, object]]:
    """Return the seal of these entries, and with it the parameters of INSERT_ENTRIES."""
    arrays = columns("entry", ENTRY_ENCODERS, entries)
    seal = _seal(head, arrays, len(entries), time)
    parameters = {f"seal.{name}": value for name, value in seal._asdict().items()}
    return seal, arrays | parameters


def head_of(seal: Seal) -> Head:
    """Return the chain's end after a seal."""
    return Head(seal.seal_id, seal.last_entry_id, seal.hash)


async def read_head(connection: RawConnection) -> Head:
    """Return where the chain of the book ends now."""
    row = await (await connection.execute(_READ_HEAD)).fetchone()
    return Head(*row) if row else GENESIS


def head_text(book: str, head: Head, signed_at: datetime) -> str:
    """Return what is signed of the end of a book's chain."""
    time = signed_at.replace(tzinfo=None).isoformat(timespec="microseconds")
    return (
        "veritick ledger 1\n"
        f"book {book}\n"
        f"seal {head.seal_id}\n"
        f"entry {head.last_entry_id}\n"
        f"hash {head.hash.hex()}\n"
        f"time {time}Z\n"
    )


def _seal(head: Head, arrays: Mapping[str, Array], count: int, time: datetime) -> Seal:
    seal_id, last_entry_id = head.seal_id + 1, head.last_entry_id + count
    digest = hashlib.sha256(head.hash)
    digest.update(bigints([seal_id, last_entry_id, count]))
    digest.update(timestamps([time]))
    for array in arrays.values():
        digest.update(array)
    return Seal(seal_id, last_entry_id, count, head.hash, digest.digest(), time)
