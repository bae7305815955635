"""What settlement asks of others: quotes for time and prices, trading for orders."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import IntEnum
from time import perf_counter
from typing import NamedTuple

import grpc
import structlog

from services.kit.channels import failure_of
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.wire import to_datetime, to_timestamp
from services.settlement.book_wire import decision_columns, to_closed_orders, to_due_orders
from services.settlement.decisions import Outstanding
from services.settlement.fixing import Fixing, Point
from services.settlement.market_time import SILENCE_SECONDS_MAX, MarketTime
from services.settlement.outcome import DueOrder
from services.settlement.pace import Pace
from services.settlement.receipt import Closed
from services.settlement.wire import to_fixing, to_point
from veritick.quotes.v1.fixing_service_pb2 import BatchGetFixingsRequest
from veritick.quotes.v1.fixing_service_pb2_grpc import FixingServiceStub
from veritick.quotes.v1.market_data_service_pb2 import WatchMarketRequest, WatchMarketResponse
from veritick.quotes.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from veritick.trading.v1.book_service_pb2 import (
    ListBooksRequest,
    ListDueOrdersRequest,
)
from veritick.trading.v1.book_service_pb2_grpc import BookServiceStub

_SETTLE_SECONDS = 20.0
_PAUSE_SECONDS = 0.2
_log = structlog.stdlib.get_logger()


class Status(IntEnum):
    """What a book did with a decision. The numbers are the contract's."""

    SETTLED = 1
    ALREADY_CLOSED = 2
    NOT_FOUND = 3


_STATUSES = {int(status): status for status in Status}
_NOT_FOUND = Status.NOT_FOUND


class Reply(NamedTuple):
    """A book's answer to one decision; `closed` is None when there is no such order."""

    status: Status
    closed: Closed | None


class WatermarkFeed:
    """Keeps market time up to date from quotes."""

    def __init__(self, channel: grpc.aio.Channel, time: MarketTime) -> None:
        """Follow quotes behind this channel."""
        self._stub = MarketDataServiceStub(channel)
        self._time = time

    async def run(self) -> None:
        """Follow for ever; while quotes is away, time stands still."""
        while True:
            try:
                await self._follow()
                _log.warning("quotes ended the stream")
            except grpc.aio.AioRpcError as error:
                _log.warning("quotes is away", reason=str(failure_of(error)))
            except TimeoutError:
                _log.warning("quotes is silent")
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _follow(self) -> None:
        call = self._stub.WatchMarket(WatchMarketRequest())
        try:
            while True:
                async with asyncio.timeout(SILENCE_SECONDS_MAX):
                    response = await call.read()
                if not isinstance(response, WatchMarketResponse):
                    return
                if response.WhichOneof("change") == "watermark":
                    self._time.advance(to_datetime(response.watermark.time))
        finally:
            call.cancel()


class Quotes:
    """Asks quotes what prices were."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Ask behind this channel."""
        self._stub = FixingServiceStub(channel)

    async def fixings(self, points: Collection[Point]) -> dict[Point, Fixing]:
        """Return the fixings that are decided by now, others are pending.

        An instrument that quotes does not know leaves its points pending, and an error in the
        log. Failure: whatever else the call met.
        """
        asked = list(points)
        if not asked:
            return {}
        try:
            return await self._ask(asked)
        except Failure as failure:
            if failure.reason is not Reason.INSTRUMENT_NOT_FOUND:
                raise
        if len(asked) == 1:
            _log.error("quotes does not know an instrument", instrument=asked[0].instrument)
            return {}
        middle = len(asked) // 2
        return await self.fixings(asked[:middle]) | await self.fixings(asked[middle:])

    async def _ask(self, points: Sequence[Point]) -> dict[Point, Fixing]:
        request = BatchGetFixingsRequest(points=[to_point(point) for point in points])
        with _failing():
            response = await self._stub.BatchGetFixings(request)
        fixings = [to_fixing(message) for message in response.fixings]
        return {point: fixing for point, fixing in zip(points, fixings, strict=True) if fixing}


class Trading:
    """Asks trading for what is due, and tells it how orders close."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Talk to the books behind this channel."""
        self._stub = BookServiceStub(channel)
        self._paces: dict[str, Pace] = {}

    def chunk(self, book: str) -> int:
        """Return how many orders to send a book together."""
        return self._pace(book).size

    def _pace(self, book: str) -> Pace:
        return self._paces.setdefault(book, Pace())

    async def books(self) -> list[str]:
        """Return the names of the books. Failure: whatever the call met."""
        with _failing():
            response = await self._stub.ListBooks(ListBooksRequest())
        return list(response.books)

    async def due(self, book: str, until: datetime) -> AsyncGenerator[list[DueOrder]]:
        """Yield pages of the orders that expire at or before a moment, by expiry and id."""
        token = ""
        while True:
            request = ListDueOrdersRequest(
                book=book, until=to_timestamp(until), page_size=self.chunk(book), page_token=token
            )
            with _failing():
                response = await self._stub.ListDueOrders(request)
            if response.order_ids:
                yield to_due_orders(response)
            token = response.next_page_token
            if not token:
                return

    async def settle(self, book: str, decisions: Sequence[Outstanding]) -> list[Reply]:
        """Close orders as decided; one reply for each. Failure: whatever the call met."""
        request, sent = decision_columns(book, decisions), perf_counter()
        with _failing():
            response = await self._stub.SettleOrders(request, timeout=_SETTLE_SECONDS)
        took = (len(decisions), sent, perf_counter())
        self._pace(book).took(*took, others_wait=response.others_wait)
        statuses = map(_STATUSES.__getitem__, response.statuses)
        closed = zip(statuses, to_closed_orders(decisions, response), strict=True)
        return [Reply(s, None if s is _NOT_FOUND else order) for s, order in closed]


@contextmanager
def _failing() -> Iterator[None]:
    """Raise a failed call as the Failure its server described."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise failure_of(error) from error
