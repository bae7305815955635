"""Pages of an account's records, the same for its owner and for staff."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.kit.pages import decode_page_token, encode_page_token
from services.trading.book import OrderFilter
from services.trading.desk import Desk
from services.trading.filters import entry_filter
from services.trading.ledger import NEWEST
from services.trading.wire import to_range
from veritick.trading.v1.account_pb2 import Entry
from veritick.trading.v1.order_pb2 import Order

_ENTRIES = 50
_ORDERS = 50


async def entries_page(desk: Desk, account_id: UUID, request: Any) -> tuple[list[Entry], str]:
    """Return the entries that a request asks for, newest first, and the token of the next page.

    Failures: INVALID_FILTER, INVALID_PAGE_TOKEN.
    """
    condition = entry_filter(request.filter, desk.name, to_range(request))
    before = decode_page_token(request.page_token, int)[0] if request.page_token else NEWEST
    limit = request.page_size or _ENTRIES
    lines = await desk.ledger.statement(account_id, condition, before, limit)
    following = encode_page_token([lines[-1].entry_id]) if len(lines) == limit else ""
    return [desk.wire.entry(line) for line in lines], following


async def orders_page(
    desk: Desk, account_id: UUID, condition: OrderFilter, request: Any
) -> tuple[list[Order], str]:
    """Return the orders that meet a condition, newest first, and the token of the next page.

    Failure INVALID_PAGE_TOKEN.
    """
    before = decode_page_token(request.page_token, UUID)[0] if request.page_token else None
    limit = request.page_size or _ORDERS
    found = await desk.book.orders(account_id, condition, before, limit)
    last = found[-1].order.order_id if len(found) == limit else None
    following = encode_page_token([str(last)]) if last else ""
    return [desk.wire.booked(item) for item in found], following
