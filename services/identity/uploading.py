"""Taking documents in: begun, sent in parts, completed. An upload goes on where it stopped.

Each part is sealed as it arrives. On completion the file is opened in a process of its own, and
only its clean copy is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from itertools import pairwise
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import documents, kyc, users
from services.identity.document_store import DocumentStore
from services.identity.ground import Ground
from services.identity.inspection import media_type_of
from services.identity.inspector import Inspector
from services.identity.kyc import Document, Kind, Level, State
from services.identity.sealing import seal, unseal
from services.identity.user_keys import UserKeys
from services.identity.wire import kyc_changed
from services.kit.errors import Failure
from services.kit.jobs import Job
from services.kit.reason import Reason

_KEEP_UPLOADS = timedelta(days=1)
_BATCH = 100


class Uploading:
    """Takes documents of users in."""

    def __init__(
        self, ground: Ground, *, keys: UserKeys, store: DocumentStore, inspector: Inspector
    ) -> None:
        self._ground = ground
        self._database = ground.database
        self._keys = keys
        self._store = store
        self._inspector = inspector

    async def begin(self, user_id: UUID, kind: Kind, size: int) -> Document:
        """Begin an upload of so many bytes. Failure DOCUMENT_LIMIT."""
        now = self._ground.clock.now()
        document = Document(
            self._ground.ids(), user_id, kind, State.UPLOADING, size, 0, "", created_at=now
        )
        async with self._database.transaction() as connection:
            # The lock keeps simultaneous uploads of one user from exceeding the bounds together.
            await users.lock(connection, user_id)
            _require_room(await documents.of_user(connection, user_id))
            await documents.add(connection, document)
        return document

    async def mine(self, user_id: UUID, document_id: UUID) -> Document:
        """Return a user's own document. Failure DOCUMENT_NOT_FOUND."""
        async with self._database.connection() as connection:
            return _own(await documents.find(connection, document_id), user_id)

    async def all_mine(self, user_id: UUID) -> tuple[Level, list[Document]]:
        """Return a user's level and documents, the newest first."""
        async with self._database.connection() as connection:
            user = await users.find(connection, user_id)
            found = await documents.of_user(connection, user_id)
        approved = [document.kind for document in found if document.state is State.APPROVED]
        return kyc.level_of(email_confirmed=user.email_confirmed, approved=approved), found

    async def take(self, user_id: UUID, document_id: UUID, offset: int, part: bytes) -> Document:
        """Take a part of an upload; one that came before is not taken again.

        Failures: DOCUMENT_NOT_FOUND, and those of `kyc.check_part`.
        """
        document = await self.mine(user_id, document_id)
        if not kyc.check_part(document, offset, len(part)):
            return document
        name = _part_name(document_id, offset)
        key = await self._keys.made(user_id)
        await self._store.put(name, seal(key, part, name, self._ground.random))
        async with self._database.transaction() as connection:
            document = _own(await documents.lock(connection, document_id), user_id)
            if not kyc.check_part(document, offset, len(part)):
                return document
            await documents.add_part(connection, document_id, offset)
            received = offset + len(part)
            return await documents.change(connection, document_id, received=received)

    async def complete(self, user_id: UUID, document_id: UUID) -> Document:
        """Open what was sent, and keep its clean copy for review.

        Failures: DOCUMENT_NOT_FOUND, UPLOAD_OFFSET_WRONG, DOCUMENT_STATE_CONFLICT; and
        DOCUMENT_REFUSED, which forgets the upload.
        """
        document = await self.mine(user_id, document_id)
        kyc.check_complete(document)
        try:
            clean = await self._inspector.clean(partial(self._joined, document))
        except (Failure, FileNotFoundError) as error:
            # Who completed it first has forgotten the parts meanwhile.
            kyc.check_complete(await self.mine(user_id, document_id))
            if isinstance(error, Failure) and error.reason is Reason.DOCUMENT_REFUSED:
                await self.forget(document)
            raise
        name, key = content_name(document_id), await self._keys.found(user_id)
        await self._store.put(name, seal(key, clean, name, self._ground.random))
        stored = await self._note_complete(document, clean)
        self._ground.journal.notify()
        async with self._database.transaction() as connection:
            await self._forget_parts(connection, document)
        return stored

    async def _note_complete(self, document: Document, clean: bytes) -> Document:
        now = self._ground.clock.now()
        async with self._database.transaction() as connection:
            present = _own(await documents.lock(connection, document.document_id), document.user_id)
            kyc.check_complete(present)
            columns = {"state": State.UPLOADED.value, "media_type": media_type_of(clean)}
            size = len(clean)
            stored = await documents.change(
                connection, document.document_id, size=size, received=size, **columns
            )
            await self._ground.journal.append(connection, [kyc_changed(stored)], now)
        return stored

    async def _joined(self, document: Document) -> bytes:
        key = await self._keys.found(document.user_id)
        async with self._database.connection() as connection:
            starts = await documents.part_starts(connection, document.document_id)
        pieces = []
        for start, end in pairwise([*starts, document.received]):
            name = _part_name(document.document_id, start)
            piece = unseal(key, await self._store.get(name), name)
            # Of two that were sent at once for one place, one counts and the other may be kept.
            if len(piece) != end - start:
                message = "Parts were sent at once for one place. Send the file again."
                raise Failure(Reason.DOCUMENT_REFUSED, message)
            pieces.append(piece)
        return b"".join(pieces)

    async def _forget_parts(self, connection: AsyncConnection, document: Document) -> None:
        starts = await documents.part_starts(connection, document.document_id)
        for start in starts:
            await self._store.forget(_part_name(document.document_id, start))
        await documents.forget_parts(connection, document.document_id)

    async def forget(self, document: Document) -> None:
        """Forget an upload with everything that is kept of it; one completed meanwhile stays."""
        async with self._database.transaction() as connection:
            present = await documents.lock(connection, document.document_id)
            if present is None or present.state is not State.UPLOADING:
                return
            starts = await documents.part_starts(connection, document.document_id)
            await forget_content(self._store, present, starts)
            await documents.forget(connection, document.document_id)

    def job(self) -> Job:
        """Return the forgetting of uploads that nobody completed, as a job."""
        return Job("forget-uploads", timedelta(hours=1), self.forget_abandoned)

    async def forget_abandoned(self) -> None:
        """Forget uploads begun long ago and never completed, and what a crash left of others."""
        await self._forget_left_parts()
        before = self._ground.clock.now() - _KEEP_UPLOADS
        while True:
            async with self._database.connection() as connection:
                found = await documents.abandoned(connection, before, _BATCH)
            for document in found:
                await self.forget(document)
            if len(found) < _BATCH:
                return

    async def _forget_left_parts(self) -> None:
        more = True
        while more:
            async with self._database.transaction() as connection:
                left = await documents.with_parts_left(connection, _BATCH)
                for document in left:
                    await self._forget_parts(connection, document)
            more = len(left) == _BATCH


async def forget_content(
    store: DocumentStore, document: Document, part_starts: Iterable[int]
) -> None:
    """Keep nothing more of what was sent of a document."""
    # A part may have been stored by who did not live to tell the database.
    for start in {*part_starts, document.received}:
        await store.forget(_part_name(document.document_id, start))
    await store.forget(content_name(document.document_id))


def content_name(document_id: UUID) -> str:
    """Return the name under which a document is kept."""
    return f"documents/{document_id}"


def _part_name(document_id: UUID, offset: int) -> str:
    return f"uploads/{document_id}/{offset}"


def _own(document: Document | None, user_id: UUID) -> Document:
    if document is None or document.user_id != user_id:
        raise Failure(Reason.DOCUMENT_NOT_FOUND, "There is no such document.")
    return document


def _require_room(found: list[Document]) -> None:
    uploading = sum(document.state is State.UPLOADING for document in found)
    if len(found) >= kyc.DOCUMENTS_MAX or uploading >= kyc.UPLOADING_MAX:
        bounds = {"uploading_max": str(kyc.UPLOADING_MAX), "max": str(kyc.DOCUMENTS_MAX)}
        raise Failure(Reason.DOCUMENT_LIMIT, "You have handed in enough.", metadata=bounds)
