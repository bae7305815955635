"""The parts of the statements that write a book, and what its writer keeps in memory.

Rows travel as one array per column. What changes an account names the balance that it starts
from, and `require` stops the commit if it is another: the arithmetic was done on what was read,
so it must not have moved.
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
from services.trading.book import ACCOUNT_COLUMNS, CLOSE_COLUMNS, ORDER_COLUMNS, Account
from services.trading.statement import Part
from services.trading.terms import Terms

UPDATE_ACCOUNTS = Part(
    """
    accounts_changed AS (
        UPDATE account a SET posted = v.posted, held = v.held, open_orders = v.open_orders
        FROM unnest(%(change.account_id)s::uuid[], %(change.before)s::bigint[],
                    %(change.posted)s::bigint[], %(change.held)s::bigint[],
                    %(change.open_orders)s::integer[])
             AS v (account_id, before, posted, held, open_orders)
        WHERE a.account_id = v.account_id AND a.posted = v.before
        RETURNING 1
    )
    """,
    """require(
        (SELECT count(*) FROM accounts_changed) = cardinality(%(change.account_id)s::uuid[]),
        'balances moved'
    )""",
)

INSERT_ACCOUNTS = Part(
    """
    accounts_opened AS (
        INSERT INTO account (account_id, user_id, currency, posted, held, state, open_orders,
            opened_at)
        SELECT * FROM unnest(%(account.account_id)s::uuid[], %(account.user_id)s::uuid[],
            %(account.currency)s::text[], %(account.posted)s::bigint[], %(account.held)s::bigint[],
            %(account.state)s::smallint[], %(account.open_orders)s::integer[],
            %(account.opened_at)s::timestamptz[])
    )
    """
)

INSERT_OPEN_ORDERS = Part(
    """
    orders_opened AS (
        INSERT INTO open_order (order_id, account_id, request_id, request_hash, instrument,
            direction, stake, currency, payout_bp, terms_version, price_scale, entry_number,
            entry_price, entry_time, entry_source_time, opened_at, expires_at)
        SELECT * FROM unnest(%(order.order_id)s::uuid[], %(order.account_id)s::uuid[],
            %(order.request_id)s::uuid[], %(order.request_hash)s::bytea[],
            %(order.instrument)s::text[], %(order.direction)s::smallint[],
            %(order.stake)s::bigint[], %(order.currency)s::text[], %(order.payout_bp)s::integer[],
            %(order.terms_version)s::bigint[], %(order.price_scale)s::smallint[],
            %(order.entry_number)s::bigint[], %(order.entry_price)s::bigint[],
            %(order.entry_time)s::timestamptz[], %(order.entry_source_time)s::timestamptz[],
            %(order.opened_at)s::timestamptz[], %(order.expires_at)s::timestamptz[])
    )
    """
)

CLOSE_ORDERS = Part(
    f"""
    orders_gone AS (
        DELETE FROM open_order USING unnest(%(close.order_id)s::uuid[],
            %(close.outcome)s::smallint[], %(close.void_reason)s::smallint[],
            %(close.returned)s::bigint[], %(close.close_number)s::bigint[],
            %(close.close_price)s::bigint[], %(close.close_time)s::timestamptz[],
            %(close.close_source_time)s::timestamptz[], %(close.closed_at)s::timestamptz[],
            %(close.transfer_id)s::uuid[])
        AS v (closing_id, outcome, void_reason, returned, close_number, close_price, close_time,
              close_source_time, closed_at, transfer_id)
        WHERE order_id = closing_id
        RETURNING {ORDER_COLUMNS}, {CLOSE_COLUMNS}
    ), orders_closed AS (
        INSERT INTO closed_order ({ORDER_COLUMNS}, {CLOSE_COLUMNS})
        SELECT * FROM orders_gone RETURNING 1
    )
    """,
    """require(
        (SELECT count(*) FROM orders_closed) = cardinality(%(close.order_id)s::uuid[]),
        'orders closed before'
    )""",
)

COUNT_CLOSED = Part(
    """
    closing AS (
        SELECT * FROM unnest(%(count.instrument)s::text[], %(count.account_id)s::uuid[],
            %(count.outcome)s::smallint[], %(count.stake)s::bigint[], %(count.returned)s::bigint[])
        AS v (instrument, account_id, outcome, stake, returned)
    ), counted_by_instrument AS (
        INSERT INTO instrument_statistics AS s
        SELECT instrument, date_trunc('minute', %(count.time)s::timestamptz), count(*),
               count(*) FILTER (WHERE outcome = 1), count(*) FILTER (WHERE outcome > 2),
               sum(stake), sum(returned)
        FROM closing GROUP BY instrument
        ON CONFLICT (instrument, minute) DO UPDATE SET orders = s.orders + excluded.orders,
            winners = s.winners + excluded.winners, refunds = s.refunds + excluded.refunds,
            stakes = s.stakes + excluded.stakes, returned = s.returned + excluded.returned
    ), counted_by_account AS (
        INSERT INTO account_statistics AS s
        SELECT account_id, (%(count.time)s::timestamptz AT TIME ZONE 'UTC')::date, instrument,
               count(*),
               count(*) FILTER (WHERE outcome = 1), count(*) FILTER (WHERE outcome = 2),
               count(*) FILTER (WHERE outcome > 2), sum(stake), sum(returned)
        FROM closing GROUP BY account_id, instrument
        ON CONFLICT (account_id, day, instrument) DO UPDATE SET orders = s.orders + excluded.orders,
            winners = s.winners + excluded.winners, losers = s.losers + excluded.losers,
            refunds = s.refunds + excluded.refunds, stakes = s.stakes + excluded.stakes,
            returned = s.returned + excluded.returned
    ), counted_by_day AS (
        INSERT INTO book_statistics AS s
        SELECT (%(count.time)s::timestamptz AT TIME ZONE 'UTC')::date, count(*),
               count(*) FILTER (WHERE outcome = 1), count(*) FILTER (WHERE outcome = 2),
               count(*) FILTER (WHERE outcome > 2), sum(stake), sum(returned)
        FROM closing
        ON CONFLICT (day) DO UPDATE SET orders = s.orders + excluded.orders,
            winners = s.winners + excluded.winners, losers = s.losers + excluded.losers,
            refunds = s.refunds + excluded.refunds, stakes = s.stakes + excluded.stakes,
            returned = s.returned + excluded.returned
    )
    """
)

INSERT_TRANSFERS = Part(
    """
    transfers_made AS (
        INSERT INTO transfer (transfer_id, account_id, request_id, request_hash, kind, system,
            amount, currency, balance, note, time)
        SELECT * FROM unnest(%(transfer.transfer_id)s::uuid[], %(transfer.account_id)s::uuid[],
            %(transfer.request_id)s::uuid[], %(transfer.request_hash)s::bytea[],
            %(transfer.kind)s::smallint[], %(transfer.system)s::smallint[],
            %(transfer.amount)s::bigint[], %(transfer.currency)s::text[],
            %(transfer.balance)s::bigint[], %(transfer.note)s::text[],
            %(transfer.time)s::timestamptz[])
    )
    """
)

INSERT_TERMS = Part(
    """
    terms_set AS (
        INSERT INTO terms (instrument, version, currency, stake_min, stake_max,
            duration_seconds_min, duration_seconds_max, expiry_grid_minutes, expiry_cutoff_seconds,
            payout_bp, payout_fixed_bp, payout_min_bp, payout_max_bp, open_orders_max, exposure_max,
            changed_by, changed_at, inputs)
        VALUES (%(terms.instrument)s, %(terms.version)s, %(terms.currency)s, %(terms.stake_min)s,
            %(terms.stake_max)s, %(terms.duration_seconds_min)s, %(terms.duration_seconds_max)s,
            %(terms.expiry_grid_minutes)s, %(terms.expiry_cutoff_seconds)s, %(terms.payout_bp)s,
            %(terms.payout_fixed_bp)s, %(terms.payout_min_bp)s, %(terms.payout_max_bp)s,
            %(terms.open_orders_max)s, %(terms.exposure_max)s, %(terms.changed_by)s,
            %(terms.changed_at)s, %(terms.inputs)s)
    )
    """
)

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
    SELECT instrument, direction, sum(div(stake::numeric * payout_bp, 10000))::bigint
    FROM open_order GROUP BY instrument, direction
"""


