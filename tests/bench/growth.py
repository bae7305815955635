"""G1 to G7: what an operation costs while something grows by three decades."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from uuid import UUID, uuid4

import psycopg

from services.kit.values import Money
from services.quotes.seed import seed_instruments
from services.trading.book import OrderFilter
from services.trading.desk import Desk
from services.trading.order import Direction, OrderRequest
from tests.bench import pgbench
from tests.bench.crowd import crowd
from tests.bench.ingesting import Firehose, ingesting, prepare_days
from tests.bench.placing import desk_on
from tests.bench.rows import Growth, Measure, growing, repeated
from tests.bench.stage import stage
from tests.stores import Postgres

SIZES = (100, 1_000, 10_000, 100_000)
SYMBOLS = (1, 10, 100, 1_000)
CONNECTIONS = (4, 40, 400, 4_000)
FEW_ACCOUNTS = 100
CALLERS, ORDERS_EACH = 64, 4
READS = 100
DUE = 100
PAGE = 50
TICKS = 20_000
SETTLEMENTS = 100
_MICROSECONDS = 1_000_000
_SYMBOL = "BTCUSD"

# What is there already is of another instrument, so that a round can be taken back.
_OPEN = """
    INSERT INTO open_order (order_id, account_id, request_id, request_hash, instrument, direction,
        stake, currency, payout_bp, terms_version, price_scale, entry_number, entry_price,
        entry_time, entry_source_time, opened_at, expires_at)
    SELECT uuidv7(),
        ('00000000-0000-7000-8000-' || lpad((1 + n %% %(accounts)s)::text, 12, '0'))::uuid,
        uuidv4(), decode(repeat('00', 32), 'hex'), 'ETHUSD', 1, 100, 'USD', 8500, 1, 2, 1, 10000,
        now(), now(), now(), now() + %(after)s
    FROM generate_series(1, %(orders)s) n
"""
_CLOSE = """
    WITH closed AS (DELETE FROM open_order WHERE instrument = 'ETHUSD' RETURNING *)
    INSERT INTO closed_order
    SELECT closed.*, 2, 0, 0, 1, 10000, now(), now(), now(), uuidv7() FROM closed
"""
_TAKE_BACK = f"DELETE FROM open_order WHERE instrument = '{_SYMBOL}'"

Prepare = Callable[[str, int], None]
"""Makes a book, whose owner's DSN is given, hold so many of something."""


async def g1(postgres: Postgres, _: Path) -> Growth:
    """Measure placing while more orders are open."""
    costs = await _in_books(postgres, _with_open_orders, _placing)
    return Growth("G1", "placing an order, by open orders", "µs", SIZES, costs)


async def g2(postgres: Postgres, _: Path) -> Growth:
    """Measure placing while there is more history."""
    costs = await _in_books(postgres, _with_history, _placing)
    return Growth("G2", "placing an order, by closed orders", "µs", SIZES, costs)


async def g3(postgres: Postgres, _: Path) -> Growth:
    """Measure placing while there are more accounts, from all of them."""
    costs = await _in_books(postgres, pgbench.prepare, _placing)
    return Growth("G3", "placing an order, by accounts", "µs", SIZES, costs)


async def g4(postgres: Postgres, _: Path) -> Growth:
    """Measure finding the orders that are due while more others are open."""
    costs = await _in_books(postgres, _with_due_orders, _finding)
    return Growth("G4", f"finding {DUE} due orders, by open orders", "µs", SIZES, costs)


async def g5(postgres: Postgres, _: Path) -> Growth:
    """Measure reading a page of an account's history while that is longer."""
    costs = await _in_books(postgres, _with_history_of_one, _reading)
    return Growth(
        "G5", f"a page of {PAGE} of an account's orders, by their number", "µs", SIZES, costs
    )


async def g6(postgres: Postgres, _: Path) -> Growth:
    """Measure ingesting a tick while there are more symbols."""
    costs = []
    for symbols in SYMBOLS:
        model = seed_instruments()[0]
        definitions = [
            replace(model, symbol=f"S{number}", feed_symbol=f"S{number}")
            for number in range(symbols)
        ]
        with postgres.database("quotes") as access:
            await prepare_days(access.owner)
            async with ingesting(access.service, definitions) as feed:

                async def cost(feed: Firehose = feed) -> float:
                    return _MICROSECONDS / await feed.ticks_per_second(TICKS)

                costs.append(await repeated(cost))
    return Growth("G6", "ingesting a tick, by symbols", "µs", SYMBOLS, costs)


