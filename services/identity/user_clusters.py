"""The table `linked_user`: who belongs to which cluster. Who is linked with nobody is not there."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

SHOWN_MAX = 50

_metadata = sa.MetaData()

linked = sa.Table(
    "linked_user",
    _metadata,
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("cluster_id", sa.Uuid),
)
_PAGE = sa.text(
    f"""
    SELECT cluster_id, count(*), (array_agg(user_id ORDER BY user_id))[1:{SHOWN_MAX}]
    FROM linked_user
    WHERE (CAST(:only AS uuid) IS NULL OR cluster_id = :only)
      AND (CAST(:before AS uuid) IS NULL OR cluster_id < :before)
    GROUP BY cluster_id ORDER BY cluster_id DESC LIMIT :limit
    """
)


class Cluster(NamedTuple):
    """A group of linked users."""

    cluster_id: UUID
    """The user among them with the smallest id, who registered first."""

    size: int
    users: list[UUID]
    """At most SHOWN_MAX of them, in order of ids."""


async def with_their_clusters(connection: AsyncConnection, users: Collection[UUID]) -> set[UUID]:
    """Return these users, and everybody who is in a cluster with one of them."""
    theirs = sa.select(linked.c.cluster_id).where(linked.c.user_id.in_(users))
    query = sa.select(linked.c.user_id).where(linked.c.cluster_id.in_(theirs))
    return {*users, *(await connection.execute(query)).scalars()}


async def assign(
    connection: AsyncConnection, users: Collection[UUID], clusters: Iterable[Collection[UUID]]
) -> None:
    """Let these users belong to these clusters, and to no other."""
    await connection.execute(sa.delete(linked).where(linked.c.user_id.in_(users)))
    rows = [
        {"user_id": user_id, "cluster_id": min(cluster)}
        for cluster in clusters
        for user_id in cluster
    ]
    if rows:
        await connection.execute(sa.insert(linked), rows)


async def cluster_of(connection: AsyncConnection, user_id: UUID) -> UUID | None:
    """Return the cluster of a user, if he is linked with anybody."""
    query = sa.select(linked.c.cluster_id).where(linked.c.user_id == user_id)
    return (await connection.execute(query)).scalar_one_or_none()


async def members(
    connection: AsyncConnection, cluster_id: UUID, after: UUID | None, limit: int
) -> list[UUID]:
    """Return who belongs to a cluster, in order of ids."""
    query = (
        sa.select(linked.c.user_id)
        .where(linked.c.cluster_id == cluster_id)
        .order_by(linked.c.user_id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(linked.c.user_id > after)
    return list((await connection.execute(query)).scalars())


async def page(
    connection: AsyncConnection, only: UUID | None, before: UUID | None, limit: int
) -> list[Cluster]:
    """Return clusters, the one whose first user is newest first; or `only` one of them."""
    parameters = {"only": only, "before": before, "limit": limit}
    return [Cluster(*row) for row in await connection.execute(_PAGE, parameters)]
