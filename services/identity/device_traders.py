"""The table `device_trader`: who traded at which device on which day."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

_metadata = sa.MetaData()

traders = sa.Table(
    "device_trader",
    _metadata,
    sa.Column("device", sa.Text, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("user_id", sa.Uuid, primary_key=True),
)


async def note(connection: AsyncConnection, device: str, day: date, user_id: UUID) -> bool:
    """Store that a user traded at a device; tell whether that is new on this day."""
    row = {"device": device, "day": day, "user_id": user_id}
    unless_known = insert(traders).values(row).on_conflict_do_nothing().returning(traders.c.user_id)
    return (await connection.execute(unless_known)).first() is not None


async def count(connection: AsyncConnection, device: str, day: date) -> int:
    """Return how many users traded at a device on a day."""
    query = sa.select(sa.func.count()).where(traders.c.device == device, traders.c.day == day)
    return int((await connection.execute(query)).scalar_one())


async def forget(connection: AsyncConnection, before: date) -> None:
    """Forget the days before one."""
    await connection.execute(sa.delete(traders).where(traders.c.day < before))