async def g7(_: Postgres, folder: Path) -> Growth:
    """Measure delivering an event of four accounts while more others are connected."""
    costs = []
    async with stage(folder) as staged, crowd(staged.edge.address, 0) as readers:
        for number in CONNECTIONS:
            new = await readers.grow(staged.edge.address, number - len(readers.readers))
            await staged.seat(readers, new)
            followed = staged.channels[: CONNECTIONS[0]]

            async def cost(followed: Sequence[str] = followed) -> float:
                commands = staged.settlements(SETTLEMENTS, followed)
                events = 2 * SETTLEMENTS * len(followed)
                aim, began = readers.events + events, perf_counter()
                await staged.command(commands)
                await readers.until_heard(aim)
                return (perf_counter() - began) / events * _MICROSECONDS

            costs.append(await repeated(cost))
    return Growth("G7", "delivering an event, by connections", "µs", CONNECTIONS, costs)


# ---- books


async def _in_books(
    postgres: Postgres, prepare: Prepare, measure: Callable[[Desk, str, int], Measure]
) -> list[list[float]]:
    """Measure in turn in books of every size."""
    async with AsyncExitStack() as stack:
        measures = []
        for size in SIZES:
            access = stack.enter_context(postgres.database("trading_demo"))
            await asyncio.to_thread(prepare, access.owner, size)
            await asyncio.to_thread(_execute, access.owner, "VACUUM ANALYZE")
            desk = await stack.enter_async_context(desk_on(access.service))
            measures.append(measure(desk, access.owner, size))
        return await growing(SIZES, measures)


def _placing(desk: Desk, url: str, size: int) -> Measure:
    accounts = _accounts(url)

    async def caller(number: int) -> None:
        for turn in range(ORDERS_EACH):
            place = (turn * CALLERS + number) * 7_919 % len(accounts)
            await desk.writer.submit(_request(*accounts[place]))

    async def cost() -> float:
        began = perf_counter()
        await asyncio.gather(*(caller(number) for number in range(CALLERS)))
        passed = perf_counter() - began
        await asyncio.to_thread(_execute, url, _TAKE_BACK)
        return passed / (CALLERS * ORDERS_EACH) * _MICROSECONDS

    return cost


def _finding(desk: Desk, url: str, size: int) -> Measure:
    async def find() -> int:
        return len(await desk.book.due_orders(datetime.now(UTC), None, DUE))

    return _reads(find, DUE)


def _reading(desk: Desk, url: str, size: int) -> Measure:
    account_id, _ = _accounts(url)[0]

    async def read() -> int:
        return len(await desk.book.orders(account_id, OrderFilter(), None, PAGE))

    return _reads(read, PAGE)


def _reads(read: Callable[[], Awaitable[int]], expected: int) -> Measure:
    async def cost() -> float:
        began = perf_counter()
        for _ in range(READS):
            if await read() != expected:
                raise RuntimeError("another number of orders was read")
        return (perf_counter() - began) / READS * _MICROSECONDS

    return cost


def _with_open_orders(url: str, orders: int) -> None:
    pgbench.prepare(url, FEW_ACCOUNTS)
    _open(url, orders, FEW_ACCOUNTS, timedelta(hours=1))


def _with_history(url: str, orders: int) -> None:
    _with_open_orders(url, orders)
    _execute(url, _CLOSE)


def _with_history_of_one(url: str, orders: int) -> None:
    pgbench.prepare(url, 1)
    _open(url, orders, 1, timedelta(hours=1))
    _execute(url, _CLOSE)


def _with_due_orders(url: str, orders: int) -> None:
    _with_open_orders(url, orders)
    _open(url, DUE, FEW_ACCOUNTS, timedelta(hours=-1))


def _open(url: str, orders: int, accounts: int, after: timedelta) -> None:
    parameters = {"orders": orders, "accounts": accounts, "after": after}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_OPEN, parameters)


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def _accounts(url: str) -> list[tuple[UUID, UUID]]:
    with psycopg.connect(url) as connection:
        query = "SELECT account_id, user_id FROM account ORDER BY account_id"
        return [(row[0], row[1]) for row in connection.execute(query)]


def _request(account_id: UUID, user_id: UUID) -> OrderRequest:
    return OrderRequest(
        account_id=account_id,
        user_id=user_id,
        request_id=uuid4(),
        instrument=_SYMBOL,
        direction=Direction.UP,
        stake=Money(100, "USD"),
        duration_seconds=3_600,
    )
