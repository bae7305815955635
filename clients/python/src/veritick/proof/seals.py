"""The hash of a seal, as the contract publishes it (`veritick.trading.v1.Seal`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from struct import pack
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from veritick.trading.v1.audit_service_pb2 import LedgerHead, Seal, SealedEntry

NO_HASH = "0" * 64
"""The previous hash of a book's first seal."""

_BIGINT, _SMALLINT, _TEXT, _UUID, _TIMESTAMPTZ = 20, 21, 25, 2950, 1184
_POSTGRES_EPOCH_SECONDS = 946_684_800
"""Of 2000-01-01, from which PostgreSQL counts microseconds."""


def seal_hash(seal: Seal, entries: Sequence[SealedEntry]) -> str:
    """Return the hash that a seal over these entries should have.

    ValueError when something in them cannot be part of a ledger, such as an id that is none.
    """
    digest = sha256(bytes.fromhex(seal.previous_hash))
    digest.update(_bigints([seal.seal_id, seal.last_entry_id, seal.entries]))
    digest.update(_times([seal.time]))
    for column in _columns(entries):
        digest.update(column)
    return digest.hexdigest()


def head_text(head: LedgerHead, sign_time: str) -> str:
    """Return what the signature of a ledger's head is over."""
    lines = [
        "veritick ledger 1",
        f"book {head.book}",
        f"seal {head.seal_id}",
        f"entry {head.last_entry_id}",
        f"hash {head.hash}",
        f"time {sign_time}",
    ]
    return "".join(f"{line}\n" for line in lines)


def _columns(entries: Sequence[SealedEntry]) -> Iterable[bytes]:
    yield _uuids([entry.transfer_id for entry in entries])
    yield _array(_SMALLINT, [pack("!h", entry.kind) for entry in entries])
    yield _uuids([entry.account_id for entry in entries])
    yield _uuids([entry.contra_account_id for entry in entries])
    yield _bigints([entry.amount.minor_units for entry in entries])
    yield _array(_TEXT, [entry.amount.currency_code.encode() for entry in entries])
    yield _bigints(
        [entry.balance.minor_units if entry.HasField("balance") else None for entry in entries]
    )
    yield _uuids([entry.order_id if entry.HasField("order_id") else None for entry in entries])
    yield _times([entry.time for entry in entries])


def _uuids(ids: Sequence[str | None]) -> bytes:
    values = (None if text is None else UUID(text.rpartition("_")[2]).bytes for text in ids)
    return _array(_UUID, list(values))


def _bigints(numbers: Sequence[int | None]) -> bytes:
    return _array(_BIGINT, [None if n is None else pack("!q", n) for n in numbers])


def _times(times: Sequence[Timestamp]) -> bytes:
    return _array(_TIMESTAMPTZ, [pack("!q", _microseconds(time)) for time in times])


def _microseconds(time: Timestamp) -> int:
    if time.nanos % 1_000:
        raise ValueError("a time is finer than a microsecond")
    return (time.seconds - _POSTGRES_EPOCH_SECONDS) * 1_000_000 + time.nanos // 1_000


def _array(element: int, values: Sequence[bytes | None]) -> bytes:
    """Return a one-dimensional array, counted from 1, in PostgreSQL's binary form."""
    parts = [
        pack("!i", -1) if value is None else pack("!i", len(value)) + value for value in values
    ]
    return pack("!iiiii", 1, 1, element, len(values), 1) + b"".join(parts)
