"""What staff write down about users: the table `user_note`, and writing into it.

The words stay in this table. They may hold personal data, which the journal and the audit trail
must never do, because these forget nothing: there it is only told that somebody wrote a note.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity.ground import Ground
from services.identity.staffing import existing
from services.kit.audit import audited
from services.kit.errors import Failure
from services.kit.reason import Reason

notes = sa.Table(
    "user_note",
    sa.MetaData(),
    sa.Column("note_id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid),
    sa.Column("author_id", sa.Uuid),
    sa.Column("request_id", sa.Uuid),
    sa.Column("text", sa.Text),
    sa.Column("written_at", sa.DateTime(timezone=True)),
)


class Note(NamedTuple):
    """A note. The fields are the columns of `user_note`."""

    note_id: UUID
    user_id: UUID
    author_id: UUID
    request_id: UUID
    text: str
    written_at: datetime


class Notes:
    """Writes notes and shows them; nobody changes one."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def write(self, user_id: UUID, text: str, *, author: UUID, request_id: UUID) -> Note:
        """Store a note, or return the one written under this author's request id before.

        Failures: USER_NOT_FOUND; REQUEST_ID_REUSED when that one says something else.
        """
        now = self._ground.clock.now()
        note = Note(self._ground.ids(), user_id, author, request_id, text, now)
        async with self._ground.database.transaction() as connection:
            await existing(connection, user_id)
            if not await _added(connection, note):
                return _first(await _asked(connection, note), note)
            told = {"noteId": str(note.note_id)}
            record = audited("note.write", f"user:{user_id}", now, after=told)
            await self._ground.journal.append(connection, [record], now)
        self._ground.journal.notify()
        return note

    async def about(
        self, user_id: UUID, author: UUID | None, before: UUID | None, limit: int
    ) -> list[Note]:
        """Return notes about a user, the newest first. Failure USER_NOT_FOUND."""
        query = sa.select(notes).where(notes.c.user_id == user_id)
        if author is not None:
            query = query.where(notes.c.author_id == author)
        if before is not None:
            query = query.where(notes.c.note_id < before)
        query = query.order_by(notes.c.note_id.desc()).limit(limit)
        async with self._ground.database.connection() as connection:
            await existing(connection, user_id)
            return [Note(*row) for row in await connection.execute(query)]


async def _added(connection: AsyncConnection, note: Note) -> bool:
    """Store a note, unless its author used the request id before."""
    unless_used = insert(notes).values(note._asdict()).on_conflict_do_nothing()
    stored = await connection.execute(unless_used.returning(notes.c.note_id))
    return stored.first() is not None


async def _asked(connection: AsyncConnection, note: Note) -> Note:
    """Return the note that was written under the same request id."""
    query = sa.select(notes).where(
        notes.c.author_id == note.author_id, notes.c.request_id == note.request_id
    )
    return Note(*(await connection.execute(query)).one())


def _first(earlier: Note, asked: Note) -> Note:
    if (earlier.user_id, earlier.text) != (asked.user_id, asked.text):
        metadata = {"request_id": str(asked.request_id)}
        message = "This request id was used for another note."
        raise Failure(Reason.REQUEST_ID_REUSED, message, metadata=metadata)
    return earlier
