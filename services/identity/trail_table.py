"""The tables `audit_record` and `audit_seal`: what was chained, and what was signed of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity.trail import GENESIS, Link, Record, chained

SEARCHED = frozenset({"actor", "action", "subject", "outcome"})
"""The columns by which the trail is searched."""

_metadata = sa.MetaData()
_LOCK_KEY = 0x6175_6469_7400_0001  # "audit"

records = sa.Table(
    "audit_record",
    _metadata,
    sa.Column("sequence", sa.BigInteger, primary_key=True),
    sa.Column("journal", sa.Text),
    sa.Column("position", sa.BigInteger),
    sa.Column("time", sa.DateTime(timezone=True)),
    sa.Column("actor", sa.Text),
    sa.Column("action", sa.Text),
    sa.Column("subject", sa.Text),
    sa.Column("outcome", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("count", sa.BigInteger),
    sa.Column("before", sa.Text),
    sa.Column("after", sa.Text),
    sa.Column("network", sa.Text),
    sa.Column("session_id", sa.Text),
    sa.Column("request_id", sa.Text),
    sa.Column("hash", sa.LargeBinary),
)
seals = sa.Table(
    "audit_seal",
    _metadata,
    sa.Column("sequence", sa.BigInteger, primary_key=True),
    sa.Column("hash", sa.LargeBinary),
    sa.Column("sealed_at", sa.DateTime(timezone=True)),
    sa.Column("public_key", sa.LargeBinary),
    sa.Column("signature", sa.LargeBinary),
)
_FIELDS = [records.c[field.name] for field in fields(Record)]
_PLACE = sa.tuple_(records.c.time, records.c.sequence)


@dataclass(frozen=True, slots=True)
class Seal:
    """A signed hash."""

    sequence: int
    hash: bytes
    sealed_at: datetime
    public_key: bytes
    """The Ed25519 key that signed. Kept, since the platform's key may change."""

    signature: bytes


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for."""

    conditions: Mapping[str, str]
    start: datetime | None = None
    end: datetime | None = None
    before: tuple[datetime, int] | None = None
    """Time and sequence of the last record of the page before."""


async def append(connection: AsyncConnection, new: Sequence[Record]) -> None:
    """Chain records in their order. Transactions that append wait for each other."""
    await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_KEY)))
    sequence, previous = await head(connection)
    links = chained(sequence, previous, new)
    rows = [{"sequence": link.sequence, "hash": link.hash, **asdict(link.record)} for link in links]
    await connection.execute(sa.insert(records), rows)


async def head(connection: AsyncConnection) -> tuple[int, bytes]:
    """Return sequence and hash of the last record."""
    query = sa.select(records.c.sequence, records.c.hash).order_by(records.c.sequence.desc())
    row = (await connection.execute(query.limit(1))).first()
    return (row.sequence, row.hash) if row else (0, GENESIS)


async def hash_at(connection: AsyncConnection, sequence: int) -> bytes | None:
    """Return the hash of a record, or None when there is no such record."""
    if sequence == 0:
        return GENESIS
    query = sa.select(records.c.hash).where(records.c.sequence == sequence)
    found: bytes | None = (await connection.execute(query)).scalar()
    return found


async def after(connection: AsyncConnection, sequence: int, limit: int) -> list[Link]:
    """Return the records after a sequence, in order."""
    query = (
        sa.select(records.c.sequence, records.c.hash, *_FIELDS)
        .where(records.c.sequence > sequence)
        .order_by(records.c.sequence)
        .limit(limit)
    )
    return [_link(row) for row in await connection.execute(query)]


async def found(connection: AsyncConnection, search: Search, limit: int) -> list[Link]:
    """Return the records that are looked for, the newest first."""
    query = sa.select(records.c.sequence, records.c.hash, *_FIELDS)
    query = query.where(*(records.c[name] == value for name, value in search.conditions.items()))
    if search.start is not None:
        query = query.where(records.c.time >= search.start)
    if search.end is not None:
        query = query.where(records.c.time < search.end)
    if search.before is not None:
        query = query.where(search.before > _PLACE)
    query = query.order_by(records.c.time.desc(), records.c.sequence.desc()).limit(limit)
    return [_link(row) for row in await connection.execute(query)]


async def add_seal(connection: AsyncConnection, seal: Seal) -> None:
    """Store a seal."""
    await connection.execute(sa.insert(seals).values(asdict(seal)))


async def seals_between(connection: AsyncConnection, first: int, last: int | None) -> list[Seal]:
    """Return the seals on records of this range, or without an end."""
    query = sa.select(seals).where(seals.c.sequence >= first).order_by(seals.c.sequence)
    if last is not None:
        query = query.where(seals.c.sequence <= last)
    return [Seal(**row._mapping) for row in await connection.execute(query)]  # noqa: SLF001  its public name


async def sealed_up_to(connection: AsyncConnection) -> int:
    """Return the sequence of the last seal; 0 when there is none."""
    found_last = await connection.execute(sa.select(sa.func.max(seals.c.sequence)))
    return int(found_last.scalar() or 0)


def _link(row: sa.Row[Any]) -> Link:
    values = row._mapping  # noqa: SLF001  its public name
    record = Record(**{field.name: values[field.name] for field in fields(Record)})
    return Link(row.sequence, record, row.hash)
