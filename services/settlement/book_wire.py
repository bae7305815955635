"""The columns in which orders travel between a book and settlement."""

from __future__ import annotations

from collections.abc import Sequence

from services.kit.wire import from_microseconds, pack_ids, unpack_ids
from services.settlement.decisions import Outstanding
from services.settlement.fixing import Fixing
from services.settlement.outcome import Direction, DueOrder, Outcome
from services.settlement.receipt import Closed
from services.settlement.wire import tick_message
from veritick.quotes.v1.fixing_service_pb2 import VoidReason
from veritick.trading.v1.book_service_pb2 import (
    ClosingPrice,
    ListDueOrdersResponse,
    SettleOrdersRequest,
    SettleOrdersResponse,
)

# The call of an enumeration takes ten times as long as a look at its members.
_DIRECTIONS = {int(direction): direction for direction in Direction}
_OUTCOMES = {int(outcome): outcome for outcome in Outcome}


def to_due_orders(page: ListDueOrdersResponse) -> list[DueOrder]:
    """Return a page of due orders."""
    columns = zip(
        unpack_ids(page.order_ids),
        [page.instruments[place] for place in page.instrument_indexes],
        map(_DIRECTIONS.__getitem__, page.directions),
        page.entry_price_mantissas,
        map(from_microseconds, page.expire_times_us),
        strict=True,
    )
    return [DueOrder(*row) for row in columns]


def decision_columns(book: str, decisions: Sequence[Outstanding]) -> SettleOrdersRequest:
    """Return what a book is told to do."""
    fixings = {item.fixing.point: item.fixing for item in decisions}
    places = {point: place for place, point in enumerate(fixings)}
    return SettleOrdersRequest(
        book=book,
        order_ids=pack_ids([decision.order_id for decision, _ in decisions]),
        outcomes=[int(decision.outcome) for decision, _ in decisions],  # type: ignore[misc]
        fixing_indexes=[places[decision.point] for decision, _ in decisions],
        fixings=[_closing_price(fixing) for fixing in fixings.values()],
    )


def _closing_price(fixing: Fixing) -> ClosingPrice:
    if fixing.tick is None:
        return ClosingPrice(void_reason=VoidReason.ValueType(fixing.void_reason or 0))
    return ClosingPrice(close_tick=tick_message(fixing.point.instrument, fixing.tick))


def to_closed_orders(decisions: Sequence[Outstanding], reply: SettleOrdersResponse) -> list[Closed]:
    """Return the orders as they closed, in the order of the decisions.

    Of one that the book does not know it says nothing true: the status tells.
    """
    ids = [decision.order_id for decision, _ in decisions]
    source_times = [
        from_microseconds(time) if time else None for time in reply.entry_source_times_us
    ]
    columns = zip(
        ids,
        [reply.names[place] for place in reply.instrument_indexes],
        map(_DIRECTIONS.__getitem__, reply.directions),
        reply.stakes,
        [reply.names[place] for place in reply.currency_indexes],
        reply.payouts_bp,
        reply.terms_versions,
        map(from_microseconds, reply.open_times_us),
        map(from_microseconds, reply.expire_times_us),
        reply.entry_numbers,
        reply.entry_price_mantissas,
        reply.price_scales,
        map(from_microseconds, reply.entry_times_us),
        source_times,
        map(_OUTCOMES.__getitem__, reply.outcomes),
        reply.returned,
        map(from_microseconds, reply.close_times_us),
        ids,
        unpack_ids(reply.close_transfer_ids),
        strict=True,
    )
    return [Closed(*row) for row in columns]
