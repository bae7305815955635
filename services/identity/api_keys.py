"""The tables `api_keys` and `used_assertions`."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity.api_key import ApiKey, Scope

_metadata = sa.MetaData()

api_keys = sa.Table(
    "api_keys",
    _metadata,
    sa.Column("key_id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid),
    sa.Column("name", sa.Text),
    sa.Column("digest", sa.LargeBinary),
    sa.Column("public_key", sa.LargeBinary),
    sa.Column("scopes", ARRAY(sa.Text)),
    sa.Column("account_ids", ARRAY(sa.Text)),
    sa.Column("networks", ARRAY(sa.Text)),
    sa.Column("created_at", sa.DateTime(timezone=True)),
    sa.Column("expires_at", sa.DateTime(timezone=True)),
    sa.Column("ended_at", sa.DateTime(timezone=True)),
)
used_assertions = sa.Table(
    "used_assertions",
    _metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("expires_at", sa.DateTime(timezone=True)),
)


async def add(connection: AsyncConnection, key: ApiKey) -> None:
    """Store a new key."""
    row = {
        "key_id": key.key_id,
        "user_id": key.user_id,
        "name": key.name,
        "digest": key.digest,
        "public_key": key.public_key,
        "scopes": sorted(key.scopes),
        "account_ids": list(key.account_ids),
        "networks": list(key.networks),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
    }
    await connection.execute(sa.insert(api_keys).values(row))


async def find(connection: AsyncConnection, key_id: UUID) -> ApiKey | None:
    """Return a key, whatever became of it."""
    query = sa.select(api_keys).where(api_keys.c.key_id == key_id)
    row = (await connection.execute(query)).one_or_none()
    return _key_of(row) if row else None


async def live(connection: AsyncConnection, user_id: UUID, now: datetime) -> list[ApiKey]:
    """Return the keys of a user that work, newest first. They are few: see `LIVE_MAX`."""
    query = (
        sa.select(api_keys)
        .where(
            api_keys.c.user_id == user_id,
            api_keys.c.ended_at.is_(None),
            sa.or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now),
        )
        .order_by(api_keys.c.key_id.desc())
    )
    return [_key_of(row) for row in await connection.execute(query)]


async def end(connection: AsyncConnection, key_id: UUID, now: datetime) -> bool:
    """End a key; tell whether this call did."""
    change = (
        sa.update(api_keys)
        .where(api_keys.c.key_id == key_id, api_keys.c.ended_at.is_(None))
        .values(ended_at=now)
    )
    return (await connection.execute(change)).rowcount == 1


async def ended_since(connection: AsyncConnection, since: datetime) -> list[tuple[UUID, datetime]]:
    """Return the keys that ended after a moment, with when they did."""
    query = sa.select(api_keys.c.key_id, api_keys.c.ended_at).where(api_keys.c.ended_at > since)
    return [(row.key_id, row.ended_at) for row in await connection.execute(query)]


async def use_assertion(connection: AsyncConnection, digest: bytes, expires_at: datetime) -> bool:
    """Note that an assertion was used; False when it was before."""
    use = insert(used_assertions).values(digest=digest, expires_at=expires_at)
    once = use.on_conflict_do_nothing().returning(used_assertions.c.digest)
    return (await connection.execute(once)).first() is not None


async def purge_assertions(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Forget used assertions that expired before a moment; return how many."""
    old = (
        sa.select(used_assertions.c.digest)
        .where(used_assertions.c.expires_at < before)
        .order_by(used_assertions.c.expires_at)
        .limit(limit)
    )
    delete = sa.delete(used_assertions).where(used_assertions.c.digest.in_(old))
    return (await connection.execute(delete)).rowcount


def _key_of(row: sa.Row[tuple[object, ...]]) -> ApiKey:
    return ApiKey(
        key_id=row.key_id,
        user_id=row.user_id,
        name=row.name,
        scopes=frozenset(map(Scope, row.scopes)),
        account_ids=tuple(row.account_ids),
        networks=tuple(row.networks),
        created_at=row.created_at,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
        digest=bytes(row.digest) if row.digest else None,
        public_key=bytes(row.public_key) if row.public_key else None,
    )
