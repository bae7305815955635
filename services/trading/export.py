"""A book's records as CSV: the columns, and how each value is written.

Amounts and prices are decimal numbers, times RFC 3339 in UTC, what is not there is empty. Nothing
in a row is free text, so no value can be taken for a formula by the program that opens the file.
"""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from io import StringIO
from typing import Final
from uuid import UUID

from services.kit.ids import scoped
from services.kit.values import Money, Price
from services.trading.book import Book, BookedOrder, OrderFilter
from services.trading.ledger import NEWEST, EntryFilter, Ledger, StatementLine
from services.trading.order import Direction, Outcome, VoidReason
from services.trading.posting import EntryKind

CONTENT_TYPE: Final = "text/csv; charset=utf-8"
_PAGE = 1_000

_ORDER_COLUMNS = (
    "order_id",
    "instrument",
    "direction",
    "currency",
    "stake",
    "payout_bp",
    "state",
    "outcome",
    "void_reason",
    "returned",
    "profit",
    "entry_price",
    "close_price",
    "open_time",
    "expire_time",
    "close_time",
    "request_id",
)
_ENTRY_COLUMNS = (
    "entry_id",
    "time",
    "kind",
    "currency",
    "amount",
    "balance",
    "order_id",
    "transfer_id",
)


async def orders(book: Book, account_id: UUID, condition: OrderFilter) -> AsyncIterator[bytes]:
    """Yield an account's orders as pieces of CSV, newest first; the first piece has the header."""
    before, header = None, True
    while True:
        page = await book.orders(account_id, condition, before, _PAGE)
        if page or header:
            yield _csv(_ORDER_COLUMNS if header else None, (_order(book.name, x) for x in page))
        if len(page) < _PAGE:
            return
        before, header = page[-1].order.order_id, False


async def entries(
    ledger: Ledger, book: str, account_id: UUID, condition: EntryFilter
) -> AsyncIterator[bytes]:
    """Yield an account's entries as pieces of CSV, newest first; the first has the header."""
    before, header = NEWEST, True
    while True:
        page = await ledger.statement(account_id, condition, before, _PAGE)
        if page or header:
            yield _csv(_ENTRY_COLUMNS if header else None, (_entry(book, line) for line in page))
        if len(page) < _PAGE:
            return
        before, header = page[-1].entry_id, False


def _csv(header: Sequence[str] | None, rows: Iterable[Sequence[object]]) -> bytes:
    text = StringIO()
    writer = csv.writer(text)
    if header:
        writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _order(book: str, item: BookedOrder) -> Sequence[object]:
    order, close = item
    returned = close and close.returned
    return (
        scoped(book, order.order_id),
        order.instrument,
        Direction(order.direction).name,
        order.currency,
        Money(order.stake, order.currency),
        order.payout_bp,
        "CLOSED" if close else "OPEN",
        Outcome(close.outcome).name if close else None,
        VoidReason(close.void_reason).name if close and close.void_reason else None,
        None if returned is None else Money(returned, order.currency),
        None if returned is None else Money(returned - order.stake, order.currency),
        Price(order.entry_price, order.price_scale),
        None
        if not close or close.close_price is None
        else Price(close.close_price, order.price_scale),
        _time(order.opened_at),
        _time(order.expires_at),
        _time(close.closed_at) if close else None,
        order.request_id,
    )


def _entry(book: str, line: StatementLine) -> Sequence[object]:
    return (
        line.entry_id,
        _time(line.time),
        EntryKind(line.kind).name,
        line.currency,
        Money(line.amount, line.currency),
        Money(line.balance, line.currency),
        scoped(book, line.order_id) if line.order_id else None,
        scoped(book, line.transfer_id),
    )


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
