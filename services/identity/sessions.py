"""The tables `sessions` and `refresh_tokens`.

Whatever changes a session locks its row first, so that two uses of one refresh token, or a use and
a signing out, happen one after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity.device import Device
from services.identity.session import EndReason, RefreshToken, Session
from services.identity.trace import Kind
from services.identity.user import User
from services.identity.users import user_of, users

_metadata = sa.MetaData()

sessions = sa.Table(
    "sessions",
    _metadata,
    sa.Column("session_id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid),
    sa.Column("started_at", sa.DateTime(timezone=True)),
    sa.Column("expires_at", sa.DateTime(timezone=True)),
    sa.Column("ended_at", sa.DateTime(timezone=True)),
    sa.Column("end_reason", sa.Text),
    sa.Column("device_name", sa.Text),
    sa.Column("address", sa.Text),
    sa.Column("agent", sa.Text),
    sa.Column("device", sa.Text),
    sa.Column("last_used_at", sa.DateTime(timezone=True)),
    sa.Column("proven_at", sa.DateTime(timezone=True)),
    sa.Column("traced", sa.Boolean),
)
refresh_tokens = sa.Table(
    "refresh_tokens",
    _metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("session_id", sa.Uuid),
    sa.Column("expires_at", sa.DateTime(timezone=True)),
    sa.Column("used_at", sa.DateTime(timezone=True)),
    sa.Column("successor_salt", sa.LargeBinary),
)


@dataclass(frozen=True, slots=True)
class Presented:
    """A refresh token that was found, with its session, which is locked."""

    session: Session
    token: RefreshToken


async def begin(connection: AsyncConnection, session: Session) -> None:
    """Store a new session."""
    row = {
        "session_id": session.session_id,
        "user_id": session.user_id,
        "started_at": session.started_at,
        "expires_at": session.expires_at,
        "last_used_at": session.last_used_at,
        "proven_at": session.proven_at,
        "device_name": session.device.name,
        "address": session.device.address,
        "agent": session.device.agent,
        "device": session.device.cookie,
    }
    await connection.execute(sa.insert(sessions).values(row))


async def add_token(
    connection: AsyncConnection, session: Session, digest: bytes, expires_at: datetime
) -> None:
    """Store the digest of a refresh token just issued."""
    row = {"digest": digest, "session_id": session.session_id, "expires_at": expires_at}
    await connection.execute(sa.insert(refresh_tokens).values(row))


async def expiry_of(connection: AsyncConnection, digest: bytes) -> datetime:
    """Return until when a refresh token that is known to exist can be used."""
    query = sa.select(refresh_tokens.c.expires_at).where(refresh_tokens.c.digest == digest)
    expires_at: datetime = (await connection.execute(query)).scalar_one()
    return expires_at


async def present(connection: AsyncConnection, digest: bytes) -> Presented | None:
    """Lock the session of a refresh token, then read both; None for an unknown token.

    The token is read by a statement of its own, after the lock: whoever waited for the lock sees
    what the one before has done to the token.
    """
    of_token = (
        sa.select(refresh_tokens.c.session_id)
        .where(refresh_tokens.c.digest == digest)
        .scalar_subquery()
    )
    query = sa.select(sessions).where(sessions.c.session_id == of_token).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    token = await _find_token(connection, digest) if row else None
    return Presented(_session_of(row), token) if row and token else None


async def use_token(
    connection: AsyncConnection, session: Session, digest: bytes, salt: bytes, now: datetime
) -> None:
    """Mark a token as used, and its session; forget how it was derived from the one before it."""
    tokens = refresh_tokens
    forget = (
        sa.update(tokens)
        .where(tokens.c.session_id == session.session_id, tokens.c.successor_salt.is_not(None))
        .values(successor_salt=None)
    )
    use = (
        sa.update(tokens).where(tokens.c.digest == digest).values(used_at=now, successor_salt=salt)
    )
    renew = (
        sa.update(sessions)
        .where(sessions.c.session_id == session.session_id)
        .values(last_used_at=now)
    )
    for statement in (forget, use, renew):
        await connection.execute(statement)


async def end(
    connection: AsyncConnection, session_ids: Sequence[UUID], reason: EndReason, now: datetime
) -> list[Session]:
    """End sessions; return those that had neither ended before nor outlived their limit."""
    change = (
        sa.update(sessions)
        .where(
            sessions.c.session_id.in_(session_ids),
            sessions.c.ended_at.is_(None),
            sessions.c.expires_at > now,
        )
        .values(ended_at=now, end_reason=reason.value)
        .returning(sessions)
    )
    return [_session_of(row) for row in await connection.execute(change)]


async def prove(connection: AsyncConnection, session_id: UUID, now: datetime) -> Session | None:
    """Note that a session's user proved who he is; return it, or None when it is over."""
    change = (
        sa.update(sessions)
        .where(
            sessions.c.session_id == session_id,
            sessions.c.ended_at.is_(None),
            sessions.c.expires_at > now,
        )
        .values(proven_at=now)
        .returning(sessions)
    )
    row = (await connection.execute(change)).one_or_none()
    return _session_of(row) if row else None


async def live(
    connection: AsyncConnection, user_id: UUID, now: datetime, used_since: datetime | None = None
) -> list[Session]:
    """Return a user's sessions that go on, the one used last first. They are few: see `Limits`."""
    query = (
        sa.select(sessions)
        .where(
            sessions.c.user_id == user_id,
            sessions.c.ended_at.is_(None),
            sessions.c.expires_at > now,
        )
        .order_by(sessions.c.last_used_at.desc(), sessions.c.session_id.desc())
    )
    if used_since is not None:
        query = query.where(sessions.c.last_used_at > used_since)
    return [_session_of(row) for row in await connection.execute(query)]


