"""The table `protection`: every version of what protects a user, the last of which counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity.protection import Action, Kind, Limit, Protection
from services.kit.values import Period

_metadata = sa.MetaData()

protections = sa.Table(
    "protection",
    _metadata,
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True),
    sa.Column("action", sa.Text),
    sa.Column("limits", JSONB),
    sa.Column("break_until", sa.DateTime(timezone=True)),
    sa.Column("excluded_until", sa.DateTime(timezone=True)),
    sa.Column("reality_check_minutes", sa.Integer),
    sa.Column("changed_at", sa.DateTime(timezone=True)),
)


class Change(NamedTuple):
    """What a user did, when, and what protected him from then on."""

    action: Action
    protection: Protection
    changed_at: datetime


async def latest(connection: AsyncConnection, user_id: UUID) -> Protection:
    """Return what a user set last, past times included; version 0 of who never set anything."""
    found = await changes(connection, user_id, None, None, 1)
    return found[0].protection if found else Protection(user_id)


async def changes(
    connection: AsyncConnection,
    user_id: UUID,
    action: Action | None,
    before: int | None,
    limit: int,
) -> list[Change]:
    """Return a user's changes, of one action if any is given, before a version; newest first."""
    query = (
        sa.select(protections)
        .where(protections.c.user_id == user_id)
        .order_by(protections.c.version.desc())
        .limit(limit)
    )
    if action is not None:
        query = query.where(protections.c.action == action)
    if before is not None:
        query = query.where(protections.c.version < before)
    return [_change(row) for row in await connection.execute(query)]


async def any_excluded(
    connection: AsyncConnection, user_ids: Sequence[UUID], now: datetime
) -> bool:
    """Tell whether one of these users is excluded at a moment: an exclusion is never taken back."""
    query = sa.select(sa.literal(1)).where(
        protections.c.user_id.in_(user_ids), protections.c.excluded_until > now
    )
    return (await connection.execute(query.limit(1))).first() is not None


async def add(connection: AsyncConnection, change: Change) -> None:
    """Store a new version; the caller has locked the user."""
    protection = change.protection
    row = {
        "user_id": protection.user_id,
        "version": protection.version,
        "action": change.action,
        "limits": [_stored(limit) for limit in protection.limits],
        "break_until": protection.break_until,
        "excluded_until": protection.excluded_until,
        "reality_check_minutes": protection.reality_check_minutes,
        "changed_at": change.changed_at,
    }
    await connection.execute(sa.insert(protections).values(row))


def _change(row: sa.Row[Any]) -> Change:
    protection = Protection(
        user_id=row.user_id,
        version=row.version,
        limits=tuple(map(_limit, row.limits)),
        break_until=row.break_until,
        excluded_until=row.excluded_until,
        reality_check_minutes=row.reality_check_minutes,
    )
    return Change(Action(row.action), protection, row.changed_at)


def _stored(limit: Limit) -> dict[str, object]:
    return {
        "kind": limit.kind,
        "period": limit.period,
        "value": limit.value,
        "next_at": limit.next_at.isoformat() if limit.next_at else None,
        "next_value": limit.next_value,
    }


def _limit(stored: dict[str, Any]) -> Limit:
    next_at = stored["next_at"]
    return Limit(
        Kind(stored["kind"]),
        Period(stored["period"]),
        stored["value"],
        datetime.fromisoformat(next_at) if next_at else None,
        stored["next_value"],
    )
