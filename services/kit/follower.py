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
from veritick.journal.v1.journal_service_pb2 import JournalEntry, WatchJournalRequest
from veritick.journal.v1.journal_service_pb2_grpc import JournalServiceStub

Apply = Callable[[AsyncConnection, JournalEntry], Awaitable[None]]
"""Applies one event in the transaction that also stores how far the journal was followed."""

_PAUSE_SECONDS = 1.0
# A transaction at a time, so short that the database does not take it for a forgotten one.
_TOGETHER = 20
_BEGIN = text(
    "INSERT INTO follower_position (journal, position) VALUES (:journal, 0) ON CONFLICT DO NOTHING"
)
_POSITION = text("SELECT position FROM follower_position WHERE journal = :journal")
_LOCK = text("SELECT position FROM follower_position WHERE journal = :journal FOR UPDATE")
_ADVANCE = text("UPDATE follower_position SET position = :position WHERE journal = :journal")
_log = structlog.stdlib.get_logger()


class _Skipped(Exception):
    """An entry came before the one that precedes it. Positions have no gaps: it is asked for."""


class Follower:
    """Applies the entries of one journal in order, each exactly once, across crashes."""

    def __init__(
        self, channel: grpc.aio.Channel, journal: str, database: Database, apply: Apply
    ) -> None:
        """Follow `journal`, served behind `channel`, with effects in `database`."""
        self._stub = JournalServiceStub(channel)
        self._journal = journal
        self._database = database
        self._apply = apply

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
        request = WatchJournalRequest(journal=self._journal, after_position=await self._position())
        async for response in self._stub.WatchJournal(request):
            for start in range(0, len(response.entries), _TOGETHER):
                await self._take(response.entries[start : start + _TOGETHER])

    async def _take(self, entries: Sequence[JournalEntry]) -> None:
        async with self._database.transaction() as connection:
            # Another replica may follow as well: it waits here, and finds these entries taken.
            found = await connection.execute(_LOCK, {"journal": self._journal})
            taken = int(found.scalar_one())
            for entry in entries:
                if entry.position <= taken:
                    continue
                if entry.position > taken + 1:
                    raise _Skipped(f"{self._journal} went from {taken} to {entry.position}")
                await self._apply(connection, entry)
                taken = entry.position
                reached("follower.after_effect")
            await connection.execute(_ADVANCE, {"journal": self._journal, "position": taken})

    async def _position(self) -> int:
        async with self._database.transaction() as connection:
            await connection.execute(_BEGIN, {"journal": self._journal})
            found = await connection.execute(_POSITION, {"journal": self._journal})
            return int(found.scalar_one())