Side = tuple[str, int]
"""An instrument and a direction."""

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
    "order_id": uuids,
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


def columns(
    table: str, encoders: Mapping[str, Encoder], rows: Iterable[Sequence[Any]]
) -> dict[str, Array]:
    """Return the parameters `table.column` of a statement, one array each; there are rows."""
    values = zip(*rows, strict=True)
    return {
        f"{table}.{name}": encode(column)
        for (name, encode), column in zip(encoders.items(), values, strict=True)
    }


Change = tuple[UUID, int, int, int, int]
"""An account with the balance it had, and its posted, held and open orders from now on."""

_CHANGE_ENCODERS: Mapping[str, Encoder] = {
    "account_id": uuids,
    "before": bigints,
    "posted": bigints,
    "held": bigints,
    "open_orders": integers,
}


def change(before: Account, after: Account) -> Change:
    """Return what becomes of an account."""
    return after.account_id, before.posted, after.posted, after.held, after.open_orders


def balance_parameters(changes: Sequence[Change]) -> dict[str, Array]:
    """Return the parameters of UPDATE_ACCOUNTS."""
    return columns("change", _CHANGE_ENCODERS, changes)


class Exposure:
    """The profit a book would owe if every open order of a direction won, in minor units.

    Kept by the writer, who alone changes it, and only after the change was committed.
    """

    def __init__(self) -> None:
        self._owed: dict[Side, int] = {}

    async def load(self, connection: RawConnection) -> None:
        """Sum it anew from the open orders."""
        rows = await (await connection.execute(_READ_EXPOSURE)).fetchall()
        self._owed = {(row[0], row[1]): row[2] for row in rows}

    def owed(self, side: Side) -> int:
        """Return what is owed on a side."""
        return self._owed.get(side, 0)

    def set(self, owed: Mapping[Side, int]) -> None:
        """Take what is owed on these sides from a commit on."""
        self._owed.update(owed)


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
