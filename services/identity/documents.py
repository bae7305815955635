"""The tables `kyc_document`, `kyc_part` and `user_key`: what users handed in, never its content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity.kyc import Document, Kind, Rejection, State

_metadata = sa.MetaData()

documents = sa.Table(
    "kyc_document",
    _metadata,
    sa.Column("document_id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid),
    sa.Column("kind", sa.Text),
    sa.Column("state", sa.Text),
    sa.Column("size", sa.BigInteger),
    sa.Column("received", sa.BigInteger),
    sa.Column("media_type", sa.Text),
    sa.Column("created_at", sa.DateTime(timezone=True)),
    sa.Column("reviewed_at", sa.DateTime(timezone=True)),
    sa.Column("reviewed_by", sa.Uuid),
    sa.Column("rejection", sa.Text),
    sa.Column("expires_at", sa.DateTime(timezone=True)),
)
parts = sa.Table(
    "kyc_part",
    _metadata,
    sa.Column("document_id", sa.Uuid, primary_key=True),
    sa.Column("start", sa.BigInteger, primary_key=True),
)
keys = sa.Table(
    "user_key",
    _metadata,
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("wrapped", sa.LargeBinary),
    sa.Column("created_at", sa.DateTime(timezone=True)),
)
WAITING = (State.UPLOADED, State.IN_REVIEW)


async def add(connection: AsyncConnection, document: Document) -> None:
    """Store a new document."""
    await connection.execute(sa.insert(documents).values(asdict(document)))


async def find(connection: AsyncConnection, document_id: UUID) -> Document | None:
    """Return a document."""
    query = sa.select(documents).where(documents.c.document_id == document_id)
    row = (await connection.execute(query)).one_or_none()
    return _document(row) if row else None


async def lock(connection: AsyncConnection, document_id: UUID) -> Document | None:
    """Return a document as of now and keep others who lock it waiting."""
    query = sa.select(documents).where(documents.c.document_id == document_id).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    return _document(row) if row else None


async def change(connection: AsyncConnection, document_id: UUID, **columns: object) -> Document:
    """Change columns of a document, which the caller has locked, and return it."""
    statement = (
        sa.update(documents)
        .where(documents.c.document_id == document_id)
        .values(columns)
        .returning(documents)
    )
    return _document((await connection.execute(statement)).one())


async def of_user(connection: AsyncConnection, user_id: UUID) -> list[Document]:
    """Return a user's documents, the newest first."""
    query = sa.select(documents).where(documents.c.user_id == user_id)
    query = query.order_by(documents.c.document_id.desc())
    return [_document(row) for row in await connection.execute(query)]


async def queue(
    connection: AsyncConnection,
    states: Sequence[State],
    user_id: UUID | None,
    after: UUID | None,
    limit: int,
) -> list[Document]:
    """Return documents in these states, of one user if one is named; the oldest first."""
    query = sa.select(documents).where(documents.c.state.in_([state.value for state in states]))
    if user_id is not None:
        query = query.where(documents.c.user_id == user_id)
    if after is not None:
        query = query.where(documents.c.document_id > after)
    query = query.order_by(documents.c.document_id).limit(limit)
    return [_document(row) for row in await connection.execute(query)]


async def expired(connection: AsyncConnection, now: datetime, limit: int) -> list[Document]:
    """Return approved documents that count no longer, and lock them."""
    query = (
        sa.select(documents)
        .where(documents.c.state == State.APPROVED.value, documents.c.expires_at <= now)
        .order_by(documents.c.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_document(row) for row in await connection.execute(query)]


async def abandoned(connection: AsyncConnection, before: datetime, limit: int) -> list[Document]:
    """Return uploads that were begun before this and never completed."""
    query = (
        sa.select(documents)
        .where(documents.c.state == State.UPLOADING.value, documents.c.created_at < before)
        .order_by(documents.c.created_at)
        .limit(limit)
    )
    return [_document(row) for row in await connection.execute(query)]


async def with_parts_left(connection: AsyncConnection, limit: int) -> list[Document]:
    """Return documents of which parts are kept although they were completed."""
    query = (
        sa.select(documents)
        .where(
            documents.c.state != State.UPLOADING.value,
            documents.c.document_id.in_(sa.select(parts.c.document_id)),
        )
        .limit(limit)
    )
    return [_document(row) for row in await connection.execute(query)]


async def forget(connection: AsyncConnection, document_id: UUID) -> None:
    """Forget a document and its parts."""
    await connection.execute(sa.delete(documents).where(documents.c.document_id == document_id))


async def add_part(connection: AsyncConnection, document_id: UUID, start: int) -> None:
    """Remember where a part of an upload begins."""
    await connection.execute(
        insert(parts).values(document_id=document_id, start=start).on_conflict_do_nothing()
    )


async def part_starts(connection: AsyncConnection, document_id: UUID) -> list[int]:
    """Return where the parts of an upload begin, in order."""
    query = sa.select(parts.c.start).where(parts.c.document_id == document_id)
    return list((await connection.execute(query.order_by(parts.c.start))).scalars())


async def forget_parts(connection: AsyncConnection, document_id: UUID) -> None:
    """Forget the parts of an upload."""
    await connection.execute(sa.delete(parts).where(parts.c.document_id == document_id))


async def wrapped_key(connection: AsyncConnection, user_id: UUID) -> bytes | None:
    """Return a user's wrapped key."""
    found: bytes | None = (
        await connection.execute(sa.select(keys.c.wrapped).where(keys.c.user_id == user_id))
    ).scalar()
    return found


async def add_key(
    connection: AsyncConnection, user_id: UUID, wrapped: bytes, now: datetime
) -> bytes:
    """Store a user's wrapped key unless there is one; return the one that is there."""
    values = {"user_id": user_id, "wrapped": wrapped, "created_at": now}
    await connection.execute(insert(keys).values(values).on_conflict_do_nothing())
    stored = await wrapped_key(connection, user_id)
    assert stored is not None  # noqa: S101  inserted just now, or before
    return stored


def _document(row: sa.Row[Any]) -> Document:
    return Document(
        document_id=row.document_id,
        user_id=row.user_id,
        kind=Kind(row.kind),
        state=State(row.state),
        size=row.size,
        received=row.received,
        media_type=row.media_type,
        created_at=row.created_at,
        reviewed_at=row.reviewed_at,
        reviewed_by=row.reviewed_by,
        rejection=Rejection(row.rejection) if row.rejection else None,
        expires_at=row.expires_at,
    )
