"""The table `roles`: the sets that staff defined, in place of the first ones or beside them."""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity.permission import FIXED, PERMISSIONS, permissions_of

LOCK_KEY = 0x726F_6C65_7300_0001  # "roles"

_metadata = sa.MetaData()

roles = sa.Table(
    "roles",
    _metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("permissions", ARRAY(sa.Text)),
    sa.Column("changed_at", sa.DateTime(timezone=True)),
)


async def lock(connection: AsyncConnection) -> None:
    """Keep others who lock the roles waiting: who has which, and what each may do, stays so."""
    await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK_KEY)))


async def may(connection: AsyncConnection, names: Iterable[str]) -> frozenset[str]:
    """Return what a bearer of these roles may do now."""
    changeable = [name for name in names if name not in FIXED]
    if not changeable:
        return permissions_of(names)
    query = sa.select(roles).where(roles.c.name.in_(changeable))
    rows = await connection.execute(query)
    return permissions_of(names, {row.name: frozenset(row.permissions) for row in rows})


async def every(connection: AsyncConnection) -> dict[str, frozenset[str]]:
    """Return all roles with their permissions, by name."""
    rows = await connection.execute(sa.select(roles))
    return dict(PERMISSIONS) | {row.name: frozenset(row.permissions) for row in rows}


async def store(
    connection: AsyncConnection, name: str, permissions: frozenset[str], now: datetime
) -> None:
    """Give a role, new or known, these permissions."""
    row = {"name": name, "permissions": sorted(permissions), "changed_at": now}
    statement = insert(roles).values(row)
    changed = {"permissions": row["permissions"], "changed_at": now}
    await connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changed))
