"""UserNoteService: what staff write down about users."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.identity.notes import Note, Notes
from services.kit.errors import Failure
from services.kit.pages import decode_page_token, encode_page_token, parse_filter
from services.kit.principal import caller
from services.kit.reason import Reason
from services.kit.wire import to_timestamp
from veritick.identity.v1 import user_note_service_pb2 as pb
from veritick.identity.v1.user_note_service_pb2_grpc import UserNoteServiceServicer

_PAGE = 50


class UserNoteFace(UserNoteServiceServicer):
    """Shows notes to staff, and takes new ones."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    async def ListUserNotes(
        self, request: pb.ListUserNotesRequest, context: Any
    ) -> pb.ListUserNotesResponse:
        """List the notes about a user."""
        author = _author(request.filter)
        before = decode_page_token(request.page_token, UUID)[0] if request.page_token else None
        limit = request.page_size or _PAGE
        found = await self._notes.about(UUID(request.user_id), author, before, limit)
        following = encode_page_token([str(found[-1].note_id)]) if len(found) == limit else ""
        return pb.ListUserNotesResponse(notes=map(_message, found), next_page_token=following)

    async def WriteUserNote(
        self, request: pb.WriteUserNoteRequest, context: Any
    ) -> pb.WriteUserNoteResponse:
        """Add a note about a user."""
        note = await self._notes.write(
            UUID(request.user_id),
            request.text,
            author=caller().user_id,
            request_id=UUID(request.request_id),
        )
        return pb.WriteUserNoteResponse(note=_message(note))


def _author(text: str) -> UUID | None:
    written = parse_filter(text, {"authorId"}).get("authorId")
    try:
        return UUID(written) if written is not None else None
    except ValueError:
        raise Failure(Reason.INVALID_FILTER, "This is not the id of a user.") from None


def _message(note: Note) -> pb.UserNote:
    return pb.UserNote(
        note_id=str(note.note_id),
        user_id=str(note.user_id),
        author_id=str(note.author_id),
        text=note.text,
        create_time=to_timestamp(note.written_at),
    )
