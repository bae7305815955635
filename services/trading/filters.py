"""The filters of a book's lists, as callers write them: `state=CLOSED AND instrument=EURUSD`."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import NamedTuple
from uuid import UUID

from services.kit.errors import Failure
from services.kit.ids import parse_scoped
from services.kit.pages import parse_filter
from services.kit.reason import Reason
from services.trading.book import OrderFilter
from services.trading.ledger import EntryFilter
from services.trading.order import Outcome
from services.trading.posting import EntryKind

_STATES = {"OPEN": True, "CLOSED": False}


class Range(NamedTuple):
    """Moments from `start` to before `end`; None is without end on that side."""

    start: datetime | None = None
    end: datetime | None = None


def order_filter(text: str, opened: Range) -> OrderFilter:
    """Return which orders a filter asks for, of those opened so; Failure INVALID_FILTER."""
    given = parse_filter(text, {"state", "instrument", "outcome", "requestId"})
    state, request_id = given.get("state"), given.get("requestId")
    if state is not None and state not in _STATES:
        raise _unknown_value(text)
    return OrderFilter(
        is_open=None if state is None else _STATES[state],
        instrument=given.get("instrument"),
        outcome=_number(Outcome, given.get("outcome"), text),
        request_id=_uuid(request_id, text) if request_id else None,
        start=opened.start,
        end=opened.end,
    )


def entry_filter(text: str, book: str, made: Range) -> EntryFilter:
    """Return which entries of a book a filter asks for, of those made so; INVALID_FILTER."""
    given = parse_filter(text, {"kind", "orderId"})
    order_id = given.get("orderId")
    return EntryFilter(
        kind=_number(EntryKind, given.get("kind"), text),
        order_id=_id(order_id, book, text) if order_id else None,
        start=made.start,
        end=made.end,
    )


def order_id_filter(text: str, book: str) -> UUID | None:
    """Return which order of a book a filter asks for, None for all; INVALID_FILTER."""
    order_id = parse_filter(text, {"orderId"}).get("orderId")
    return _id(order_id, book, text) if order_id else None


def _id(value: str, book: str, text: str) -> UUID:
    parsed = parse_scoped(value)
    if parsed is None or parsed[0] != book:
        raise _unknown_value(text)
    return parsed[1]


def _number(kind: type[IntEnum], name: str | None, text: str) -> int | None:
    if name is None:
        return None
    if name not in kind.__members__:
        raise _unknown_value(text)
    return int(kind[name])


def _uuid(value: str, text: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise _unknown_value(text) from None


def _unknown_value(text: str) -> Failure:
    metadata = {"filter": text[:100]}
    return Failure(Reason.INVALID_FILTER, "The filter has an unknown value.", metadata=metadata)
