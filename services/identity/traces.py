"""The table `trace`: at which devices and addresses each user was seen."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity.trace import Bounds, Kind, Link, Sighting, Trace

_metadata = sa.MetaData()

traces = sa.Table(
    "trace",
    _metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("agent", sa.Text),
    sa.Column("country", sa.Text),
    sa.Column("first_at", sa.DateTime(timezone=True)),
    sa.Column("last_at", sa.DateTime(timezone=True)),
)
Key = tuple[datetime, str, str]
"""When a trace was last seen, its kind and its value: its place in a user's list."""

_SHARED = sa.text(
    """
    SELECT array_agg(x.user_id) FROM (
        SELECT DISTINCT kind, value FROM trace WHERE user_id = ANY (:users)
    ) t CROSS JOIN LATERAL (
        SELECT user_id FROM trace WHERE kind = t.kind AND value = t.value
        LIMIT CASE t.kind WHEN 'DEVICE' THEN :device_users ELSE :address_users END + 1
    ) x
    GROUP BY t.kind, t.value
    HAVING count(*) BETWEEN 2
        AND CASE t.kind WHEN 'DEVICE' THEN :device_users ELSE :address_users END
    """
)
_LINKS = sa.text(
    """
    SELECT t.kind, t.value, x.agent, x.country, x.last_at, x.users FROM (
        SELECT DISTINCT kind, value FROM trace
        WHERE user_id IN (SELECT user_id FROM linked_user WHERE cluster_id = :cluster)
          AND (CAST(:only AS text) IS NULL OR kind = :only)
          AND (CAST(:kind AS text) IS NULL OR (kind, value) < (:kind, :value))
    ) t CROSS JOIN LATERAL (
        SELECT (array_agg(agent ORDER BY last_at DESC))[1] AS agent,
               (array_agg(country ORDER BY last_at DESC))[1] AS country,
               max(last_at) AS last_at,
               array_agg(user_id ORDER BY user_id) AS users
        FROM (
            SELECT agent, country, last_at, user_id FROM trace
            WHERE kind = t.kind AND value = t.value
            LIMIT CASE t.kind WHEN 'DEVICE' THEN :device_users ELSE :address_users END + 1
        ) seen
        HAVING count(*) BETWEEN 2
            AND CASE t.kind WHEN 'DEVICE' THEN :device_users ELSE :address_users END
    ) x
    ORDER BY t.kind DESC, t.value DESC LIMIT :limit
    """
)


async def was_seen(connection: AsyncConnection, user_id: UUID, kind: Kind, value: str) -> bool:
    """Tell whether a user was seen at a device or an address."""
    query = sa.select(sa.literal(1)).where(
        traces.c.kind == kind, traces.c.value == value, traces.c.user_id == user_id
    )
    return (await connection.execute(query)).first() is not None


async def note(connection: AsyncConnection, sighting: Sighting, country: str) -> None:
    """Store that a user was seen at a trace."""
    row = {
        "kind": sighting.kind,
        "value": sighting.value,
        "user_id": sighting.user_id,
        "agent": sighting.agent,
        "country": country,
        "first_at": sighting.seen_at,
        "last_at": sighting.seen_at,
    }
    statement = insert(traces).values(row)
    again = {
        "agent": statement.excluded.agent,
        "country": statement.excluded.country,
        "last_at": sa.func.greatest(traces.c.last_at, statement.excluded.last_at),
    }
    keys = ["kind", "value", "user_id"]
    await connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=again))


async def sharers(
    connection: AsyncConnection, kind: Kind, value: str, limit: int
) -> Sequence[UUID]:
    """Return who was seen at a trace, at most `limit` users, those who registered last first."""
    query = (
        sa.select(traces.c.user_id)
        .where(traces.c.kind == kind, traces.c.value == value)
        .order_by(traces.c.user_id.desc())
        .limit(limit)
    )
    return (await connection.execute(query)).scalars().all()


async def shared(
    connection: AsyncConnection, users: Collection[UUID], bounds: Bounds
) -> list[list[UUID]]:
    """Return, for every trace that links any of these users, whom it links."""
    parameters = {
        "users": list(users),
        "device_users": bounds.device_users,
        "address_users": bounds.address_users,
    }
    return list((await connection.execute(_SHARED, parameters)).scalars())


