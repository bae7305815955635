"""Forgetting a user: what goes, and what stays because others rely on it.

Go: the key that seals his documents, the documents, and every row that tells who he was, where he
was, with what he signed in, and what staff thought of him. Stay, under his id: the user himself as
a number, what he was banned and limited by, the journal and the audit trail, which never held
anything else. Each part can be done again, so a crash anywhere only makes the next run begin anew.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import (
    api_keys,
    bans,
    device_traders,
    documents,
    flags,
    letters,
    mail_tokens,
    notes,
    passkeys,
    presences,
    referrals,
    second_factors,
    sessions,
    sittings,
    traces,
    user_clusters,
    users,
)
from services.identity.document_store import DocumentStore
from services.identity.ground import Ground
from services.identity.trace import Bounds
from services.identity.tracing import relink
from services.identity.uploading import forget_content

DELETED = (
    sessions.sessions,
    users.credentials,
    second_factors.totp,
    second_factors.recovery_codes,
    passkeys.passkeys,
    api_keys.api_keys,
    mail_tokens.mail_tokens,
    presences.presences,
    sittings.sittings,
    traces.traces,
    device_traders.traders,
    user_clusters.linked,
    flags.flags,
    notes.notes,
    referrals.codes,
    documents.documents,
    documents.keys,
)
"""The tables of which a user's rows are deleted, with what belongs to them."""

KEPT = ("users", "bans", "protection", "referral", "erasure")
"""The tables that keep the rows of users, emptied of what tells who it was.

Who brought whom stays, by ids: rewards were paid for it.
"""

_WORDS_GONE = "erased"


async def destroy_documents(ground: Ground, store: DocumentStore | None, user_id: UUID) -> None:
    """Destroy a user's key, which makes every copy of the documents noise; then the documents."""
    async with ground.database.transaction() as connection:
        await connection.execute(_own(sa.delete(documents.keys), documents.keys, user_id))
    if store is None:
        return
    async with ground.database.connection() as connection:
        found = await documents.of_user(connection, user_id)
        starts = {each: await documents.part_starts(connection, each.document_id) for each in found}
    for document in found:
        await forget_content(store, document, starts[document])


async def forget(connection: AsyncConnection, user_id: UUID, bounds: Bounds, now: datetime) -> None:
    """Forget in the caller's transaction everything that tells who a user was."""
    user = await users.lock(connection, user_id)
    mails = (letters.letters.c.address_key, letters.mailbox.c.recipient)
    key = sa.select(users.users.c.address_key).where(users.users.c.user_id == user_id)
    address = (await connection.execute(key)).scalar_one()
    for column, value in zip(mails, (address, user.email), strict=True):
        await connection.execute(sa.delete(column.table).where(column == value))
    linked = await user_clusters.with_their_clusters(connection, [user_id])
    for table in DELETED:
        await connection.execute(_own(sa.delete(table), table, user_id))
    await relink(connection, linked - {user_id}, bounds)
    silent = sa.update(bans.bans).values(
        reason=_WORDS_GONE,
        lift_reason=sa.case((bans.bans.c.lift_reason.is_not(None), _WORDS_GONE)),
    )
    await connection.execute(silent.where(bans.bans.c.user_id == user_id))
    await users.change(
        connection,
        user_id,
        email="",
        # Nobody's address has a colon and no @, so nobody is ever found by it.
        address_key=f"erased:{user_id}",
        roles=[],
        country=None,
        birth_date=None,
        agreement_version="",
        agreed_at=None,
        email_confirmed_at=None,
        erased_at=now,
    )


def _own(delete: sa.Delete, table: sa.Table, user_id: UUID) -> sa.Delete:
    return delete.where(table.c.user_id == user_id)
