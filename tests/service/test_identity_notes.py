"""Notes about users: written once, read by staff, and the words nowhere else."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from services.kit.reason import Reason
from services.kit.tokens import USER_AUDIENCE
from tests.service.identity_server import Identity, bearer, refused
from veritick.identity.v1.user_note_service_pb2 import (
    ListUserNotesRequest,
    UserNote,
    WriteUserNoteRequest,
)
from veritick.identity.v1.user_note_service_pb2_grpc import UserNoteServiceStub

if TYPE_CHECKING:
    from veritick.identity.v1.user_note_service_pb2_grpc import UserNoteServiceAsyncStub

pytest_plugins = ["tests.service.identity_fixtures"]

WORDS = "called twice; Ana lives with her brother now"
Metadata = tuple[tuple[str, str], ...]


@dataclass
class Desk:
    """Where notes are written."""

    identity: Identity
    notes: "UserNoteServiceAsyncStub"

    def staff(self, *permissions: str) -> Metadata:
        """Return what the calls of somebody new carry who may do these things."""
        claims = {
            "aud": USER_AUDIENCE,
            "sub": str(uuid4()),
            "sid": str(uuid4()),
            "perm": permissions,
        }
        token = self.identity.keyring.sign(claims, timedelta(minutes=5), self.identity.clock.now())
        return bearer(token)

    async def write(self, who: Metadata, user_id: str, text: str, request_id: str = "") -> UserNote:
        request = WriteUserNoteRequest(
            user_id=user_id, text=text, request_id=request_id or str(uuid4())
        )
        return (await self.notes.WriteUserNote(request, metadata=who)).note


@pytest.fixture
async def desk(identity: Identity) -> AsyncIterator[Desk]:
    async with identity.anybody() as channel:
        yield Desk(identity, UserNoteServiceStub(channel))


async def test_notes_are_read_newest_first_page_by_page(desk: Desk) -> None:
    user, other = await desk.identity.register(), await desk.identity.register()
    staff = desk.staff("notes.read", "notes.write")
    texts = ["first", "second", "third"]
    written = [await desk.write(staff, user.user_id, text) for text in texts]
    await desk.write(desk.staff("notes.write"), other.user_id, "about somebody else")

    async def page(**asked: object) -> tuple[list[UserNote], str]:
        request = ListUserNotesRequest(user_id=user.user_id, **asked)  # type: ignore[arg-type]
        answer = await desk.notes.ListUserNotes(request, metadata=staff)
        return list(answer.notes), answer.next_page_token

    newest, token = await page(page_size=2)
    oldest, end = await page(page_size=2, page_token=token)
    assert [*newest, *oldest] == written[::-1]
    assert end == ""
    assert await page(filter=f"authorId={written[0].author_id}") == (written[::-1], "")
    assert await page(filter=f"authorId={uuid4()}") == ([], "")
    with refused(Reason.INVALID_FILTER):
        await page(filter="authorId=me")


async def test_a_note_is_written_once_however_often_it_is_sent(desk: Desk) -> None:
    user = await desk.identity.register()
    staff, request_id = desk.staff("notes.read", "notes.write"), str(uuid4())
    first = await desk.write(staff, user.user_id, WORDS, request_id)
    assert await desk.write(staff, user.user_id, WORDS, request_id) == first
    with refused(Reason.REQUEST_ID_REUSED):
        await desk.write(staff, user.user_id, "something else", request_id)
    with refused(Reason.USER_NOT_FOUND):
        await desk.write(staff, str(uuid4()), WORDS)


async def test_that_a_note_was_written_is_on_record_but_not_its_words(desk: Desk) -> None:
    user = await desk.identity.register()
    note = await desk.write(desk.staff("notes.write"), user.user_id, WORDS)
    entries = await desk.identity.events("audit.recorded.v1")
    record = entries[-1].event.audit_recorded.record
    assert (record.action, record.subject) == ("note.write", f"user:{user.user_id}")
    assert note.note_id in record.after
    assert all(b"brother" not in entry.SerializeToString() for entry in entries)


async def test_who_only_reads_users_sees_no_notes(desk: Desk) -> None:
    user = await desk.identity.register()
    with refused(Reason.PERMISSION_DENIED):
        request = ListUserNotesRequest(user_id=user.user_id)
        await desk.notes.ListUserNotes(request, metadata=desk.staff("users.read"))
    with refused(Reason.PERMISSION_DENIED):
        await desk.write(desk.staff("notes.read"), user.user_id, WORDS)
