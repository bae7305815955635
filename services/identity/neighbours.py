"""Trading, as far as identity needs it, and where the records of the audit trail come from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import grpc
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity.archive import Piece
from services.identity.auditing import AuditTrail
from services.identity.erasure import Obstacle
from services.identity.order_velocity import Activity
from services.identity.wire import record_of
from services.kit.audit import AUDIT_SUBJECT
from services.kit.channels import failure_of
from services.kit.database import Database, DatabaseUnavailable
from services.kit.errors import Failure
from services.kit.follower import Follower, advance_position, lock_position
from services.kit.journal import Journal
from services.kit.journal_wire import to_entries
from services.kit.reason import Reason
from services.kit.wire import to_timestamp
from veritick.identity.v1.erasure_pb2 import ErasureObstacle
from veritick.identity.v1.protection_pb2 import Protection
from veritick.journal.v1.journal_service_pb2 import JournalEntry
from veritick.trading.v1.account_service_pb2 import OpenAccountsRequest
from veritick.trading.v1.account_service_pb2_grpc import AccountServiceStub
from veritick.trading.v1.book_service_pb2 import ListBooksRequest
from veritick.trading.v1.book_service_pb2_grpc import BookServiceStub
from veritick.trading.v1.limit_service_pb2 import ApplyProtectionRequest
from veritick.trading.v1.limit_service_pb2_grpc import LimitServiceStub
from veritick.trading.v1.order_origin_service_pb2 import CountOrderOriginsRequest
from veritick.trading.v1.order_origin_service_pb2_grpc import OrderOriginServiceStub
from veritick.trading.v1.personal_data_service_pb2 import (
    CloseAccountsRequest,
    ExportPersonalDataRequest,
)
from veritick.trading.v1.personal_data_service_pb2_grpc import PersonalDataServiceStub

_ASK_EVERY_SECONDS = 10.0
_LOOK_EVERY_SECONDS = 0.2
_TOGETHER = 200
_ACTIVITY_MAX = 50_000
"""Who traded in one minute, at most so many users at so many places are looked at."""

_EXPORT_SECONDS = 600.0
_TRADING = "trading"
"""The one service whose journals are not called after it, but after its books."""

_RETRY = timedelta(seconds=1)
_log = structlog.stdlib.get_logger()


class Accounts(Protocol):
    """Where the accounts of users are."""

    async def open_for(self, user_id: UUID, *, real: bool) -> None:
        """Open the accounts that a user may hold, `real` ones among them or not.

        Failure when nobody answers in time.
        """

    async def protect(self, protection: Protection) -> None:
        """Hold a user's orders to what protects him; once answered, it counts.

        Failure UNAVAILABLE when not every book answers in time; it learns of it later.
        """

    def personal_data(self, user_id: UUID) -> AsyncIterator[Piece]:
        """Yield what the books keep about a user, as files. Failure when they do not answer."""

    async def obstacles(self, user_id: UUID) -> set[Obstacle]:
        """Return why a user's accounts can not be closed. Failure when they do not answer."""

    async def close(self, user_id: UUID) -> set[Obstacle]:
        """Close a user's accounts for good; return why none was. Failure as above."""


class TradingAccounts:
    """The accounts that trading keeps."""

    def __init__(self, channel: grpc.aio.Channel, deadline_seconds: float) -> None:
        """Call trading on this channel, and wait for it no longer than the deadline."""
        self._stub = AccountServiceStub(channel)
        self._limits = LimitServiceStub(channel)
        self._personal_data = PersonalDataServiceStub(channel)
        self._deadline_seconds = deadline_seconds

    async def open_for(self, user_id: UUID, *, real: bool) -> None:
        """Open the accounts that a user may hold, `real` ones among them or not.

        Failure when nobody answers in time.
        """
        request = OpenAccountsRequest(user_id=str(user_id), real=real)
        try:
            await self._stub.OpenAccounts(request, timeout=self._deadline_seconds)
        except grpc.aio.AioRpcError as error:
            raise failure_of(error) from error

    async def protect(self, protection: Protection) -> None:
        """Hold a user's orders to what protects him; once answered, it counts.

        Failure UNAVAILABLE when not every book answers in time; it learns of it later.
        """
        request = ApplyProtectionRequest(protection=protection)
        try:
            await self._limits.ApplyProtection(request, timeout=self._deadline_seconds)
        except grpc.aio.AioRpcError as error:
            message = "It is stored, and not every book knows it yet. Ask again."
            metadata = {"part": "trading"}
            raise Failure(
                Reason.UNAVAILABLE, message, metadata=metadata, retry_after=_RETRY
            ) from error

    async def personal_data(self, user_id: UUID) -> AsyncIterator[Piece]:
        """Yield what the books keep about a user, as files. Failure when they do not answer."""
        request = ExportPersonalDataRequest(user_id=str(user_id))
        call = self._personal_data.ExportPersonalData(request, timeout=_EXPORT_SECONDS)
        try:
            async for piece in call:
                yield Piece(f"trading/{piece.file_name}", piece.about, piece.data)
        except grpc.aio.AioRpcError as error:
            raise failure_of(error) from error
        finally:
            call.cancel()

    async def obstacles(self, user_id: UUID) -> set[Obstacle]:
        """Return why a user's accounts can not be closed. Failure when they do not answer."""
        return await self._close(user_id, validate_only=True)

    async def close(self, user_id: UUID) -> set[Obstacle]:
        """Close a user's accounts for good; return why none was. Failure as above."""
        return await self._close(user_id, validate_only=False)

    async def _close(self, user_id: UUID, *, validate_only: bool) -> set[Obstacle]:
        request = CloseAccountsRequest(user_id=str(user_id), validate_only=validate_only)
        try:
            response = await self._personal_data.CloseAccounts(
                request, timeout=self._deadline_seconds
            )
        except grpc.aio.AioRpcError as error:
            raise failure_of(error) from error
        return {Obstacle(ErasureObstacle.Name(item)) for item in response.obstacles}


