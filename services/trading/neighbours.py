"""What trading hears from others: quotes' market, and identity's journal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

import grpc
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kit.channels import failure_of
from services.kit.wire import to_datetime, to_timestamp
from services.trading.audit import Fixing, MarketState, Point, Standing
from services.trading.blocking import note_block
from services.trading.market import MarketView
from services.trading.protecting import Protect
from services.trading.protection_wire import to_protect
from services.trading.terms import SECOND
from services.trading.wire import to_instrument, to_tick
from veritick.journal.v1.journal_service_pb2 import JournalEntry
from veritick.quotes.v1 import fixing_service_pb2 as fixing_pb
from veritick.quotes.v1.fixing_service_pb2_grpc import FixingServiceStub
from veritick.quotes.v1.market_data_service_pb2 import WatchMarketRequest, WatchMarketResponse
from veritick.quotes.v1.market_data_service_pb2_grpc import MarketDataServiceStub

_PAUSE_SECONDS = 0.2
_SILENCE_SECONDS_MAX = 5.0
_TRADER = "trader"
_log = structlog.stdlib.get_logger()


class MarketFeed:
    """Keeps a market view up to date from quotes."""

    def __init__(self, channel: grpc.aio.Channel, view: MarketView) -> None:
        self._stub = MarketDataServiceStub(channel)
        self._view = view
        self._away = False

    async def run(self) -> None:
        """Follow the market for ever; while quotes is away the view only grows old."""
        while True:
            try:
                await self._follow()
                self._lost("it ended the stream")
            except grpc.aio.AioRpcError as error:
                self._lost(str(failure_of(error)))
            except TimeoutError:
                self._lost("it is silent")
            await asyncio.sleep(_PAUSE_SECONDS)

    def _lost(self, reason: str) -> None:
        """Stop trusting the view; log it once, not at every attempt."""
        if self._view.complete or not self._away:
            _log.warning("quotes is away", reason=reason)
        self._away = True
        self._view.forget()

    async def _follow(self) -> None:
        call = self._stub.WatchMarket(WatchMarketRequest())
        try:
            while True:
                async with asyncio.timeout(_SILENCE_SECONDS_MAX):
                    response = await call.read()
                if not isinstance(response, WatchMarketResponse):
                    return
                apply(response, self._view)
        finally:
            call.cancel()


def apply(response: WatchMarketResponse, view: MarketView) -> None:
    """Take one message of the stream into the view."""
    match response.WhichOneof("change"):
        case "ticks":
            view.add_ticks([(t.instrument, to_tick(t)) for t in response.ticks.ticks if not t.late])
        case "watermark":
            mark = response.watermark
            heard = to_datetime(mark.feed_time) if mark.HasField("feed_time") else None
            view.set_watermark(to_datetime(mark.time), heard, to_datetime(mark.sent_time))
        case "instrument":
            view.set_instrument(to_instrument(response.instrument))
        case "snapshot_complete":
            view.complete = True


class QuotesRecord:
    """Asks quotes what prices were fixed, and how markets stood."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = FixingServiceStub(channel)

    async def fixings(self, points: Sequence[Point]) -> list[Fixing | None]:
        """Return what was fixed at each point, None for what is pending. Failure: the call's."""
        request = fixing_pb.BatchGetFixingsRequest(points=map(_point, points))
        with _failing():
            response = await self._stub.BatchGetFixings(request)
        return [_fixing(message) for message in response.fixings]

    async def standings(self, points: Sequence[Point]) -> list[Standing | None]:
        """Return how each market stood, None for what is pending. Failure: as above."""
        request = fixing_pb.BatchGetMarketRecordsRequest(points=map(_point, points))
        with _failing():
            response = await self._stub.BatchGetMarketRecords(request)
        return [_standing(message) for message in response.records]


@contextmanager
def _failing() -> Iterator[None]:
    """Raise a failed call as the Failure its server described."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise failure_of(error) from error


def _point(point: Point) -> fixing_pb.FixingPoint:
    return fixing_pb.FixingPoint(instrument=point.instrument, time=to_timestamp(point.time))


def _standing(message: fixing_pb.MarketRecord) -> Standing | None:
    if message.state == fixing_pb.MarketRecord.PENDING:
        return None
    closes = message.HasField("session_close_time")
    return Standing(
        state=MarketState(message.state),
        closes_at=to_datetime(message.session_close_time) if closes else None,
        max_tick_age=SECOND * message.max_tick_age_seconds,
        last_tick=to_tick(message.last_tick) if message.HasField("last_tick") else None,
    )


def _fixing(message: fixing_pb.Fixing) -> Fixing | None:
    if message.state == fixing_pb.Fixing.FINAL:
        return Fixing(to_tick(message.tick), 0)
    return Fixing(None, message.void_reason) if message.state == fixing_pb.Fixing.VOID else None


def following_users(
    open_account: Callable[[UUID], Awaitable[object]],
    protect: Callable[[Protect], Awaitable[None]],
    forget: Callable[[UUID], Awaitable[None]],
    *,
    real: bool,
) -> Callable[[AsyncConnection, JournalEntry], Awaitable[None]]:
    """Return what to do with identity's events.

    Every trader has an account in this book, in a `real` one only who may hold real money; who is
    banned is blocked; orders are held to what users have set to protect themselves; and from where
    a user who was erased placed his orders is forgotten.

    The book's writer does it, in a transaction of its own; a crash before the position is stored
    only asks for it again, which changes nothing.
    """

    async def apply_event(connection: AsyncConnection, entry: JournalEntry) -> None:
        event = entry.event
        if event.WhichOneof("data") == "protection_changed":
            await protect(to_protect(event.protection_changed.protection))
        if event.WhichOneof("data") == "user_erased":
            await forget(UUID(event.user_erased.user_id))
        if event.WhichOneof("data") != "user_changed":
            return
        user = event.user_changed.user
        if _TRADER in user.roles and (user.real_accounts or not real):
            await open_account(UUID(user.user_id))
        until = to_datetime(user.banned_until_time) if user.HasField("banned_until_time") else None
        await note_block(connection, UUID(user.user_id), blocked=user.banned, until=until)

    return apply_event
