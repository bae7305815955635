"""Following another service's journal: every event has its effect once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import grpc
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kit.channels import failure_of
from services.kit.database import Database, DatabaseUnavailable
from services.kit.errors import Failure
from services.kit.failpoints import reached
from veritick.journal.v1.journal_service_pb2 import JournalEntry, SubjectPlace, WatchJournalRequest
from veritick.journal.v1.journal_service_pb2_grpc import JournalServiceStub

Apply = Callable[[AsyncConnection, JournalEntry], Awaitable[None]]
"""Applies one event in the transaction that also stores how far the journal was followed."""

_PAUSE_SECONDS = 1.0
# A transaction at a time, so short that the database does not take it for a forgotten one.
_TOGETHER = 20
_BEGIN = text(
    "INSERT INTO follower_position (journal, position) VALUES (:journal, 0) ON CONFLICT DO NOTHING"
)
_LOCK = text("SELECT position FROM follower_position WHERE journal = :journal FOR UPDATE")
_ADVANCE = text("UPDATE follower_position SET position = :position WHERE journal = :journal")
_log = structlog.stdlib.get_logger()


class _Skipped(Exception):
    """An entry came before the one that precedes it. Positions have no gaps: it is asked for."""


async def lock_position(connection: AsyncConnection, journal: str) -> int:
    """Return how far a journal was followed, and keep others who ask waiting."""
    await connection.execute(_BEGIN, {"journal": journal})
    return int((await connection.execute(_LOCK, {"journal": journal})).scalar_one())


async def advance_position(connection: AsyncConnection, journal: str, position: int) -> None:
    """Store how far a journal was followed, in the transaction of the effect."""
    await connection.execute(_ADVANCE, {"journal": journal, "position": position})


class Follower:
    """Applies the entries of one journal in order, each exactly once, across crashes."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        journal: str,
        database: Database,
        apply: Apply,
        subject: str | None = None,
    ) -> None:
        """Follow `journal`, served behind `channel`, with effects in `database`.

        With a subject only its entries are followed, by their sequence.
        """
        self._stub = JournalServiceStub(channel)
        self._journal = journal
        self._database = database
        self._apply = apply
        self._subject = subject
        self._name = journal if subject is None else f"{journal}/{subject}"

    async def run(self) -> None:
        """Follow for ever; outages of either side only delay it."""
        while True:
            try:
                await self._follow()
            except (grpc.aio.AioRpcError, DatabaseUnavailable, Failure, _Skipped) as error:
                reason = str(
                    failure_of(error) if isinstance(error, grpc.aio.AioRpcError) else error
                )
                _log.warning("follower waits", journal=self._journal, reason=reason)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _follow(self) -> None:
        async for response in self._stub.WatchJournal(self._request(await self._position())):
            for start in range(0, len(response.entries), _TOGETHER):
                await self._take(response.entries[start : start + _TOGETHER])

    def _request(self, after: int) -> WatchJournalRequest:
        if self._subject is None:
            return WatchJournalRequest(journal=self._journal, after_position=after)
        place = SubjectPlace(subject=self._subject, after_sequence=after)
        return WatchJournalRequest(journal=self._journal, subject=place)

    async def _take(self, entries: Sequence[JournalEntry]) -> None:
        async with self._database.transaction() as connection:
            # Another replica may follow as well: it waits here, and finds these entries taken.
            taken = await lock_position(connection, self._name)
            for entry in entries:
                number = self._number(entry)
                if number <= taken:
                    continue
                if number > taken + 1:
                    raise _Skipped(f"{self._name} went from {taken} to {number}")
                await self._apply(connection, entry)
                taken = number
                reached("follower.after_effect")
            await advance_position(connection, self._name, taken)

    def _number(self, entry: JournalEntry) -> int:
        return entry.position if self._subject is None else entry.sequence

    async def _position(self) -> int:
        async with self._database.transaction() as connection:
            return await lock_position(connection, self._name)
