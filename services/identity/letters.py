"""The tables `letters` (what is to be sent) and `mailbox` (what was delivered on this machine).

A letter is queued in the transaction of what it tells, by the address it goes to. Whether anybody
has that address is found out when it is sent: to ask for a letter to a stranger takes exactly as
long, and leaves exactly as much, as to ask for one to a user.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity.letter import LetterKind, Mail

_metadata = sa.MetaData()

letters = sa.Table(
    "letters",
    _metadata,
    sa.Column("letter_id", sa.Uuid, primary_key=True),
    sa.Column("kind", sa.Text),
    sa.Column("address_key", sa.Text),
    sa.Column("created_at", sa.DateTime(timezone=True)),
    sa.Column("due_at", sa.DateTime(timezone=True)),
    sa.Column("attempts", sa.Integer),
    sa.Column("outcome", sa.Text),
    sa.Column("facts", JSONB),
)
mailbox = sa.Table(
    "mailbox",
    _metadata,
    sa.Column("mail_id", sa.Uuid, primary_key=True),
    sa.Column("recipient", sa.Text),
    sa.Column("subject", sa.Text),
    sa.Column("body", sa.Text),
    sa.Column("sent_at", sa.DateTime(timezone=True)),
)


class Outcome(StrEnum):
    """What became of a letter."""

    SENT = "SENT"
    NOBODY = "NOBODY"
    """There is nobody to send it to."""

    GAVE_UP = "GAVE_UP"


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter that is to be sent."""

    letter_id: UUID
    kind: LetterKind
    address_key: str
    facts: Mapping[str, str]
    """What it tells, by the names in its text; never a secret."""

    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Delivered:
    """A mail in the mailbox of this machine."""

    mail_id: UUID
    mail: Mail
    sent_at: datetime


async def queue(connection: AsyncConnection, letter: Letter, now: datetime) -> None:
    """Store a letter that is to be sent at once."""
    row = {
        "letter_id": letter.letter_id,
        "kind": letter.kind.value,
        "address_key": letter.address_key,
        "created_at": now,
        "due_at": now,
        "attempts": 0,
        "facts": letter.facts,
    }
    await connection.execute(sa.insert(letters).values(row))


async def claim(
    connection: AsyncConnection, now: datetime, until: datetime, limit: int
) -> Sequence[Letter]:
    """Take letters that are due; nobody else gets them before `until`.

    One of a kind that this build does not know is left to the build that queued it.
    """
    due = (
        sa.select(letters.c.letter_id)
        .where(letters.c.outcome.is_(None), letters.c.due_at <= now)
        .where(letters.c.kind.in_(list(LetterKind)))
        .order_by(letters.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    take = (
        sa.update(letters)
        .where(letters.c.letter_id.in_(due))
        .values(due_at=until, attempts=letters.c.attempts + 1)
        .returning(letters)
    )
    rows = (await connection.execute(take)).all()
    return [
        Letter(row.letter_id, LetterKind(row.kind), row.address_key, row.facts, row.attempts)
        for row in rows
    ]


async def finish(connection: AsyncConnection, letter_id: UUID, outcome: Outcome) -> None:
    """Note what became of a letter."""
    change = sa.update(letters).where(letters.c.letter_id == letter_id)
    await connection.execute(change.values(outcome=outcome.value))


async def postpone(connection: AsyncConnection, letter_id: UUID, until: datetime) -> None:
    """Try a letter again later."""
    change = sa.update(letters).where(letters.c.letter_id == letter_id)
    await connection.execute(change.values(due_at=until))


async def waiting(connection: AsyncConnection, address_key: str) -> bool:
    """Tell whether a letter to an address is still to be sent."""
    query = sa.select(sa.literal(1)).where(
        letters.c.address_key == address_key, letters.c.outcome.is_(None)
    )
    return (await connection.execute(query.limit(1))).first() is not None


async def keep(connection: AsyncConnection, delivered: Delivered) -> None:
    """Put a mail into the mailbox of this machine."""
    row = {
        "mail_id": delivered.mail_id,
        "recipient": delivered.mail.recipient,
        "subject": delivered.mail.subject,
        "body": delivered.mail.body,
        "sent_at": delivered.sent_at,
    }
    await connection.execute(sa.insert(mailbox).values(row))


async def delivered(
    connection: AsyncConnection, recipient: str | None, before: UUID | None, limit: int
) -> list[Delivered]:
    """Return mails of the mailbox, newest first, those older than `before`."""
    query = sa.select(mailbox).order_by(mailbox.c.mail_id.desc()).limit(limit)
    if recipient is not None:
        query = query.where(mailbox.c.recipient == recipient)
    if before is not None:
        query = query.where(mailbox.c.mail_id < before)
    return [
        Delivered(row.mail_id, Mail(row.recipient, row.subject, row.body), row.sent_at)
        for row in await connection.execute(query)
    ]


async def purge(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Forget letters, done or given up, and delivered mails from before a moment."""
    deleted = 0
    for table, key, at in (
        (letters, letters.c.letter_id, letters.c.created_at),
        (mailbox, mailbox.c.mail_id, mailbox.c.sent_at),
    ):
        old = sa.select(key).where(at < before).order_by(at).limit(limit)
        deleted += (await connection.execute(sa.delete(table).where(key.in_(old)))).rowcount
    return min(deleted, limit)
