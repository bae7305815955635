"""What settlement talks to in its tests: the real book, and quotes that a test scripts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.wire import to_datetime, to_timestamp, unpack_ids
from services.settlement.fixing import VoidReason
from services.trading.book import DueOrder
from services.trading.closing_wire import due_columns
from services.trading.service_rpc import BookFace
from tests.service.trading_fixtures import Bench
from tests.waiting import PATIENCE_SECONDS
from veritick.quotes.v1 import fixing_service_pb2 as fixing_pb
from veritick.quotes.v1.fixing_service_pb2_grpc import FixingServiceServicer
from veritick.quotes.v1.instrument_pb2 import Tick
from veritick.quotes.v1.market_data_service_pb2 import (
    WatchMarketRequest,
    WatchMarketResponse,
    Watermark,
)
from veritick.quotes.v1.market_data_service_pb2_grpc import MarketDataServiceServicer
from veritick.trading.v1 import book_service_pb2 as book_pb
from veritick.type.v1.price_pb2 import Price


@dataclass
class Script:
    """What quotes knows, as a test wrote it; a point that is not written is pending."""

    watermark: datetime
    prices: dict[tuple[str, datetime], int | VoidReason] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    unknown: set[str] = field(default_factory=set)
    away: bool = False
    silent: bool = False

    def fixing(self, symbol: str, moment: datetime) -> fixing_pb.Fixing:
        """Return what quotes knows about a point by now."""
        price = self.prices.get((symbol, moment))
        fixing = fixing_pb.Fixing(
            instrument=symbol, time=to_timestamp(moment), state=fixing_pb.Fixing.PENDING
        )
        if price is None or moment > self.watermark:
            return fixing
        fixing.watermark.CopyFrom(to_timestamp(self.watermark))
        fixing.rule_version = 1
        if isinstance(price, VoidReason):
            fixing.state = fixing_pb.Fixing.VOID
            fixing.void_reason = fixing_pb.VoidReason.ValueType(price)
        else:
            fixing.state = fixing_pb.Fixing.FINAL
            fixing.tick.CopyFrom(tick(symbol, price, moment - timedelta(microseconds=7)))
            fixing.ticks_before.append(fixing.tick)
            fixing.ticks_after.append(tick(symbol, price + 5, moment + timedelta(seconds=1)))
            fixing.feed_time.CopyFrom(to_timestamp(moment - timedelta(milliseconds=20)))
        return fixing


def tick(symbol: str, price: int, moment: datetime) -> Tick:
    return Tick(
        instrument=symbol,
        number=price * 7,
        price=Price(mantissa=price, scale=2),
        time=to_timestamp(moment),
        source_time=to_timestamp(moment - timedelta(milliseconds=3)),
    )


class ScriptedFixings(FixingServiceServicer):
    """Quotes' fixings by the script."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def BatchGetFixings(
        self, request: fixing_pb.BatchGetFixingsRequest, context: Any
    ) -> fixing_pb.BatchGetFixingsResponse:
        self._script.calls["BatchGetFixings"] += 1
        if self._script.away:
            raise Failure(Reason.UNAVAILABLE, "Not available right now.")
        for point in request.points:
            if point.instrument in self._script.unknown:
                raise Failure(Reason.INSTRUMENT_NOT_FOUND, "There is no such instrument.")
        return fixing_pb.BatchGetFixingsResponse(
            fixings=[
                self._script.fixing(point.instrument, to_datetime(point.time))
                for point in request.points
            ]
        )


class ScriptedMarket(MarketDataServiceServicer):
    """Quotes' watermark by the script."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def WatchMarket(
        self, request: WatchMarketRequest, context: Any
    ) -> AsyncIterator[WatchMarketResponse]:
        while True:
            if not self._script.silent:
                mark = Watermark(time=to_timestamp(self._script.watermark))
                yield WatchMarketResponse(watermark=mark)
            await asyncio.sleep(0.02)


class WatchedBook(BookFace):
    """The real book, which a test may stop before or after it settles."""

    def __init__(self, bench: Bench) -> None:
        super().__init__({"demo": bench.desk})
        self.calls: Counter[str] = Counter()
        self.told: Counter[UUID] = Counter()
        """How often the book was told how to close each order."""

        self.before = Gate()
        self.after = Gate()
        self.away = False
        self.page_max = 1_000
        self.lose_replies = 0
        self.never_heard_of = list[DueOrder]()

    async def ListDueOrders(
        self, request: book_pb.ListDueOrdersRequest, context: Any
    ) -> book_pb.ListDueOrdersResponse:
        self.calls["ListDueOrders"] += 1
        self._refuse_when_away()
        request.page_size = min(request.page_size, self.page_max)
        response = await super().ListDueOrders(request, context)
        if not response.next_page_token and self.never_heard_of:
            more, known = due_columns(self.never_heard_of, ""), response.order_ids
            response.MergeFrom(more)
            response.order_ids = known + more.order_ids
        return response

    async def SettleOrders(
        self, request: book_pb.SettleOrdersRequest, context: Any
    ) -> book_pb.SettleOrdersResponse:
        self.calls["SettleOrders"] += 1
        self.told.update(unpack_ids(request.order_ids))
        self._refuse_when_away()
        await self.before.pass_through()
        response = await super().SettleOrders(request, context)
        await self.after.pass_through()
        if self.lose_replies:
            self.lose_replies -= 1
            raise Failure(Reason.UNAVAILABLE, "Not available right now.")
        return response

    def _refuse_when_away(self) -> None:
        if self.away:
            raise Failure(Reason.UNAVAILABLE, "Not available right now.")


class Gate:
    """Open, until a test closes it; then whoever comes is noticed and waits."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._reached = asyncio.Event()

    async def pass_through(self) -> None:
        if not self._open.is_set():
            self._reached.set()
        await self._open.wait()

    def close(self) -> None:
        self._open.clear()
        self._reached.clear()

    def open(self) -> None:
        self._open.set()

    async def reached(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._reached.wait()
