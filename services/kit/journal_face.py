"""JournalService, the same on every service that keeps a journal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from services.kit.errors import Failure
from services.kit.journal import POLL, Entry, Journal
from services.kit.journal_wire import to_entries
from services.kit.reason import Reason
from veritick.journal.v1.journal_service_pb2 import (
    ListEventsRequest,
    ListEventsResponse,
    WatchJournalRequest,
    WatchJournalResponse,
)
from veritick.journal.v1.journal_service_pb2_grpc import JournalServiceServicer

Owns = Callable[[str, str, UUID | None], Awaitable[bool]]
"""`owns(journal, subject, user)`: may this user (None: anybody) read this subject?"""

_PAGE = 500


class JournalFace(JournalServiceServicer):
    """Serves some journals of one process."""

    def __init__(self, journals: Mapping[str, Journal], owns: Owns) -> None:
        """Serve journals by name; `owns` decides for the edge whose subject is whose."""
        self._journals = journals
        self._owns = owns

    async def WatchJournal(
        self, request: WatchJournalRequest, context: Any
    ) -> AsyncIterator[WatchJournalResponse]:
        """Stream entries after a position, or those of one subject, and wait for more."""
        journal = self._journal(request.journal)
        if request.HasField("subject"):
            place = request.subject
            await journal.check_reached(place.subject, place.after_sequence)
            pages = _subject_pages(journal, place.subject, place.after_sequence)
        else:
            await journal.check_reached(None, request.after_position)
            pages = _pages(journal, request.after_position)
        async for entries in pages:
            yield WatchJournalResponse(entries=to_entries(entries))

    async def ListEvents(self, request: ListEventsRequest, context: Any) -> ListEventsResponse:
        """List one subject's entries after a sequence."""
        journal = self._journal(request.journal)
        user = UUID(request.on_behalf_of_user_id) if request.on_behalf_of_user_id else None
        if not await self._owns(request.journal, request.subject, user):
            raise _unknown(request.subject)
        entries = []
        if request.HasField("after_sequence"):
            limit = request.page_size or _PAGE
            entries = await journal.read_subject(request.subject, request.after_sequence, limit)
        last = await journal.last_sequence(request.subject)
        return ListEventsResponse(entries=to_entries(entries), last_sequence=last)

    def _journal(self, name: str) -> Journal:
        if name not in self._journals:
            raise _unknown(name)
        return self._journals[name]


async def _pages(journal: Journal, position: int) -> AsyncIterator[list[Entry]]:
    while True:
        growth = journal.growth
        if entries := await journal.read(position, _PAGE):
            yield entries
            position = entries[-1].position
        if len(entries) < _PAGE:
            await journal.wait(growth)


async def _subject_pages(
    journal: Journal, subject: str, sequence: int
) -> AsyncIterator[list[Entry]]:
    while True:
        while entries := await journal.read_subject(subject, sequence, _PAGE):
            yield entries
            sequence = entries[-1].sequence
        # Not at every entry of a busy journal: it is hardly ever one of this subject.
        await asyncio.sleep(POLL.total_seconds())


def _unknown(channel: str) -> Failure:
    return Failure(
        Reason.UNKNOWN_CHANNEL, "There is no such channel.", metadata={"channel": channel}
    )
