"""OrderOriginService: from where orders were placed, for staff."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.kit.pages import decode_page_token, encode_page_token
from services.kit.wire import to_datetime, to_timestamp
from services.trading.desk import Desk
from services.trading.filters import order_id_filter
from services.trading.origins import FIRST, OrderOrigin, Place
from services.trading.rpc import Desks, desk_of
from veritick.trading.v1 import order_origin_service_pb2 as origins_pb
from veritick.trading.v1.order_origin_service_pb2_grpc import OrderOriginServiceServicer

_PAGE = 50
_COUNTS = 1_000


class OriginFace(OrderOriginServiceServicer):
    """Shows from where orders were placed."""

    def __init__(self, desks: Desks) -> None:
        self._desks = desks

    async def ListOrderOrigins(
        self, request: origins_pb.ListOrderOriginsRequest, context: Any
    ) -> origins_pb.ListOrderOriginsResponse:
        desk = desk_of(self._desks, request.book)
        only = order_id_filter(request.filter, desk.name)
        before = decode_page_token(request.page_token, UUID)[0] if request.page_token else None
        limit = request.page_size or _PAGE
        found = await desk.origins.page(UUID(request.user_id), only, before, limit)
        following = encode_page_token([str(found[-1].order_id)]) if len(found) == limit else ""
        return origins_pb.ListOrderOriginsResponse(
            origins=[_message(item, desk) for item in found], next_page_token=following
        )

    async def CountOrderOrigins(
        self, request: origins_pb.CountOrderOriginsRequest, context: Any
    ) -> origins_pb.CountOrderOriginsResponse:
        desk = desk_of(self._desks, request.book)
        token, limit = request.page_token, request.page_size or _COUNTS
        after = Place(*decode_page_token(token, str, str, UUID)) if token else FIRST
        span = (to_datetime(request.start), to_datetime(request.end))
        found = await desk.origins.counts(*span, after, limit)
        following = encode_page_token(list(map(str, found[-1][0]))) if len(found) == limit else ""
        return origins_pb.CountOrderOriginsResponse(
            counts=[
                origins_pb.OrderOriginCount(
                    address=where.address,
                    device=where.device,
                    user_id=str(where.user_id),
                    orders=orders,
                )
                for where, orders in found
            ],
            next_page_token=following,
        )


def _message(item: OrderOrigin, desk: Desk) -> origins_pb.OrderOrigin:
    return origins_pb.OrderOrigin(
        order_id=desk.wire.id(item.order_id),
        address=item.address,
        device=item.device,
        agent=item.agent,
        open_time=to_timestamp(item.opened_at),
    )
