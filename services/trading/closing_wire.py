"""Between the domain and the columns in which orders travel to settlement and back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.kit.wire import (
    from_microseconds,
    indexes,
    pack_ids,
    to_microseconds,
    unpack_ids,
)
from services.trading.book import BookedOrder, DueOrder
from services.trading.order import Close, Order, Outcome, Tick, VoidReason
from services.trading.settling import Decision, Settled
from services.trading.wire import missing, to_tick
from veritick.trading.v1 import book_service_pb2 as book_pb

_NO_ID = UUID(int=0)
_NEVER = from_microseconds(0)
# What stands in the columns for an order that there is not.
_NO_ORDER = Order(_NO_ID, _NO_ID, _NO_ID, b"", "", 1, 0, "", 0, 0, 0, 0, 0, *[_NEVER] * 4)
_NO_CLOSE = Close(int(Outcome.VOID), 0, 0, None, None, None, None, _NEVER, _NO_ID)


def due_columns(due: Sequence[DueOrder], next_page_token: str) -> book_pb.ListDueOrdersResponse:
    """Return a page of due orders as columns."""
    symbols, places = indexes([order.instrument for order in due])
    return book_pb.ListDueOrdersResponse(
        order_ids=pack_ids([order.order_id for order in due]),
        instruments=symbols,
        instrument_indexes=places,
        directions=[order.direction for order in due],  # type: ignore[misc]
        entry_price_mantissas=[order.entry_price for order in due],
        expire_times_us=[to_microseconds(order.expires_at) for order in due],
        next_page_token=next_page_token,
    )


def to_decisions(request: book_pb.SettleOrdersRequest) -> list[Decision]:
    """Return the decisions in columns. Failure INVALID_REQUEST if these do not fit each other."""
    prices = [_closing_price(message) for message in request.fixings]
    try:
        ids = unpack_ids(request.order_ids)
        chosen = [prices[place] for place in request.fixing_indexes]
        outcomes = [Outcome(number) for number in request.outcomes]
        columns = zip(ids, outcomes, chosen, strict=True)
        return [Decision(order, outcome, *price) for order, outcome, price in columns]
    except (ValueError, IndexError) as error:
        raise missing("order_ids", "and the columns after it do not fit") from error


def _closing_price(message: book_pb.ClosingPrice) -> tuple[VoidReason, Tick | None]:
    if message.HasField("close_tick") is bool(message.void_reason):
        raise missing("fixings", "have either a tick or a reason for none")
    tick = to_tick(message.close_tick) if message.HasField("close_tick") else None
    return VoidReason(message.void_reason), tick


def settled_columns(settled: Sequence[Settled]) -> book_pb.SettleOrdersResponse:
    """Return what became of decisions, and how each order closed, as columns."""
    orders, closes = zip(*[_closed(item.booked) for item in settled], strict=True)
    names, places = indexes([*(o.instrument for o in orders), *(o.currency for o in orders)])
    return book_pb.SettleOrdersResponse(
        statuses=[int(item.status) for item in settled],  # type: ignore[misc]
        outcomes=[close.outcome for close in closes],
        close_transfer_ids=pack_ids([close.transfer_id for close in closes]),
        names=names,
        instrument_indexes=places[: len(orders)],
        currency_indexes=places[len(orders) :],
        directions=[order.direction for order in orders],
        stakes=[order.stake for order in orders],
        returned=[close.returned for close in closes],
        payouts_bp=[order.payout_bp for order in orders],
        terms_versions=[order.terms_version for order in orders],
        open_times_us=[to_microseconds(order.opened_at) for order in orders],
        expire_times_us=[to_microseconds(order.expires_at) for order in orders],
        close_times_us=[to_microseconds(close.closed_at) for close in closes],
        entry_numbers=[order.entry_number for order in orders],
        entry_price_mantissas=[order.entry_price for order in orders],
        price_scales=[order.price_scale for order in orders],
        entry_times_us=[to_microseconds(order.entry_time) for order in orders],
        entry_source_times_us=[_or_zero(order.entry_source_time) for order in orders],
    )


def _closed(item: BookedOrder | None) -> tuple[Order, Close]:
    if item is None or item.close is None:
        return _NO_ORDER, _NO_CLOSE
    return item.order, item.close


def _or_zero(moment: datetime | None) -> int:
    return 0 if moment is None else to_microseconds(moment)
