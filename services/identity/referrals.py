"""The tables `referral_code` and `referral`: by which codes users refer others, and whom."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity.referral import Referral, Refusal

_metadata = sa.MetaData()

codes = sa.Table(
    "referral_code",
    _metadata,
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("code", sa.Text),
    sa.Column("made_at", sa.DateTime(timezone=True)),
)
referrals = sa.Table(
    "referral",
    _metadata,
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("referrer_id", sa.Uuid),
    sa.Column("referred_at", sa.DateTime(timezone=True)),
    sa.Column("refusal", sa.Text),
)
_COUNTS = referrals.c.refusal.is_(None)


async def code_of(connection: AsyncConnection, user_id: UUID) -> str | None:
    """Return a user's code, if one was made."""
    query = sa.select(codes.c.code).where(codes.c.user_id == user_id)
    return (await connection.execute(query)).scalar_one_or_none()


async def add_code(connection: AsyncConnection, user_id: UUID, code: str, now: datetime) -> None:
    """Store a user's code, unless he has one, or somebody else has this."""
    row = {"user_id": user_id, "code": code, "made_at": now}
    await connection.execute(insert(codes).values(row).on_conflict_do_nothing())


async def owner_of(connection: AsyncConnection, code: str) -> UUID | None:
    """Return whose code this is."""
    query = sa.select(codes.c.user_id).where(codes.c.code == code)
    return (await connection.execute(query)).scalar_one_or_none()


async def add(connection: AsyncConnection, referral: Referral) -> None:
    """Store by whose link a user registers, once: the service's role cannot change it."""
    await connection.execute(sa.insert(referrals).values(referral._asdict()))


async def of(connection: AsyncConnection, user_id: UUID) -> Referral | None:
    """Return by whose link a user registered, if by any."""
    query = sa.select(referrals).where(referrals.c.user_id == user_id)
    row = (await connection.execute(query)).one_or_none()
    return _referral(row) if row else None


async def any_between(connection: AsyncConnection, user_id: UUID, others: Collection[UUID]) -> bool:
    """Tell whether one of these has referred the user, or was referred by him."""
    to, by = referrals.c.user_id, referrals.c.referrer_id
    either = sa.or_(sa.and_(to == user_id, by.in_(others)), sa.and_(by == user_id, to.in_(others)))
    query = sa.select(sa.literal(1)).where(either, _COUNTS).limit(1)
    return (await connection.execute(query)).first() is not None


async def count(connection: AsyncConnection, referrer_id: UUID) -> int:
    """Return how many a user has referred, of those that count."""
    query = sa.select(sa.func.count()).where(referrals.c.referrer_id == referrer_id, _COUNTS)
    return int((await connection.execute(query)).scalar_one())


async def page(
    connection: AsyncConnection,
    referrer_id: UUID,
    *,
    before: UUID | None,
    limit: int,
    counted_since: datetime | None = None,
    refusal: Refusal | None = None,
) -> list[Referral]:
    """Return whom a user has referred, who registered last first.

    Those that count since a moment, or those refused for a reason; all if neither is told.
    """
    query = (
        sa.select(referrals)
        .where(referrals.c.referrer_id == referrer_id)
        .order_by(referrals.c.user_id.desc())
        .limit(limit)
    )
    if counted_since is not None:
        query = query.where(_COUNTS, referrals.c.referred_at >= counted_since)
    if refusal is not None:
        query = query.where(referrals.c.refusal == refusal)
    if before is not None:
        query = query.where(referrals.c.user_id < before)
    return [_referral(row) for row in await connection.execute(query)]


def _referral(row: sa.Row[Any]) -> Referral:
    refusal = Refusal(row.refusal) if row.refusal else None
    return Referral(**{**row._asdict(), "refusal": refusal})