async def belongs(connection: AsyncConnection, session_id: UUID, user_id: UUID) -> bool:
    """Tell whether a session, over or not, is this user's."""
    query = sa.select(sa.literal(1)).where(
        sessions.c.session_id == session_id, sessions.c.user_id == user_id
    )
    return (await connection.execute(query)).first() is not None


async def begun_from(connection: AsyncConnection, user_id: UUID | None, device: Device) -> bool:
    """Tell whether a user has signed in from this device or address lately; None never has."""
    same_device = sa.and_(sessions.c.device == device.cookie, sessions.c.device != "")
    query = (
        sa.select(sa.literal(1))
        .where(
            sessions.c.user_id == user_id,
            sa.or_(same_device, sessions.c.address == device.address),
        )
        .limit(1)
    )
    return (await connection.execute(query)).first() is not None


async def has_been_at(connection: AsyncConnection, user_id: UUID, device: Device) -> bool:
    """Tell whether a user has signed in lately with this browser, or with a program from there."""
    column, value = (
        (sessions.c.device, device.cookie)
        if device.cookie
        else (sessions.c.address, device.address)
    )
    query = sa.select(sa.literal(1)).where(sessions.c.user_id == user_id, column == value)
    return (await connection.execute(query.limit(1))).first() is not None


async def any_of(connection: AsyncConnection, user_id: UUID) -> bool:
    """Tell whether a user has signed in lately at all."""
    query = sa.select(sa.literal(1)).where(sessions.c.user_id == user_id)
    return (await connection.execute(query.limit(1))).first() is not None


async def untraced(connection: AsyncConnection, limit: int) -> list[Session]:
    """Return sessions that nobody has followed yet, the oldest first, and lock them."""
    query = (
        sa.select(sessions)
        .where(sa.not_(sessions.c.traced))
        .order_by(sessions.c.started_at, sessions.c.session_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_session_of(row) for row in await connection.execute(query)]


async def began_at(connection: AsyncConnection, kind: Kind, value: str, user_id: UUID) -> bool:
    """Tell whether a session of a user began at a place, of those that nobody has followed yet."""
    place = sessions.c.device if kind is Kind.DEVICE else sessions.c.address
    query = sa.select(sa.literal(1)).where(
        sa.not_(sessions.c.traced), sessions.c.user_id == user_id, place == value
    )
    return (await connection.execute(query.limit(1))).first() is not None


async def note_traced(connection: AsyncConnection, session_ids: Sequence[UUID]) -> None:
    """Note that sessions were followed."""
    change = sa.update(sessions).where(sessions.c.session_id.in_(session_ids)).values(traced=True)
    await connection.execute(change)


async def ended_since(connection: AsyncConnection, since: datetime) -> list[tuple[UUID, datetime]]:
    """Return the sessions that ended after a moment, with when they did."""
    query = (
        sa.select(sessions.c.session_id, sessions.c.ended_at)
        .where(sessions.c.ended_at > since)
        .order_by(sessions.c.ended_at)
    )
    return [(row.session_id, row.ended_at) for row in await connection.execute(query)]


async def oldest_beyond(
    connection: AsyncConnection, user_id: UUID, keep: int, now: datetime
) -> Sequence[UUID]:
    """Return the live sessions of a user except the `keep` that began last."""
    query = (
        sa.select(sessions.c.session_id)
        .where(
            sessions.c.user_id == user_id,
            sessions.c.ended_at.is_(None),
            sessions.c.expires_at > now,
        )
        .order_by(sessions.c.started_at.desc(), sessions.c.session_id.desc())
        .offset(keep)
    )
    return (await connection.execute(query)).scalars().all()


async def find_user_in_session(
    connection: AsyncConnection, user_id: UUID, session_id: UUID, now: datetime
) -> User | None:
    """Return the user whose live session this is, or None when it is over."""
    query = (
        sa.select(users)
        .select_from(users.join(sessions, users.c.user_id == sessions.c.user_id))
        .where(
            users.c.user_id == user_id,
            sessions.c.session_id == session_id,
            sessions.c.ended_at.is_(None),
            sessions.c.expires_at > now,
        )
    )
    row = (await connection.execute(query)).one_or_none()
    return user_of(row) if row else None


async def purge_tokens(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Delete refresh tokens that expired before a moment, at most `limit`; return how many."""
    expired = (
        sa.select(refresh_tokens.c.digest)
        .where(refresh_tokens.c.expires_at < before)
        .order_by(refresh_tokens.c.expires_at)
        .limit(limit)
    )
    delete = sa.delete(refresh_tokens).where(refresh_tokens.c.digest.in_(expired))
    return (await connection.execute(delete)).rowcount


async def purge_sessions(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Delete sessions, with their tokens, that ended or expired before a moment."""
    over = sa.func.least(sessions.c.ended_at, sessions.c.expires_at)
    old = sa.select(sessions.c.session_id).where(over < before).order_by(over).limit(limit)
    delete = sa.delete(sessions).where(sessions.c.session_id.in_(old))
    return (await connection.execute(delete)).rowcount


async def _find_token(connection: AsyncConnection, digest: bytes) -> RefreshToken | None:
    query = sa.select(refresh_tokens).where(refresh_tokens.c.digest == digest)
    row = (await connection.execute(query)).one_or_none()
    return RefreshToken(row.expires_at, row.used_at, row.successor_salt) if row else None


def _session_of(row: sa.Row[tuple[object, ...]]) -> Session:
    return Session(
        session_id=row.session_id,
        user_id=row.user_id,
        started_at=row.started_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        proven_at=row.proven_at,
        ended_at=row.ended_at,
        device=Device(row.device_name, row.address, row.agent, row.device),
    )
