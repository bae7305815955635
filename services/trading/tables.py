"""The statements that write a book, each for a whole batch, and what the writer keeps in memory.

Rows travel as one array per column. Statements that change an account name the balance they
start from, and `require` stops the transaction if it is another: the arithmetic was done on what
was read, so it must not have moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, LiteralString
from uuid import UUID

from services.kit.arrays import (
    Array,
    bigints,
    byteas,
    integers,
    smallints,
    texts,
    timestamps,
    uuids,
)
from services.kit.database import RawConnection
from services.trading.book import ACCOUNT_COLUMNS, CLOSE_COLUMNS, ORDER_COLUMNS
from services.trading.order import Order
from services.trading.terms import Terms

UPDATE_ACCOUNTS: LiteralString = """
    WITH changed AS (
        UPDATE account a SET posted = v.posted, held = v.held, open_orders = v.open_orders
        FROM unnest(%(accounts)s::uuid[], %(before)s::bigint[], %(posted)s::bigint[],
                    %(held)s::bigint[], %(open_orders)s::integer[])
             AS v (account_id, before, posted, held, open_orders)
        WHERE a.account_id = v.account_id AND a.posted = v.before
        RETURNING 1
    )
    SELECT require(count(*) = cardinality(%(accounts)s::uuid[]), 'balances moved') FROM changed
"""

INSERT_ACCOUNTS: LiteralString = """
    INSERT INTO account (account_id, user_id, currency, posted, held, state, open_orders, opened_at)
    SELECT * FROM unnest(%(account_id)s::uuid[], %(user_id)s::uuid[], %(currency)s::text[],
        %(posted)s::bigint[], %(held)s::bigint[], %(state)s::smallint[], %(open_orders)s::integer[],
        %(opened_at)s::timestamptz[])
"""

INSERT_OPEN_ORDERS: LiteralString = """
    INSERT INTO open_order (order_id, account_id, request_id, request_hash, instrument, direction,
        stake, currency, payout_bp, terms_version, price_scale, entry_number, entry_price,
        entry_time, entry_source_time, opened_at, expires_at)
    SELECT * FROM unnest(%(order_id)s::uuid[], %(account_id)s::uuid[], %(request_id)s::uuid[],
        %(request_hash)s::bytea[], %(instrument)s::text[], %(direction)s::smallint[],
        %(stake)s::bigint[], %(currency)s::text[], %(payout_bp)s::integer[],
        %(terms_version)s::bigint[], %(price_scale)s::smallint[], %(entry_number)s::bigint[],
        %(entry_price)s::bigint[], %(entry_time)s::timestamptz[],
        %(entry_source_time)s::timestamptz[], %(opened_at)s::timestamptz[],
        %(expires_at)s::timestamptz[])
"""

CLOSE_ORDERS: LiteralString = """
    WITH closing AS (
        SELECT * FROM unnest(%(order_ids)s::uuid[], %(outcome)s::smallint[],
            %(void_reason)s::smallint[], %(returned)s::bigint[], %(close_number)s::bigint[],
            %(close_price)s::bigint[], %(close_time)s::timestamptz[],
            %(close_source_time)s::timestamptz[], %(closed_at)s::timestamptz[],
            %(transfer_id)s::uuid[])
        AS v (closing_id, outcome, void_reason, returned, close_number, close_price, close_time,
              close_source_time, closed_at, transfer_id)
    ), gone AS (
        DELETE FROM open_order WHERE order_id = ANY (%(order_ids)s::uuid[]) RETURNING *
    ), closed AS (
        INSERT INTO closed_order
        SELECT gone.*, outcome, void_reason, returned, close_number, close_price, close_time,
               close_source_time, closed_at, transfer_id
        FROM gone JOIN closing ON closing_id = order_id
        RETURNING 1
    )
    SELECT require(count(*) = cardinality(%(order_ids)s::uuid[]), 'orders closed before')
    FROM closed
