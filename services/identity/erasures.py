"""The tables `erasure`, who is to be erased or was, and `barred_address`, who may not return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity.erasure import Erasure, State

_metadata = sa.MetaData()

erasures = sa.Table(
    "erasure",
    _metadata,
    sa.Column("erasure_id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid),
    sa.Column("state", sa.Text),
    sa.Column("by_staff", sa.Boolean),
    sa.Column("asked_at", sa.DateTime(timezone=True)),
    sa.Column("due_at", sa.DateTime(timezone=True)),
    sa.Column("stepped_at", sa.DateTime(timezone=True)),
    sa.Column("ended_at", sa.DateTime(timezone=True)),
)
barred = sa.Table(
    "barred_address",
    _metadata,
    sa.Column("mark", sa.LargeBinary, primary_key=True),
    sa.Column("until", sa.DateTime(timezone=True)),
)


async def add(connection: AsyncConnection, erasure: Erasure) -> None:
    """Store a new erasure."""
    await connection.execute(sa.insert(erasures).values(asdict(erasure)))


async def going_on(
    connection: AsyncConnection, user_id: UUID, *, lock: bool = False
) -> Erasure | None:
    """Return the erasure of a user that is not over, locked if so wished."""
    query = sa.select(erasures).where(erasures.c.user_id == user_id, erasures.c.ended_at.is_(None))
    if lock:
        query = query.with_for_update()
    row = (await connection.execute(query)).one_or_none()
    return _erasure(row) if row else None


async def unfinished(connection: AsyncConnection, now: datetime, limit: int) -> list[Erasure]:
    """Return erasures of which a step may be due, the one due longest first."""
    query = (
        sa.select(erasures)
        .where(erasures.c.ended_at.is_(None), erasures.c.due_at <= now)
        .order_by(erasures.c.due_at, erasures.c.erasure_id)
        .limit(limit)
    )
    return [_erasure(row) for row in await connection.execute(query)]


async def step(
    connection: AsyncConnection, erasure: Erasure, state: State, now: datetime, **columns: object
) -> Erasure:
    """Let an erasure, which the caller has locked, come to a state now."""
    columns |= {"state": state, "stepped_at": now}
    if state in {State.DONE, State.WITHDRAWN}:
        columns["ended_at"] = now
    statement = sa.update(erasures).where(erasures.c.erasure_id == erasure.erasure_id)
    await connection.execute(statement.values(columns))
    return replace(erasure, **columns)  # type: ignore[arg-type]  # the fields are the columns


async def bar(connection: AsyncConnection, mark: bytes, until: datetime | None) -> None:
    """Let an address not be registered until some moment, or for good."""
    statement = insert(barred).values(mark=mark, until=until)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["mark"], set_={"until": until})
    )


async def is_barred(connection: AsyncConnection, marks: Sequence[bytes], now: datetime) -> bool:
    """Tell whether an address with one of these marks may not be registered now."""
    still = sa.or_(barred.c.until.is_(None), barred.c.until > now)
    query = sa.select(sa.literal(1)).where(barred.c.mark.in_(marks), still)
    return (await connection.execute(query.limit(1))).first() is not None


async def purge_barred(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Forget marks that count no more since a moment, at most `limit`; return how many."""
    old = sa.select(barred.c.mark).where(barred.c.until < before).limit(limit)
    delete = sa.delete(barred).where(barred.c.mark.in_(old))
    return (await connection.execute(delete)).rowcount


def _erasure(row: sa.Row[Any]) -> Erasure:
    return Erasure(**{**row._asdict(), "state": State(row.state)})
