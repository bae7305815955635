"""A book's tables: orders and accounts, as they are read outside the writer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from sqlalchemy import text

from services.kit.database import Database
from services.trading.order import Close, Order

ORDER_COLUMNS = ", ".join(Order._fields)
CLOSE_COLUMNS = ", ".join(Close._fields)
_NO_CLOSE = ", ".join("NULL" for _ in Close._fields)


class Account(NamedTuple):
    """An account as it stands. The fields are the columns of `account`."""

    account_id: UUID
    user_id: UUID
    currency: str
    posted: int
    held: int
    state: int
    open_orders: int
    opened_at: datetime

    @property
    def available(self) -> int:
        """What may be spent, in minor units."""
        return self.posted - self.held


ACCOUNT_COLUMNS = ", ".join(Account._fields)


class BookedOrder(NamedTuple):
    """An order, with how it closed if it has."""

    order: Order
    close: Close | None


class DueOrder(NamedTuple):
    """What settlement needs to decide an order."""

    order_id: UUID
    instrument: str
    direction: int
    entry_price: int
    expires_at: datetime


class OrderFilter(NamedTuple):
    """Which of an account's orders are listed; None is no condition."""

    is_open: bool | None = None
    instrument: str | None = None
    outcome: int | None = None
    request_id: UUID | None = None
    start: datetime | None = None
    """Opened at or after it."""

    end: datetime | None = None
    """Opened before it."""


def booked(row: Iterable[Any]) -> BookedOrder:
    """Return the order in a row of ORDER_COLUMNS and CLOSE_COLUMNS."""
    values = tuple(row)
    width = len(Order._fields)
    close = None if values[width] is None else Close(*values[width:])
    return BookedOrder(Order(*values[:width]), close)


# An open order has no outcome, so asking for one leaves only closed orders.
_ORDERS = f"""
    SELECT {ORDER_COLUMNS}, {_NO_CLOSE} FROM open_order
    WHERE {{where}} AND :is_open IS NOT FALSE AND CAST(:outcome AS smallint) IS NULL
    UNION ALL
    SELECT {ORDER_COLUMNS}, {CLOSE_COLUMNS} FROM closed_order
    WHERE {{where}} AND :is_open IS NOT TRUE
      AND (CAST(:outcome AS smallint) IS NULL OR outcome = :outcome)
"""
_GET_ORDER = f"""
    SELECT {ORDER_COLUMNS}, {_NO_CLOSE} FROM open_order
    WHERE order_id = :order_id AND account_id = :account_id
    UNION ALL
    SELECT {ORDER_COLUMNS}, {CLOSE_COLUMNS} FROM closed_order
    WHERE order_id = :order_id AND account_id = :account_id
"""
_DUE: LiteralString = f"""
    SELECT {", ".join(DueOrder._fields)} FROM open_order
    WHERE expires_at <= %(until)s {{beyond}} ORDER BY expires_at, order_id LIMIT %(limit)s
"""
_BEYOND: LiteralString = "AND (expires_at, order_id) > (%(expires_at)s, %(order_id)s)"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_ID_SLACK_MILLISECONDS = 60_000
"""An order's id tells when it was made, which is within this of when the order opened: no order is
accepted while the clocks differ by more than 250 ms, nor on a decision older than 500 ms."""


class Book:
    """Reads one book. Changes go through its writer."""

    def __init__(self, name: str, database: Database) -> None:
        """Read the book of this name in this database."""
        self.name = name
        self.database = database

    async def accounts_of(self, user_id: UUID) -> list[Account]:
        """Return a user's accounts, oldest first."""
        query = (
            f"SELECT {ACCOUNT_COLUMNS} FROM account WHERE user_id = :user_id ORDER BY account_id"
        )
        return [Account(*row) for row in await self._rows(query, user_id=user_id)]

    async def account(self, account_id: UUID) -> Account | None:
        """Return an account, whoever's it is."""
        query = f"SELECT {ACCOUNT_COLUMNS} FROM account WHERE account_id = :account_id"
        rows = await self._rows(query, account_id=account_id)
        return Account(*rows[0]) if rows else None

    async def order(self, account_id: UUID, order_id: UUID) -> BookedOrder | None:
        """Return one order of an account, open or closed."""
        rows = await self._rows(_GET_ORDER, account_id=account_id, order_id=order_id)
        return booked(rows[0]) if rows else None

    async def orders(
        self, account_id: UUID, condition: OrderFilter, before: UUID | None, limit: int
    ) -> list[BookedOrder]:
        """Return an account's orders, newest first, those older than the order `before`.

        Both halves walk an index by (account, order id) and stop at the limit.
        """
        halves = _ORDERS.format(where=_where(condition, before)).split("UNION ALL")
        ordered = " UNION ALL ".join(
            f"({half} ORDER BY order_id DESC LIMIT :limit)" for half in halves
        )
        rows = await self._rows(
            f"SELECT * FROM ({ordered}) both_halves ORDER BY order_id DESC LIMIT :limit",
            account_id=account_id,
            before=before,
            limit=limit,
            **condition._asdict(),
            **_id_bounds(condition),
        )
        return [booked(row) for row in rows]

    async def due_orders(
        self, until: datetime, after: tuple[datetime, UUID] | None, limit: int
    ) -> list[DueOrder]:
        """Return open orders that expire at or before a moment, by expiry and id, after a key."""
        expires_at, order_id = after or (None, None)
        parameters = {
            "until": until,
            "expires_at": expires_at,
            "order_id": order_id,
            "limit": limit,
        }
        rows = await self.database.fetch(_DUE.format(beyond=_BEYOND if after else ""), parameters)
        return list(map(DueOrder._make, rows))

    async def _rows(self, query: str, **parameters: object) -> list[Any]:
        async with self.database.connection() as connection:
            return list((await connection.execute(text(query), parameters)).fetchall())


def _where(condition: OrderFilter, before: UUID | None) -> str:
    clauses = ["account_id = :account_id"]
    if before is not None:
        clauses.append("order_id < :before")
    if condition.instrument is not None:
        clauses.append("instrument = :instrument")
    if condition.request_id is not None:
        clauses.append("request_id = :request_id")
    # The ids keep the walk along the index short, the moments are what was asked for.
    if condition.start is not None:
        clauses.append("opened_at >= :start AND order_id >= :first_id")
    if condition.end is not None:
        clauses.append("opened_at < :end AND order_id < :end_id")
    return " AND ".join(clauses)


def _id_bounds(condition: OrderFilter) -> dict[str, UUID]:
    bounds = {}
    if condition.start is not None:
        bounds["first_id"] = _id_at(condition.start, -_ID_SLACK_MILLISECONDS)
    if condition.end is not None:
        bounds["end_id"] = _id_at(condition.end, _ID_SLACK_MILLISECONDS)
    return bounds


def _id_at(moment: datetime, shift_milliseconds: int) -> UUID:
    """Return what sorts before every UUIDv7 made at or after a moment, shifted."""
    milliseconds = (moment - _EPOCH) // _MILLISECOND + shift_milliseconds
    return UUID(int=max(milliseconds, 0) << 80)
