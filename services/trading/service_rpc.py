"""How settlement closes orders. Decode, call, encode."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.kit.pages import decode_page_token, encode_page_token
from services.kit.wire import to_datetime
from services.trading.closing_wire import due_columns, settled_columns, to_decisions
from services.trading.rpc import Desks, desk_of
from services.trading.settling import Settled, SettleOrders, Settling
from veritick.trading.v1 import book_service_pb2 as book_pb
from veritick.trading.v1.book_service_pb2_grpc import BookServiceServicer

_DUE = 1_000


class BookFace(BookServiceServicer):
    """How settlement closes orders."""

    def __init__(self, desks: Desks) -> None:
        self._desks = desks

    async def ListBooks(
        self, request: book_pb.ListBooksRequest, context: Any
    ) -> book_pb.ListBooksResponse:
        return book_pb.ListBooksResponse(books=sorted(self._desks))

    async def ListDueOrders(
        self, request: book_pb.ListDueOrdersRequest, context: Any
    ) -> book_pb.ListDueOrdersResponse:
        desk = desk_of(self._desks, request.book)
        after = None
        if request.page_token:
            moment, order_id = decode_page_token(request.page_token, _aware, UUID)
            after = (moment, order_id)
        limit = request.page_size or _DUE
        due = await desk.book.due_orders(to_datetime(request.until), after, limit)
        following = ""
        if len(due) == limit:
            following = encode_page_token([due[-1].expires_at.isoformat(), str(due[-1].order_id)])
        return due_columns(due, following)

    async def SettleOrders(
        self, request: book_pb.SettleOrdersRequest, context: Any
    ) -> book_pb.SettleOrdersResponse:
        desk = desk_of(self._desks, request.book)
        command = SettleOrders(to_decisions(request))
        settled: list[Settled] = await desk.writer.submit(command)
        response = settled_columns(settled)
        response.others_wait = desk.writer.has_others(Settling.kind)
        return response


def _aware(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
