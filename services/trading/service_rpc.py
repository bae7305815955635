"""How settlement closes orders. Decode, call, encode."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.kit.errors import Failure
from services.kit.pages import decode_page_token, encode_page_token
from services.kit.reason import Reason
from services.kit.wire import to_datetime
from services.trading.desk import Desk
from services.trading.rpc import Desks, desk_of
from services.trading.settling import Decision, Settled, SettleOrders
from services.trading.wire import (
    to_book_id,
    to_outcome,
    to_tick,
    to_void_reason,
)
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
        orders = [desk.wire.due(item) for item in due]
        return book_pb.ListDueOrdersResponse(orders=orders, next_page_token=following)

    async def SettleOrders(
        self, request: book_pb.SettleOrdersRequest, context: Any
    ) -> book_pb.SettleOrdersResponse:
        desk = desk_of(self._desks, request.book)
        command = SettleOrders([_decision(item, desk) for item in request.decisions])
        settled: list[Settled] = await desk.writer.submit(command)
        return book_pb.SettleOrdersResponse(results=[_settled(item, desk) for item in settled])


def _aware(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _decision(message: book_pb.Decision, desk: Desk) -> Decision:
    book, order_id = to_book_id(message.order_id)
    if book != desk.name:
        raise Failure(Reason.ORDER_NOT_FOUND, "The order belongs to another book.")
    return Decision(
        order_id=order_id,
        outcome=to_outcome(message.outcome),
        void_reason=to_void_reason(message.void_reason),
        close_tick=to_tick(message.close_tick) if message.HasField("close_tick") else None,
    )


def _settled(item: Settled, desk: Desk) -> book_pb.SettledOrder:
    status = book_pb.SettledOrder.Status.ValueType(item.status)
    if item.booked is None or item.booked.close is None:
        return book_pb.SettledOrder(status=status)
    transfers = (item.booked.order.order_id, item.booked.close.transfer_id)
    return book_pb.SettledOrder(
        status=status,
        order=desk.wire.booked(item.booked),
        transfer_ids=[desk.wire.id(transfer) for transfer in transfers],
    )
