"""P1 and P2: the rate of durable orders, in process and over gRPC."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from uuid import UUID, uuid4

import grpc
import psycopg

from services.kit.clock import SystemClock
from services.kit.database import Database
from services.kit.ids import scoped, uuid7
from services.kit.tokens import Keyring
from services.kit.values import Money
from services.local.keys import ensure_keys
from services.trading.desk import BookRules, Desk
from services.trading.order import Direction, OrderRequest
from tests.bench import pgbench
from tests.bench.market import UNLIMITED, LiveMarket
from tests.bench.rows import Row, side_by_side
from tests.bench.trading_server import ECHO
from tests.service.trading_fixtures import SYMBOL, leading
from tests.stores import Postgres
from veritick.trading.v1.order_pb2 import UP
from veritick.trading.v1.order_service_pb2 import PlaceOrderRequest
from veritick.trading.v1.order_service_pb2_grpc import OrderServiceStub
from veritick.type.v1.money_pb2 import Money as MoneyMessage

ACCOUNTS = 1_000
CALLERS = 64
SECONDS = 4
Accounts = list[tuple[UUID, UUID]]
"""(account, user)."""


async def p1(postgres: Postgres, folder: Path) -> Row:
    """Measure the group commit in process beside pgbench."""
    with postgres.database("trading_demo") as ours, postgres.database("trading_demo") as theirs:
        accounts = await asyncio.to_thread(_prepared, ours.owner)
        await asyncio.to_thread(_prepared, theirs.owner)
        async with _desk(ours.service) as desk:

            async def place(number: int, turn: int) -> None:
                account_id, user_id = accounts[(turn * CALLERS + number) % ACCOUNTS]
                await desk.writer.submit(_request(account_id, user_id))

            left, right = await side_by_side(
                lambda: _rate(place),
                lambda: pgbench.orders_per_second(theirs.owner, folder, ACCOUNTS),
            )
    title = "group commit, 64 callers, beside one order per commit by pgbench"
    return Row("P1", title, "orders/s", left, right, goal=1.5)


async def p2(postgres: Postgres, folder: Path) -> Row:
    """Measure PlaceOrder over gRPC beside the roofline of a bare echo and pgbench in sequence."""
    keys = folder / "keys"
    ensure_keys(keys)
    with postgres.database("trading_demo") as ours, postgres.database("trading_demo") as theirs:
        accounts = await asyncio.to_thread(_prepared, ours.owner)
        await asyncio.to_thread(_prepared, theirs.owner)
        async with _server("book", ours.service, str(keys)) as book, _server("echo") as bare:
            place = _placing(book, Keyring.load(keys, "identity"), accounts)
            echo = _echoing(bare, accounts)

            async def roofline() -> float:
                commits = await pgbench.orders_per_second(theirs.owner, folder, ACCOUNTS)
                return 1 / (1 / await _rate(echo) + 1 / commits)

            left, right = await side_by_side(lambda: _rate(place), roofline)
    title = "PlaceOrder over gRPC, 64 in flight, beside 1/(1/echo + 1/pgbench)"
    return Row("P2", title, "orders/s", left, right, goal=0.7)


async def _rate(call: Callable[[int, int], Awaitable[object]]) -> float:
    """Call from 64 callers for some seconds and return how many calls a second were answered."""
    ends = perf_counter() + SECONDS

    async def caller(number: int) -> int:
        turn = 0
        while perf_counter() < ends:
            await call(number, turn)
            turn += 1
        return turn

    return sum(await asyncio.gather(*(caller(number) for number in range(CALLERS)))) / SECONDS


def _request(account_id: UUID, user_id: UUID) -> OrderRequest:
    return OrderRequest(
        account_id=account_id,
        user_id=user_id,
        request_id=uuid4(),
        instrument=SYMBOL,
        direction=Direction.UP,
        stake=Money(100, "USD"),
        duration_seconds=3_600,
    )


def _message(account_id: UUID) -> PlaceOrderRequest:
    return PlaceOrderRequest(
        account_id=scoped("demo", account_id),
        request_id=str(uuid4()),
        instrument=SYMBOL,
        direction=UP,
        stake=MoneyMessage(currency_code="USD", minor_units=100),
        duration_seconds=3_600,
    )


def _placing(
    channel: grpc.aio.Channel, keyring: Keyring, accounts: Accounts
) -> Callable[[int, int], Awaitable[object]]:
    stub = OrderServiceStub(channel)
    now = SystemClock().now()
    tokens = {
        user_id: keyring.sign(
            {"sub": str(user_id), "aud": "veritick", "perm": []}, timedelta(hours=1), now
        )
        for _, user_id in accounts
    }

    async def place(number: int, turn: int) -> object:
        account_id, user_id = accounts[(turn * CALLERS + number) % ACCOUNTS]
        metadata = (("authorization", f"Bearer {tokens[user_id]}"),)
        return await stub.PlaceOrder(_message(account_id), metadata=metadata)

    return place


def _echoing(
    channel: grpc.aio.Channel, accounts: Accounts
) -> Callable[[int, int], Awaitable[object]]:
    call: Callable[..., Awaitable[bytes]] = channel.unary_unary(ECHO)
    message = _message(accounts[0][0]).SerializeToString()
    metadata = (("authorization", f"Bearer {'x' * 400}"),)

    async def echo(_: int, __: int) -> object:
        return await call(message, metadata=metadata)

    return echo


@asynccontextmanager
async def _desk(dsn: str) -> AsyncIterator[Desk]:
    market = LiveMarket()
    ticking = asyncio.create_task(market.run())
    async with Database(dsn, name="demo") as database:
        rules = BookRules("DEMO", "USD", 0, UNLIMITED)
        desk = Desk("demo", rules, database, market.view, market.clock, uuid7)
        async with leading(desk):
            yield desk
    ticking.cancel()


@asynccontextmanager
async def _server(*arguments: str) -> AsyncIterator[grpc.aio.Channel]:
    """Run a server process and lend a channel to it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.trading_server", *arguments),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        address = await _address(process.stdout)
        drain = asyncio.create_task(_drain(process.stdout))
        async with grpc.aio.insecure_channel(address) as channel:
            yield channel
        drain.cancel()
    finally:
        process.kill()
        await process.wait()


async def _address(output: asyncio.StreamReader) -> str:
    while line := (await output.readline()).decode().strip():
        if line.startswith("127.0.0.1:"):
            return line
    raise RuntimeError("the server ended before it served")


async def _drain(output: asyncio.StreamReader) -> None:
    while await output.readline():
        pass


def _prepared(url: str) -> Accounts:
    """Give a book its accounts, as its owner, and return them."""
    pgbench.prepare(url, ACCOUNTS)
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT account_id, user_id FROM account").fetchall()
    return [(row[0], row[1]) for row in rows]
