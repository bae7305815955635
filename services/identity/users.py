"""The tables `users` and `credentials`: who can sign in, and with what."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity.user import User

_metadata = sa.MetaData()

users = sa.Table(
    "users",
    _metadata,
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("email", sa.Text),
    sa.Column("address_key", sa.Text),
    sa.Column("roles", ARRAY(sa.Text)),
    sa.Column("registered_at", sa.DateTime(timezone=True)),
    sa.Column("authority", sa.BigInteger),
    sa.Column("authority_changed_at", sa.DateTime(timezone=True)),
    sa.Column("email_confirmed_at", sa.DateTime(timezone=True)),
    sa.Column("country", sa.Text),
    sa.Column("birth_date", sa.Date),
    sa.Column("agreement_version", sa.Text),
    sa.Column("agreed_at", sa.DateTime(timezone=True)),
    sa.Column("real_since", sa.DateTime(timezone=True)),
    sa.Column("language", sa.Text),
    sa.Column("banned", sa.Boolean),
    sa.Column("banned_until", sa.DateTime(timezone=True)),
    sa.Column("closed_at", sa.DateTime(timezone=True)),
    sa.Column("erased_at", sa.DateTime(timezone=True)),
)
credentials = sa.Table(
    "credentials",
    _metadata,
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("password_hash", sa.Text),
    sa.Column("changed_at", sa.DateTime(timezone=True)),
    sa.Column("version", sa.BigInteger),
    sa.Column("expires_at", sa.DateTime(timezone=True)),
)


@dataclass(frozen=True, slots=True)
class Credential:
    """A user with the hash of the password."""

    user: User
    password_hash: str
    version: int
    """Counts the passwords that the user has had."""

    expires_at: datetime | None = None
    """When the password stops to count; None for one that its user has chosen."""

    def has_expired(self, now: datetime) -> bool:
        """Tell whether the password does not count any more."""
        return self.expires_at is not None and now >= self.expires_at


async def add(
    connection: AsyncConnection,
    user: User,
    address_key: str,
    password_hash: str,
    expires_at: datetime | None = None,
) -> bool:
    """Store a new user, unless someone has the address; tell whether it was stored.

    The password counts until `expires_at`, if that is given, or until there is another. Of several
    callers with one address, at once or not, exactly one stores.
    """
    row = {
        "user_id": user.user_id,
        "email": user.email,
        "address_key": address_key,
        "roles": [str(role) for role in user.roles],
        "registered_at": user.registered_at,
        "country": user.country or None,
        "birth_date": user.birth_date,
        "agreement_version": user.agreement_version,
        "agreed_at": user.registered_at if user.agreement_version else None,
        "language": user.language,
    }
    unless_taken = (
        insert(users)
        .values(row)
        .on_conflict_do_nothing(index_elements=["address_key"])
        .returning(users.c.user_id)
    )
    if (await connection.execute(unless_taken)).first() is None:
        return False
    credential = {
        "user_id": user.user_id,
        "password_hash": password_hash,
        "changed_at": user.registered_at,
        "expires_at": expires_at,
    }
    await connection.execute(sa.insert(credentials).values(credential))
    return True


async def find_credential(connection: AsyncConnection, address_key: str) -> Credential | None:
    """Return the user with this address, and the hash to check."""
    joined = users.join(credentials, users.c.user_id == credentials.c.user_id)
    query = (
        sa.select(
            users,
            credentials.c.password_hash,
            credentials.c.version,
            credentials.c.expires_at.label("password_expires_at"),
        )
        .select_from(joined)
        .where(users.c.address_key == address_key)
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    return Credential(user_of(row), row.password_hash, row.version, row.password_expires_at)


async def password_hash_of(connection: AsyncConnection, user_id: UUID) -> str:
    """Return the hash of a user that is known to exist."""
    query = sa.select(credentials.c.password_hash).where(credentials.c.user_id == user_id)
    stored: str = (await connection.execute(query)).scalar_one()
    return stored


async def lock(connection: AsyncConnection, user_id: UUID) -> User:
    """Return a user as of now and keep others who lock it waiting."""
    query = sa.select(users).where(users.c.user_id == user_id).with_for_update(key_share=True)
    return user_of((await connection.execute(query)).one())


async def find(connection: AsyncConnection, user_id: UUID) -> User:
    """Return a user that is known to exist."""
    query = sa.select(users).where(users.c.user_id == user_id)
    return user_of((await connection.execute(query)).one())


async def look_up(connection: AsyncConnection, user_id: UUID, *, lock: bool = False) -> User | None:
    """Return a user, locked if so wished; None when there is none."""
    query = sa.select(users).where(users.c.user_id == user_id)
    if lock:
        query = query.with_for_update(key_share=True)
    row = (await connection.execute(query)).one_or_none()
    return user_of(row) if row else None


async def bearers(connection: AsyncConnection, role: str) -> list[User]:
    """Return who has a role, and lock them. Staff are few: a trader's role is never asked for."""
    query = (
        sa.select(users)
        .where(users.c.roles.contains([role]))
        .order_by(users.c.user_id)
        .with_for_update(key_share=True)
    )
    return [user_of(row) for row in await connection.execute(query)]


