"""The table `presence`: how long users were signed in who have set a limit on it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import protections, sessions
from services.identity.presence import Presence, admitted, allowed, departed
from services.identity.session import ACCESS_LIFETIME

_metadata = sa.MetaData()

presences = sa.Table(
    "presence",
    _metadata,
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("day", sa.Date),
    sa.Column("covered_until", sa.DateTime(timezone=True)),
    sa.Column("in_day", sa.Interval),
    sa.Column("in_week", sa.Interval),
    sa.Column("in_month", sa.Interval),
)


async def admit(
    connection: AsyncConnection, user_id: UUID, now: datetime, until: datetime
) -> datetime:
    """Count an access token that is to last `until` some moment; return until when it may.

    Failure SESSION_TIME_LIMIT, before anything was changed, when the user has no time left.
    """
    limits = allowed(await protections.latest(connection, user_id), now)
    if not limits:
        return until
    first = Presence(user_id, now.date(), now)
    await connection.execute(insert(presences).values(asdict(first)).on_conflict_do_nothing())
    presence, end = admitted(await _locked(connection, user_id) or first, limits, now, until)
    await _store(connection, presence)
    return end


async def depart(connection: AsyncConnection, user_id: UUID, now: datetime) -> None:
    """Give back what was counted and not used of a user who has no token left that counts."""
    presence = await _locked(connection, user_id)
    if presence is None:
        return
    if not await sessions.live(connection, user_id, now, now - ACCESS_LIFETIME):
        await _store(connection, departed(presence, now))


async def _locked(connection: AsyncConnection, user_id: UUID) -> Presence | None:
    query = sa.select(presences).where(presences.c.user_id == user_id).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    return Presence(*row) if row else None


async def _store(connection: AsyncConnection, presence: Presence) -> None:
    row = asdict(presence)
    change = sa.update(presences).where(presences.c.user_id == presence.user_id).values(row)
    await connection.execute(change)