"""

COUNT_CLOSED: LiteralString = """
    WITH closing AS (
        SELECT * FROM unnest(%(instruments)s::text[], %(accounts)s::uuid[],
            %(outcomes)s::smallint[], %(stakes)s::bigint[], %(returned)s::bigint[])
        AS v (instrument, account_id, outcome, stake, returned)
    ), by_instrument AS (
        INSERT INTO instrument_statistics AS s
        SELECT instrument, date_trunc('minute', %(time)s::timestamptz), count(*),
               count(*) FILTER (WHERE outcome = 1), count(*) FILTER (WHERE outcome > 2),
               sum(stake), sum(returned)
        FROM closing GROUP BY instrument
        ON CONFLICT (instrument, minute) DO UPDATE SET orders = s.orders + excluded.orders,
            winners = s.winners + excluded.winners, refunds = s.refunds + excluded.refunds,
            stakes = s.stakes + excluded.stakes, returned = s.returned + excluded.returned
    ), by_account AS (
        INSERT INTO account_statistics AS s
        SELECT account_id, (%(time)s::timestamptz AT TIME ZONE 'UTC')::date, instrument, count(*),
               count(*) FILTER (WHERE outcome = 1), count(*) FILTER (WHERE outcome = 2),
               count(*) FILTER (WHERE outcome > 2), sum(stake), sum(returned)
        FROM closing GROUP BY account_id, instrument
        ON CONFLICT (account_id, day, instrument) DO UPDATE SET orders = s.orders + excluded.orders,
            winners = s.winners + excluded.winners, losers = s.losers + excluded.losers,
            refunds = s.refunds + excluded.refunds, stakes = s.stakes + excluded.stakes,
            returned = s.returned + excluded.returned
    )
    INSERT INTO book_statistics AS s
    SELECT (%(time)s::timestamptz AT TIME ZONE 'UTC')::date, count(*),
           count(*) FILTER (WHERE outcome = 1), count(*) FILTER (WHERE outcome = 2),
           count(*) FILTER (WHERE outcome > 2), sum(stake), sum(returned)
    FROM closing
    ON CONFLICT (day) DO UPDATE SET orders = s.orders + excluded.orders,
        winners = s.winners + excluded.winners, losers = s.losers + excluded.losers,
        refunds = s.refunds + excluded.refunds, stakes = s.stakes + excluded.stakes,
        returned = s.returned + excluded.returned
"""

INSERT_TRANSFERS: LiteralString = """
    INSERT INTO transfer (transfer_id, account_id, request_id, request_hash, kind, system, amount,
        currency, balance, note, time)
    SELECT * FROM unnest(%(transfer_id)s::uuid[], %(account_id)s::uuid[], %(request_id)s::uuid[],
        %(request_hash)s::bytea[], %(kind)s::smallint[], %(system)s::smallint[],
        %(amount)s::bigint[], %(currency)s::text[], %(balance)s::bigint[], %(note)s::text[],
        %(time)s::timestamptz[])
"""

INSERT_TERMS: LiteralString = """
    INSERT INTO terms (instrument, version, currency, stake_min, stake_max, duration_seconds_min,
        duration_seconds_max, expiry_grid_minutes, expiry_cutoff_seconds, payout_bp,
        payout_fixed_bp, payout_min_bp, payout_max_bp, open_orders_max, exposure_max, changed_by,
        changed_at, inputs)
    VALUES (%(instrument)s, %(version)s, %(currency)s, %(stake_min)s, %(stake_max)s,
        %(duration_seconds_min)s, %(duration_seconds_max)s, %(expiry_grid_minutes)s,
        %(expiry_cutoff_seconds)s, %(payout_bp)s, %(payout_fixed_bp)s, %(payout_min_bp)s,
        %(payout_max_bp)s, %(open_orders_max)s, %(exposure_max)s, %(changed_by)s, %(changed_at)s,
        %(inputs)s)
"""

READ_ACCOUNTS: LiteralString = f"""
    SELECT {ACCOUNT_COLUMNS} FROM account WHERE account_id = ANY (%(accounts)s::uuid[])
"""

READ_OPEN_ORDERS: LiteralString = f"""
    SELECT {ORDER_COLUMNS} FROM open_order WHERE order_id = ANY (%(orders)s::uuid[])
"""

READ_CLOSED_ORDERS: LiteralString = f"""
    SELECT {ORDER_COLUMNS}, {CLOSE_COLUMNS} FROM closed_order
    WHERE order_id = ANY (%(orders)s::uuid[])
"""

_NO_CLOSE: LiteralString = "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"
READ_BY_REQUEST: LiteralString = f"""
    WITH r AS (
        SELECT * FROM unnest(%(accounts)s::uuid[], %(requests)s::uuid[])
        AS v (account_id, request_id)
    )
    SELECT {ORDER_COLUMNS}, {CLOSE_COLUMNS} FROM closed_order JOIN r USING (account_id, request_id)
    UNION ALL
    SELECT {ORDER_COLUMNS}, {_NO_CLOSE} FROM open_order JOIN r USING (account_id, request_id)
