"""The table `sitting`: since when users have been there who want reality checks."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity.sessions import sessions
from services.identity.sitting import Sitting

_metadata = sa.MetaData()

sittings = sa.Table(
    "sitting",
    _metadata,
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("check_minutes", sa.Integer),
    sa.Column("since", sa.DateTime(timezone=True)),
    sa.Column("told_at", sa.DateTime(timezone=True)),
)


async def want(connection: AsyncConnection, user_id: UUID, minutes: int) -> None:
    """Note how often a user wants to be told; 0 for never. What he was told so far stays."""
    if minutes == 0:
        await connection.execute(sa.delete(sittings).where(sittings.c.user_id == user_id))
        return
    stored = insert(sittings).values(user_id=user_id, check_minutes=minutes)
    changed = {"check_minutes": minutes}
    await connection.execute(stored.on_conflict_do_update(index_elements=["user_id"], set_=changed))


async def page(
    connection: AsyncConnection, after: UUID | None, now: datetime, used_since: datetime, limit: int
) -> list[tuple[Sitting, bool]]:
    """Lock and return sittings in the order of users, each with whether its user is there."""
    going_on = sa.exists().where(
        sessions.c.user_id == sittings.c.user_id,
        sessions.c.ended_at.is_(None),
        sessions.c.expires_at > now,
        sessions.c.last_used_at > used_since,
    )
    query = sa.select(sittings, going_on).order_by(sittings.c.user_id).limit(limit)
    if after is not None:
        query = query.where(sittings.c.user_id > after)
    rows = await connection.execute(query.with_for_update(of=sittings))
    return [(Sitting(*row[:-1]), row[-1]) for row in rows]


async def store(connection: AsyncConnection, sitting: Sitting) -> None:
    """Store a sitting."""
    change = sa.update(sittings).where(sittings.c.user_id == sitting.user_id)
    await connection.execute(change.values(asdict(sitting)))