async def registered_since(
    connection: AsyncConnection, user_ids: Sequence[UUID], since: datetime
) -> int:
    """Return how many of these users registered after a moment."""
    query = sa.select(sa.func.count()).where(
        users.c.user_id.in_(user_ids), users.c.registered_at > since
    )
    return int((await connection.execute(query)).scalar_one())


async def any_banned(connection: AsyncConnection, user_ids: Sequence[UUID], now: datetime) -> bool:
    """Tell whether one of these users is banned at a moment."""
    for_now = sa.or_(users.c.banned_until.is_(None), users.c.banned_until > now)
    query = sa.select(sa.literal(1)).where(users.c.user_id.in_(user_ids), users.c.banned, for_now)
    return (await connection.execute(query.limit(1))).first() is not None


async def some(connection: AsyncConnection, user_ids: Sequence[UUID]) -> list[User]:
    """Return these users, who registered last first."""
    query = sa.select(users).where(users.c.user_id.in_(user_ids)).order_by(users.c.user_id.desc())
    return [user_of(row) for row in await connection.execute(query)]


async def page(
    connection: AsyncConnection,
    *,
    email_key: str | None,
    email_part: str | None,
    role: str | None,
    banned: bool | None,
    before: UUID | None,
    limit: int,
) -> list[User]:
    """Return users who meet the conditions that are given, the newest first."""
    query = sa.select(users).order_by(users.c.user_id.desc()).limit(limit)
    if email_key is not None:
        query = query.where(users.c.address_key == email_key)
    if email_part is not None:
        query = query.where(users.c.address_key.contains(email_part, autoescape=True))
    if role is not None:
        query = query.where(users.c.roles.contains([role]))
    if banned is not None:
        query = query.where(users.c.banned.is_(banned))
    if before is not None:
        query = query.where(users.c.user_id < before)
    return [user_of(row) for row in await connection.execute(query)]


async def renew_authority(connection: AsyncConnection, user_id: UUID, now: datetime) -> User:
    """Note that what a user may do has changed, and return him as he is now."""
    change = (
        sa.update(users)
        .where(users.c.user_id == user_id)
        .values(authority=users.c.authority + 1, authority_changed_at=now)
        .returning(users)
    )
    return user_of((await connection.execute(change)).one())


async def change(connection: AsyncConnection, user_id: UUID, **columns: object) -> None:
    """Change columns of a user, whom the caller has locked."""
    await connection.execute(sa.update(users).where(users.c.user_id == user_id).values(columns))


async def set_hash(connection: AsyncConnection, user_id: UUID, new: str, now: datetime) -> None:
    """Store the hash of a new password."""
    change = (
        sa.update(credentials)
        .where(credentials.c.user_id == user_id)
        .values(
            password_hash=new,
            changed_at=now,
            version=credentials.c.version + 1,
            expires_at=None,
        )
    )
    await connection.execute(change)


async def password_version(connection: AsyncConnection, user_id: UUID) -> int:
    """Return how many passwords a user that is known to exist has had."""
    query = sa.select(credentials.c.version).where(credentials.c.user_id == user_id)
    version: int = (await connection.execute(query)).scalar_one()
    return version


async def replace_hash(connection: AsyncConnection, user_id: UUID, old: str, new: str) -> None:
    """Store a new hash of the same password, unless the password was changed meanwhile."""
    change = (
        sa.update(credentials)
        .where(credentials.c.user_id == user_id, credentials.c.password_hash == old)
        .values(password_hash=new)
    )
    await connection.execute(change)


async def authorities_since(
    connection: AsyncConnection, since: datetime
) -> list[tuple[UUID, int, datetime]]:
    """Return the users whose permissions changed after a moment, the version, and when."""
    query = (
        sa.select(users.c.user_id, users.c.authority, users.c.authority_changed_at)
        .where(users.c.authority_changed_at > since)
        .order_by(users.c.authority_changed_at)
    )
    rows = await connection.execute(query)
    return [(row.user_id, row.authority, row.authority_changed_at) for row in rows]


def user_of(row: sa.Row[tuple[object, ...]]) -> User:
    """Return the user in a row that has the columns of `users`."""
    return User(
        user_id=row.user_id,
        email=row.email,
        roles=tuple(row.roles),
        registered_at=row.registered_at,
        authority=row.authority,
        email_confirmed=row.email_confirmed_at is not None,
        country=row.country or "",
        birth_date=row.birth_date,
        agreement_version=row.agreement_version,
        real_accounts=row.real_since is not None,
        language=row.language,
        banned=row.banned,
        banned_until=row.banned_until,
        closed=row.closed_at is not None,
        erased_at=row.erased_at,
    )
