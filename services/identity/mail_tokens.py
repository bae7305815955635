"""The table `mail_tokens`: the secrets in letters, of which only digests are stored."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity.letter import LetterKind

_metadata = sa.MetaData()

mail_tokens = sa.Table(
    "mail_tokens",
    _metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("user_id", sa.Uuid),
    sa.Column("purpose", sa.Text),
    sa.Column("expires_at", sa.DateTime(timezone=True)),
)


async def add(
    connection: AsyncConnection,
    digest: bytes,
    user_id: UUID,
    purpose: LetterKind,
    expires_at: datetime,
) -> None:
    """Store the digest of a token that is about to be sent."""
    row = {
        "digest": digest,
        "user_id": user_id,
        "purpose": purpose.value,
        "expires_at": expires_at,
    }
    await connection.execute(sa.insert(mail_tokens).values(row))


async def owner(
    connection: AsyncConnection, digest: bytes, purpose: LetterKind, now: datetime
) -> UUID | None:
    """Return whose token this is; None when it was used, has expired, or serves something else."""
    query = sa.select(mail_tokens.c.user_id).where(
        mail_tokens.c.digest == digest,
        mail_tokens.c.purpose == purpose.value,
        mail_tokens.c.expires_at > now,
    )
    return (await connection.execute(query)).scalar_one_or_none()


async def use(connection: AsyncConnection, digest: bytes, user_id: UUID) -> bool:
    """Use a token up, and with it all of its purpose; of several callers at once, one succeeds."""
    purpose = (
        sa.select(mail_tokens.c.purpose).where(mail_tokens.c.digest == digest).scalar_subquery()
    )
    delete = (
        sa.delete(mail_tokens)
        .where(mail_tokens.c.user_id == user_id, mail_tokens.c.purpose == purpose)
        .returning(mail_tokens.c.digest)
    )
    return digest in (await connection.execute(delete)).scalars().all()


async def revoke(connection: AsyncConnection, user_id: UUID, purpose: LetterKind) -> None:
    """Let a user's tokens of a purpose lead nowhere any more."""
    theirs = mail_tokens.c.user_id == user_id, mail_tokens.c.purpose == purpose.value
    await connection.execute(sa.delete(mail_tokens).where(*theirs))


async def purge(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Forget tokens that expired before a moment, at most `limit`; return how many."""
    old = (
        sa.select(mail_tokens.c.digest)
        .where(mail_tokens.c.expires_at < before)
        .order_by(mail_tokens.c.expires_at)
        .limit(limit)
    )
    delete = sa.delete(mail_tokens).where(mail_tokens.c.digest.in_(old))
    return (await connection.execute(delete)).rowcount
