"""What the socket asks of the services: journals and prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import grpc
from google.protobuf.duration_pb2 import Duration

from edge.stream.candle import Candle
from edge.stream.channel import JournalChannel
from edge.stream.event import JournalEvent, from_entry
from services.kit.channels import failure_of
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.wire import to_datetime
from veritick.journal.v1.journal_service_pb2 import ListEventsRequest
from veritick.journal.v1.journal_service_pb2_grpc import JournalServiceStub
from veritick.quotes.v1.instrument_pb2 import Market
from veritick.quotes.v1.market_data_service_pb2 import GetMarketStatusRequest, ListCandlesRequest
from veritick.quotes.v1.market_data_service_pb2_grpc import MarketDataServiceStub

PAGE_SIZE = 500
_BOOKS = "trading"
_UNKNOWN = frozenset(
    {
        Reason.UNKNOWN_CHANNEL,
        Reason.INSTRUMENT_NOT_FOUND,
        Reason.ACCOUNT_NOT_FOUND,
        Reason.BOOK_NOT_FOUND,
        Reason.USER_NOT_FOUND,
        Reason.PERMISSION_DENIED,
        Reason.INVALID_REQUEST,
    }
)


@dataclass(frozen=True, slots=True)
class Page:
    """Events after a sequence, and where the subject stood when it was asked."""

    events: Sequence[JournalEvent]
    last: int


class JournalSource(Protocol):
    """Who can list events."""

    async def list_events(self, channel: JournalChannel, after: int | None, user_id: str) -> Page:
        """List at most PAGE_SIZE events after a sequence; none, if it is None.

        Failure UNKNOWN_CHANNEL when there is no such subject or it is not the user's,
        UNAVAILABLE or DEADLINE_EXCEEDED when its owner cannot be asked.
        """


class MarketSource(Protocol):
    """Who knows prices."""

    async def market(self, symbol: str) -> Market:
        """Return an instrument's market; Failure UNKNOWN_CHANNEL when there is none."""

    async def candles(self, symbol: str, interval_seconds: int, count: int) -> tuple[Candle, ...]:
        """Return an instrument's newest candles, oldest first, the one in progress included."""


class GrpcJournals:
    """The journals of the services, by the names of the journals; any other is a book's."""

    def __init__(self, channels: Mapping[str, grpc.aio.Channel]) -> None:
        """Ask `identity`, `quotes` and `trading` over these channels."""
        self._stubs = {name: JournalServiceStub(channel) for name, channel in channels.items()}

    async def list_events(self, channel: JournalChannel, after: int | None, user_id: str) -> Page:
        """List events of a channel's subject, asked for a user unless the channel is public."""
        request = ListEventsRequest(
            journal=channel.journal,
            subject=channel.subject,
            after_sequence=after,
            page_size=PAGE_SIZE,
            on_behalf_of_user_id=user_id if channel.private else "",
        )
        page = await self._ask(request, channel)
        if after is not None and not page.events and page.last > after:
            # The list and the last sequence are two reads: what came between them shows now.
            again = await self._ask(request, channel)
            return Page(again.events, again.last if again.events else page.last)
        return page

    async def _ask(self, request: ListEventsRequest, channel: JournalChannel) -> Page:
        stub = self._stubs.get(channel.journal) or self._stubs.get(_BOOKS)
        if stub is None:
            raise Failure(Reason.UNAVAILABLE, "This channel's owner is not connected.")
        try:
            answer = await stub.ListEvents(request)
        except grpc.aio.AioRpcError as error:
            raise _translated(error, channel.name) from error
        return Page([from_entry(entry) for entry in answer.entries], answer.last_sequence)


class GrpcMarket:
    """Prices, from quotes."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Ask over this channel."""
        self._stub = MarketDataServiceStub(channel)

    async def market(self, symbol: str) -> Market:
        """Return an instrument's market."""
        try:
            answer = await self._stub.GetMarketStatus(GetMarketStatusRequest(instrument=symbol))
        except grpc.aio.AioRpcError as error:
            raise _translated(error, symbol) from error
        return answer.market

    async def candles(self, symbol: str, interval_seconds: int, count: int) -> tuple[Candle, ...]:
        """Return an instrument's newest candles."""
        request = ListCandlesRequest(
            instrument=symbol, interval=Duration(seconds=interval_seconds), page_size=count
        )
        try:
            answer = await self._stub.ListCandles(request)
        except grpc.aio.AioRpcError as error:
            raise _translated(error, symbol) from error
        return tuple(
            Candle(
                to_datetime(candle.start_time),
                candle.open,
                candle.high,
                candle.low,
                candle.close,
                candle.ticks,
                candle.synthetic,
            )
            for candle in answer.candles
        )


def unknown_channel(name: str) -> Failure:
    """Return the one answer for what does not exist and for what the caller may not read."""
    return Failure(
        Reason.UNKNOWN_CHANNEL,
        "There is no such channel, or you may not read it.",
        metadata={"channel": name[:100]},
    )


def _translated(error: grpc.aio.AioRpcError, name: str) -> Failure:
    failure = failure_of(error)
    return unknown_channel(name) if failure.reason in _UNKNOWN else failure
