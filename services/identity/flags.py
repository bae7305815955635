"""The table `fraud_flag`: what needs a look, and what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity.flag import Flag, Rule, State

_metadata = sa.MetaData()

flags = sa.Table(
    "fraud_flag",
    _metadata,
    sa.Column("flag_id", sa.Uuid, primary_key=True),
    sa.Column("rule", sa.Text),
    sa.Column("user_id", sa.Uuid),
    sa.Column("detail", sa.Text),
    sa.Column("raised_at", sa.DateTime(timezone=True)),
    sa.Column("resolved_by", sa.Uuid),
    sa.Column("resolved_at", sa.DateTime(timezone=True)),
    sa.Column("note", sa.Text),
)


async def add(connection: AsyncConnection, flag: Flag) -> bool:
    """Store a flag; tell whether it did.

    It does not if its rule raised one about the user that day, or one that is still open.
    """
    still_open = sa.select(sa.literal(1)).where(
        flags.c.rule == flag.rule, flags.c.user_id == flag.user_id, flags.c.resolved_at.is_(None)
    )
    if (await connection.execute(still_open.limit(1))).first() is not None:
        return False
    unless_raised = (
        insert(flags).values(flag._asdict()).on_conflict_do_nothing().returning(flags.c.flag_id)
    )
    return (await connection.execute(unless_raised)).first() is not None


async def lock(connection: AsyncConnection, flag_id: UUID) -> Flag | None:
    """Return a flag as of now, and keep others who lock it waiting."""
    query = sa.select(flags).where(flags.c.flag_id == flag_id).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    return _flag(row) if row else None


async def resolve(
    connection: AsyncConnection, flag: Flag, person: UUID, note: str, now: datetime
) -> Flag:
    """Note what came of a flag, which the caller has locked."""
    resolved = flag._replace(resolved_by=person, resolved_at=now, note=note)
    change = {"resolved_by": person, "resolved_at": now, "note": note}
    statement = sa.update(flags).where(flags.c.flag_id == flag.flag_id).values(change)
    await connection.execute(statement)
    return resolved


async def page(
    connection: AsyncConnection,
    *,
    state: State | None,
    rule: Rule | None,
    user_id: UUID | None,
    before: UUID | None,
    limit: int,
) -> list[Flag]:
    """Return flags that meet the conditions that are given, the newest first.

    What a newer build's rule has raised is not among them: only that build knows what it says.
    """
    query = sa.select(flags).where(flags.c.rule.in_(list(Rule)))
    query = query.order_by(flags.c.flag_id.desc()).limit(limit)
    if state is not None:
        is_open = flags.c.resolved_at.is_(None)
        query = query.where(is_open if state is State.OPEN else sa.not_(is_open))
    if rule is not None:
        query = query.where(flags.c.rule == rule)
    if user_id is not None:
        query = query.where(flags.c.user_id == user_id)
    if before is not None:
        query = query.where(flags.c.flag_id < before)
    return [_flag(row) for row in await connection.execute(query)]


def _flag(row: sa.Row[Any]) -> Flag:
    return Flag(**{**row._asdict(), "rule": Rule(row.rule)})
