"""Looking at documents: the queue, reading, and what becomes of them. All of it is on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import documents, kyc
from services.identity.document_store import DocumentStore
from services.identity.documents import WAITING
from services.identity.ground import Ground
from services.identity.kyc import Document, Rejection, State
from services.identity.sealing import unseal
from services.identity.uploading import content_name
from services.identity.user_keys import UserKeys
from services.identity.wire import kyc_changed
from services.kit.audit import By, audited
from services.kit.errors import Failure
from services.kit.jobs import Job
from services.kit.reason import Reason

_BATCH = 100
_BY_TIME = By("service:identity")


class Reviewing:
    """Lets reviewers look at documents and decide."""

    def __init__(self, ground: Ground, *, keys: UserKeys, store: DocumentStore) -> None:
        self._ground = ground
        self._database = ground.database
        self._keys = keys
        self._store = store

    async def queue(
        self, state: State | None, user_id: UUID | None, after: UUID | None, limit: int
    ) -> list[Document]:
        """Return documents that wait, those in one state, or a user's; the oldest first."""
        states: Sequence[State] = (state,) if state else WAITING if user_id is None else [*State]
        async with self._database.connection() as connection:
            return await documents.queue(connection, states, user_id, after, limit)

    async def read(self, reviewer: UUID, document_id: UUID) -> tuple[Document, bytes]:
        """Return a document with its content, once it is on record who looks at it.

        One that waited is in review from then on. Failures: DOCUMENT_NOT_FOUND, SAME_PERSON,
        DOCUMENT_STATE_CONFLICT.
        """
        async with self._database.transaction() as connection:
            document = await self._for_review(connection, reviewer, document_id)
            kyc.require_state(document, *set(State) - {State.UPLOADING})
            taken = document.state is State.UPLOADED
            if taken:
                state = State.IN_REVIEW.value
                document = await documents.change(connection, document_id, state=state)
            await self._put_on_record(connection, "kyc.read", document, {}, told=taken)
        self._ground.journal.notify()
        key, name = await self._keys.found(document.user_id), content_name(document_id)
        return document, unseal(key, await self._store.get(name), name)

    async def approve(
        self, reviewer: UUID, document_id: UUID, expires_at: datetime | None
    ) -> Document:
        """Approve a document, which counts until it expires. Failures: as of `reject`."""
        now = self._ground.clock.now()
        if expires_at is not None and expires_at <= now:
            raise Failure(Reason.INVALID_TIME_RANGE, "The document has expired already.")
        state = State.APPROVED.value
        return await self._decide(
            reviewer, document_id, "kyc.approve", state=state, expires_at=expires_at
        )

    async def reject(self, reviewer: UUID, document_id: UUID, rejection: Rejection) -> Document:
        """Reject a document for good.

        Failures: DOCUMENT_NOT_FOUND, SAME_PERSON, DOCUMENT_STATE_CONFLICT for one that nobody has
        looked at, or that was decided on before.
        """
        state, why = State.REJECTED.value, rejection.value
        return await self._decide(reviewer, document_id, "kyc.reject", state=state, rejection=why)

    async def _decide(
        self, reviewer: UUID, document_id: UUID, action: str, **columns: object
    ) -> Document:
        now = self._ground.clock.now()
        async with self._database.transaction() as connection:
            document = await self._for_review(connection, reviewer, document_id)
            kyc.require_state(document, State.IN_REVIEW)
            by = {"reviewed_at": now, "reviewed_by": reviewer}
            decided = await documents.change(connection, document_id, **columns, **by)
            before = {"state": document.state.value}
            await self._put_on_record(connection, action, decided, before, told=True)
        self._ground.journal.notify()
        return decided

    async def _for_review(
        self, connection: AsyncConnection, reviewer: UUID, document_id: UUID
    ) -> Document:
        document = await documents.lock(connection, document_id)
        if document is None:
            raise Failure(Reason.DOCUMENT_NOT_FOUND, "There is no such document.")
        kyc.check_reviewer(document, reviewer)
        return document

    async def _put_on_record(
        self,
        connection: AsyncConnection,
        action: str,
        document: Document,
        before: Mapping[str, object],
        *,
        told: bool,
        by: By | None = None,
    ) -> None:
        now, subject = self._ground.clock.now(), f"user:{document.user_id}"
        after = {
            "documentId": str(document.document_id),
            "kind": document.kind.value,
            "state": document.state.value,
            "rejection": document.rejection,
            "expireTime": document.expires_at.isoformat() if document.expires_at else None,
        }
        record = audited(action, subject, now, by=by, before=before or None, after=after)
        events = [record, *([kyc_changed(document)] if told else [])]
        await self._ground.journal.append(connection, events, now)

    def job(self) -> Job:
        """Return the expiry of documents as a job."""
        return Job("expire-documents", timedelta(minutes=10), self.expire)

    async def expire(self) -> None:
        """Let approved documents expire whose time is over."""
        more = True
        while more:
            now = self._ground.clock.now()
            async with self._database.transaction() as connection:
                over = await documents.expired(connection, now, _BATCH)
                for document in over:
                    await self._expire(connection, document)
            self._ground.journal.notify()
            more = len(over) == _BATCH

    async def _expire(self, connection: AsyncConnection, document: Document) -> None:
        state = State.EXPIRED.value
        expired = await documents.change(connection, document.document_id, state=state)
        before = {"state": document.state.value}
        await self._put_on_record(connection, "kyc.expire", expired, before, told=True, by=_BY_TIME)