"""

TERMS_COLUMNS = ", ".join(Terms._fields)
READ_TERMS: LiteralString = f"""
    SELECT DISTINCT ON (instrument) {TERMS_COLUMNS} FROM terms ORDER BY instrument, version DESC
"""

_READ_EXPOSURE: LiteralString = """
    SELECT instrument, direction, sum(stake * payout_bp / 10000)::bigint
    FROM open_order GROUP BY instrument, direction
"""


Encoder = Callable[[Sequence[Any]], Array]

ORDER_ENCODERS: Mapping[str, Encoder] = {
    "order_id": uuids,
    "account_id": uuids,
    "request_id": uuids,
    "request_hash": byteas,
    "instrument": texts,
    "direction": smallints,
    "stake": bigints,
    "currency": texts,
    "payout_bp": integers,
    "terms_version": bigints,
    "price_scale": smallints,
    "entry_number": bigints,
    "entry_price": bigints,
    "entry_time": timestamps,
    "entry_source_time": timestamps,
    "opened_at": timestamps,
    "expires_at": timestamps,
}
CLOSE_ENCODERS: Mapping[str, Encoder] = {
    "outcome": smallints,
    "void_reason": smallints,
    "returned": bigints,
    "close_number": bigints,
    "close_price": bigints,
    "close_time": timestamps,
    "close_source_time": timestamps,
    "closed_at": timestamps,
    "transfer_id": uuids,
}
ACCOUNT_ENCODERS: Mapping[str, Encoder] = {
    "account_id": uuids,
    "user_id": uuids,
    "currency": texts,
    "posted": bigints,
    "held": bigints,
    "state": smallints,
    "open_orders": integers,
    "opened_at": timestamps,
}
TRANSFER_ENCODERS: Mapping[str, Encoder] = {
    "transfer_id": uuids,
    "account_id": uuids,
    "request_id": uuids,
    "request_hash": byteas,
    "kind": smallints,
    "system": smallints,
    "amount": bigints,
    "currency": texts,
    "balance": bigints,
    "note": texts,
    "time": timestamps,
}


def columns(encoders: Mapping[str, Encoder], rows: Iterable[Sequence[Any]]) -> dict[str, Array]:
    """Return the parameters of a statement that takes one array per column; some rows."""
    values = zip(*rows, strict=True)
    return {
        name: encode(column)
        for (name, encode), column in zip(encoders.items(), values, strict=True)
    }


Change = tuple[UUID, int, int, int, int]
"""An account with the balance it had, and its posted, held and open orders from now on."""

_CHANGE_ENCODERS: Mapping[str, Encoder] = {
    "accounts": uuids,
    "before": bigints,
    "posted": bigints,
    "held": bigints,
    "open_orders": integers,
}


def balance_parameters(changes: Sequence[Change]) -> dict[str, Array]:
    """Return the parameters of UPDATE_ACCOUNTS."""
    return columns(_CHANGE_ENCODERS, changes)


class Exposure:
    """The profit a book would owe if every open order of a direction won, in minor units.

    Kept by the writer, who alone changes it, and only after the change was committed.
    """

    def __init__(self) -> None:
        self._owed: dict[tuple[str, int], int] = {}

    async def load(self, connection: RawConnection) -> None:
        """Sum it anew from the open orders."""
        rows = await (await connection.execute(_READ_EXPOSURE)).fetchall()
        self._owed = {(row[0], row[1]): row[2] for row in rows}

    def owed(self, at: tuple[str, int]) -> int:
        """Return what is owed at an (instrument, direction)."""
        return self._owed.get(at, 0)

    def add(self, changes: Mapping[tuple[str, int], int]) -> None:
        """Add changes that were committed; closed orders bring negative ones."""
        for at, change in changes.items():
            self._owed[at] = self._owed.get(at, 0) + change


class TermsBook:
    """The current terms of a book, kept by its writer."""

    def __init__(self) -> None:
        self._terms: dict[str, Terms] = {}

    async def load(self, connection: RawConnection) -> None:
        """Read the newest version of every instrument's terms."""
        rows = await (await connection.execute(READ_TERMS)).fetchall()
        self._terms = {row[0]: Terms(*row) for row in rows}

    def current(self, instrument: str) -> Terms | None:
        """Return an instrument's terms, if it has any in this book."""
        return self._terms.get(instrument)

    def set(self, terms: Terms) -> None:
        """Take terms that were committed."""
        self._terms[terms.instrument] = terms


def by_order(orders: Iterable[Order]) -> dict[UUID, Order]:
    """Return orders by their id."""
    return {order.order_id: order for order in orders}