class TradingOrders:
    """The orders that trading keeps, by where they came from."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._stub = OrderOriginServiceStub(channel)

    async def books(self) -> list[str]:
        """Return the names of the books; none while nobody answers."""
        return sorted(await _books(self._channel))

    async def activity(self, book: str, start: datetime, end: datetime) -> list[Activity]:
        """Return who placed how many orders from where. Failure when nobody answers in time."""
        request = CountOrderOriginsRequest(
            book=book, start=to_timestamp(start), end=to_timestamp(end)
        )
        found: list[Activity] = []
        try:
            while True:
                answer = await self._stub.CountOrderOrigins(request)
                found += [
                    Activity(each.address, each.device, UUID(each.user_id), each.orders)
                    for each in answer.counts
                ]
                if not answer.next_page_token or len(found) >= _ACTIVITY_MAX:
                    return found
                request.page_token = answer.next_page_token
        except grpc.aio.AioRpcError as error:
            raise failure_of(error) from error


class AuditFeeds:
    """Brings what the other services put on record into the trail."""

    def __init__(
        self,
        database: Database,
        trail: AuditTrail,
        services: Mapping[str, grpc.aio.Channel],
    ) -> None:
        """Follow these services, by their names; of trading, every book."""
        self._database = database
        self._trail = trail
        self._services = services
        self._books: set[str] = set()

    async def run(self) -> None:
        """Follow for ever; a book that appears later is followed then."""
        async with asyncio.TaskGroup() as group:
            for name, channel in self._services.items():
                if name != _TRADING:
                    group.create_task(self._follow(channel, name))
            while True:
                if trading := self._services.get(_TRADING):
                    for book in await _books(trading) - self._books:
                        self._books.add(book)
                        group.create_task(self._follow(trading, book))
                await asyncio.sleep(_ASK_EVERY_SECONDS)

    async def _follow(self, channel: grpc.aio.Channel, journal: str) -> None:
        async def take(connection: AsyncConnection, entry: JournalEntry) -> None:
            await self._trail.take(connection, [record_of(journal, entry)])

        await Follower(channel, journal, self._database, take, AUDIT_SUBJECT).run()


async def _books(trading: grpc.aio.Channel) -> set[str]:
    try:
        response = await BookServiceStub(trading).ListBooks(ListBooksRequest())
    except grpc.aio.AioRpcError as error:
        _log.warning("trading is away", reason=failure_of(error).reason)
        return set()
    return set(response.books)


class OwnRecords:
    """Brings what identity itself put on record into the trail: the journal is at hand."""

    def __init__(self, database: Database, journal: Journal, trail: AuditTrail) -> None:
        self._database = database
        self._journal = journal
        self._trail = trail
        self._name = f"{journal.name}/{AUDIT_SUBJECT}"

    async def run(self) -> None:
        """Follow for ever; an outage only delays it."""
        while True:
            try:
                while await self.take():
                    pass
            except DatabaseUnavailable as error:
                _log.warning("the trail waits", reason=str(error))
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def take(self) -> bool:
        """Take the next records; False when there were none."""
        async with self._database.transaction() as connection:
            position = await lock_position(connection, self._name)
            entries = await self._journal.read_subject(AUDIT_SUBJECT, position, _TOGETHER)
            told = [record_of(self._journal.name, entry) for entry in to_entries(entries)]
            await self._trail.take(connection, told)
            if entries:
                await advance_position(connection, self._name, entries[-1].sequence)
        return bool(entries)
