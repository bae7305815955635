"""S2: how fast orders are found and closed, among a thousand open orders and among a million."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import LiteralString

import psycopg
from pytest import MonkeyPatch  # noqa: PT013  what the tests of shape watch with

from services.trading.desk import Desk
from services.trading.order import Outcome, Tick, VoidReason
from services.trading.settling import Decision, Settled, SettleOrders, SettleStatus
from tests.bench import pgbench
from tests.bench.placing import desk_on
from tests.bench.rows import Row, side_by_side
from tests.service.statements import shape_of, watched
from tests.stores import Postgres

FEW, MANY = 1_000, 1_000_000
DUE = 5_000
CHUNK = 500
ACCOUNTS = 1_000
_FOREVER = timedelta(days=1)
_AGO = timedelta(hours=1)

_OPEN: LiteralString = """
    INSERT INTO open_order (order_id, account_id, request_id, request_hash, instrument, direction,
        stake, currency, payout_bp, terms_version, price_scale, entry_number, entry_price,
        entry_time, entry_source_time, opened_at, expires_at)
    SELECT uuidv7(), account_id, uuidv4(), decode(repeat('00', 32), 'hex'), 'BTCUSD', 1, 100, 'USD',
        8500, 1, 2, 1, 10000, now(), now(), now(), %(expires_at)s
    FROM account, generate_series(1, %(each)s)
"""
_COUNT: LiteralString = "UPDATE account SET open_orders = open_orders + %(each)s"


async def s2(postgres: Postgres, _: Path) -> Row:
    """Measure finding and closing what is due among many open orders, beside among few.

    RuntimeError when the database plans the one otherwise than the other.
    """
    async with AsyncExitStack() as stack:
        books = [await _book(stack, postgres, size) for size in (MANY, FEW)]
        among_many, among_few = [await book.plans() for book in books]
        if among_many != among_few:
            raise RuntimeError(f"other plans: {among_many} beside {among_few}")
        many, few = await side_by_side(*(book.orders_per_second for book in books))
    title = f"orders found and closed, {MANY:,} others open, beside {FEW:,}"
    return Row("S2", title, "orders/s", many, few, goal=0.75, stretch=0.9)


@dataclass
class _Book:
    """A book in which many orders stay open, while others close."""

    desk: Desk
    owner: str

    async def orders_per_second(self) -> float:
        """Measure how fast orders close."""
        await asyncio.to_thread(_open, self.owner, DUE, -_AGO)
        began = perf_counter()
        closed = await _close_due(self.desk)
        if closed != DUE:
            raise RuntimeError(f"{closed} of {DUE} orders closed")
        return closed / (perf_counter() - began)

    async def plans(self) -> list[str]:
        """Return the plans by which orders are found and closed, without their numbers."""
        await asyncio.to_thread(_open, self.owner, DUE, -_AGO)
        with watched(MonkeyPatch()) as seen:
            await _close_due(self.desk)
        return sorted({shape_of(plan) for plan in seen.plans})


async def _book(stack: AsyncExitStack, postgres: Postgres, others: int) -> _Book:
    access = stack.enter_context(postgres.database("trading_demo"))
    await asyncio.to_thread(_prepare, access.owner, others)
    return _Book(await stack.enter_async_context(desk_on(access.service)), access.owner)


async def _close_due(desk: Desk) -> int:
    """Page through what is due and close it, each page in one commit; return how many."""
    now, closed, after = datetime.now(UTC), 0, None
    tick = Tick(2, 10_001, now, now)
    while due := await desk.book.due_orders(now, after, CHUNK):
        after = due[-1].expires_at, due[-1].order_id
        decisions = [Decision(item.order_id, Outcome.WIN, VoidReason.NONE, tick) for item in due]
        settled: list[Settled] = await desk.writer.submit(SettleOrders(decisions))
        closed += sum(item.status is SettleStatus.SETTLED for item in settled)
    return closed


def _prepare(url: str, others: int) -> None:
    pgbench.prepare(url, ACCOUNTS)
    _open(url, others, _FOREVER)


def _open(url: str, orders: int, until_expiry: timedelta) -> None:
    """Open so many orders, the same number of each account."""
    parameters = {"each": orders // ACCOUNTS, "expires_at": datetime.now(UTC) + until_expiry}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_COUNT, parameters)
        connection.execute(_OPEN, parameters)
        connection.execute("VACUUM ANALYZE open_order, account")