async def new_devices(connection: AsyncConnection, user_id: UUID, since: datetime) -> int:
    """Return how many devices a user was first seen at since a moment."""
    query = sa.select(sa.func.count()).where(
        traces.c.user_id == user_id, traces.c.kind == Kind.DEVICE, traces.c.first_at > since
    )
    return int((await connection.execute(query)).scalar_one())


async def countries(connection: AsyncConnection, user_id: UUID, since: datetime) -> int:
    """Return in how many countries a user was seen since a moment."""
    query = sa.select(sa.func.count(traces.c.country.distinct())).where(
        traces.c.user_id == user_id, traces.c.last_at > since, traces.c.country != ""
    )
    return int((await connection.execute(query)).scalar_one())


async def page(
    connection: AsyncConnection,
    user_id: UUID,
    bounds: Bounds,
    *,
    kind: Kind | None,
    before: Key | None,
    limit: int,
) -> list[Trace]:
    """Return a user's traces, the one seen last first."""
    order = (traces.c.last_at, traces.c.kind, traces.c.value)
    query = (
        sa.select(traces, _users(bounds))
        .where(traces.c.user_id == user_id)
        .order_by(*(column.desc() for column in order))
        .limit(limit)
    )
    if kind is not None:
        query = query.where(traces.c.kind == kind)
    if before is not None:
        query = query.where(sa.tuple_(*order) < sa.tuple_(*map(sa.literal, before)))
    return [_trace(row) for row in await connection.execute(query)]


async def in_common(
    connection: AsyncConnection, user_id: UUID, others: Collection[UUID], bounds: Bounds
) -> list[Trace]:
    """Return the traces of others that link them with a user."""
    own = traces.alias("own")
    query = (
        sa.select(traces, _users(bounds))
        .select_from(
            traces.join(own, sa.and_(own.c.kind == traces.c.kind, own.c.value == traces.c.value))
        )
        .where(own.c.user_id == user_id, traces.c.user_id.in_(others))
        .order_by(traces.c.kind, traces.c.last_at.desc())
    )
    found = [_trace(row) for row in await connection.execute(query)]
    return [trace for trace in found if bounds.links(trace)]


async def links(
    connection: AsyncConnection,
    cluster_id: UUID,
    bounds: Bounds,
    *,
    kind: Kind | None,
    before: tuple[str, str] | None,
    limit: int,
) -> list[Link]:
    """Return what links the users of a cluster, devices first; `before` is a kind and a value."""
    parameters = {
        "cluster": cluster_id,
        "only": kind,
        "kind": before[0] if before else None,
        "value": before[1] if before else "",
        "limit": limit,
        "device_users": bounds.device_users,
        "address_users": bounds.address_users,
    }
    rows = await connection.execute(_LINKS, parameters)
    return [Link(Kind(row.kind), *row[1:]) for row in rows]


async def purge(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Delete traces last seen before a moment, at most `limit`; return how many."""
    key = (traces.c.kind, traces.c.value, traces.c.user_id)
    old = sa.select(*key).where(traces.c.last_at < before).order_by(traces.c.last_at).limit(limit)
    delete = sa.delete(traces).where(sa.tuple_(*key).in_(old))
    return (await connection.execute(delete)).rowcount


def _users(bounds: Bounds) -> sa.ColumnElement[int]:
    """Return how many users a trace has, counted up to one more than link."""
    other = traces.alias("other")
    most = sa.case((traces.c.kind == Kind.DEVICE, bounds.device_users), else_=bounds.address_users)
    some = (
        sa.select(sa.literal(1))
        .where(other.c.kind == traces.c.kind, other.c.value == traces.c.value)
        .limit(most + 1)
        .correlate(traces)
        .subquery()
    )
    return sa.select(sa.func.count()).select_from(some).scalar_subquery().label("users")


def _trace(row: sa.Row[Any]) -> Trace:
    return Trace(**{**row._asdict(), "kind": Kind(row.kind)})
