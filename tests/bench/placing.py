"""P1 to P5: the rate of durable orders, in process and over gRPC, and of calls with no order."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
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
from tests.bench.rows import Measure, Row, side_by_side
from tests.bench.trading_server import ECHO
from tests.service.trading_fixtures import SYMBOL, leading
from tests.stores import Postgres
from veritick.trading.v1.order_pb2 import UP
from veritick.trading.v1.order_service_pb2 import PlaceOrderRequest, PlaceOrdersRequest
from veritick.trading.v1.order_service_pb2_grpc import OrderServiceStub
from veritick.type.v1.money_pb2 import Money as MoneyMessage

ACCOUNTS = 1_000
CALLERS = 64
SECONDS = 4
BULK, BULK_CALLERS = 100, 4
INSTRUMENTS = 50
PLACE_ORDER = "/veritick.trading.v1.OrderService/PlaceOrder"
Accounts = list[tuple[UUID, UUID]]
"""(account, user)."""


async def p1(postgres: Postgres, folder: Path) -> Row:
    """Measure the group commit in process beside pgbench."""
    with postgres.database("trading_demo") as ours, postgres.database("trading_demo") as theirs:
        accounts = await asyncio.to_thread(_prepared, ours.owner)
        await asyncio.to_thread(_prepared, theirs.owner)
        async with desk_on(ours.service) as desk:

            async def place(number: int, turn: int) -> None:
                account_id, user_id = accounts[(turn * CALLERS + number) % ACCOUNTS]
                await desk.writer.submit(_request(account_id, user_id))

            left, right = await side_by_side(
                lambda: _rate(place),
                lambda: pgbench.orders_per_second(theirs.owner, folder, ACCOUNTS),
            )
    title = "group commit, 64 callers, beside one order per commit by pgbench"
    return Row("P1", title, "orders/s", left, right, goal=1.5, stretch=3)


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
    return Row("P2", title, "orders/s", left, right, goal=0.7, stretch=0.9)


async def p3(_: Postgres, folder: Path) -> Row:
    """Measure a call that is authenticated and validated and does nothing, beside a bare echo."""
    keys = folder / "keys"
    ensure_keys(keys)
    async with _server("answer", str(keys)) as guarded, _server("echo") as bare:
        token = _token(Keyring.load(keys, "identity"), uuid4())
        metadata = (("authorization", f"Bearer {token}"),)
        message = _message(uuid4()).SerializeToString()

        def calling(channel: grpc.aio.Channel, path: str) -> Measure:
            call: Callable[..., Awaitable[bytes]] = channel.unary_unary(path)
            return lambda: _rate(lambda _, __: call(message, metadata=metadata))

        left, right = await side_by_side(calling(guarded, PLACE_ORDER), calling(bare, ECHO))
    title = "an authenticated, validated call that does nothing, beside a bare echo"
    return Row("P3", title, "calls/s", left, right, goal=0.65, stretch=0.8)


async def p4(postgres: Postgres, folder: Path) -> Row:
    """Measure PlaceOrders, a hundred orders in each call, beside pgbench."""
    keys = folder / "keys"
    ensure_keys(keys)
    with postgres.database("trading_demo") as ours, postgres.database("trading_demo") as theirs:
        accounts = await asyncio.to_thread(_prepared, ours.owner)
        await asyncio.to_thread(_prepared, theirs.owner)
        async with _server("book", ours.service, str(keys)) as book:
            place = _placing_many(book, Keyring.load(keys, "identity"), accounts)

            async def orders_per_second() -> float:
                return BULK * await _rate(place, callers=BULK_CALLERS)

            left, right = await side_by_side(
                orders_per_second,
                lambda: pgbench.orders_per_second(theirs.owner, folder, ACCOUNTS),
            )
    title = f"PlaceOrders, {BULK} in a call, beside one order per commit by pgbench"
    return Row("P4", title, "orders/s", left, right, goal=1.5, stretch=3)


async def p5(postgres: Postgres, folder: Path) -> list[Row]:
    """Measure what everybody wants at once: one instrument, then one account."""
    symbols = [f"S{number:02}USD" for number in range(INSTRUMENTS)]
    with postgres.database("trading_demo") as ours, postgres.database("trading_demo") as theirs:
        accounts = await asyncio.to_thread(_prepared, ours.owner)
        await asyncio.to_thread(_prepared, theirs.owner)
        async with desk_on(ours.service, *symbols) as desk:

            def placing(accounts: Accounts, symbols: Sequence[str]) -> Measure:
                async def place(number: int, turn: int) -> None:
                    nth = turn * CALLERS + number
                    request = _request(*accounts[nth % len(accounts)])
                    request = request._replace(instrument=symbols[nth % len(symbols)])
                    await desk.writer.submit(request)

                return lambda: _rate(place)

            one, fifty = await side_by_side(
                placing(accounts, symbols[:1]), placing(accounts, symbols)
            )
            single, row = await side_by_side(
                placing(accounts[:1], symbols),
                lambda: pgbench.hot_row_updates_per_second(theirs.owner, folder),
            )
    instrument = f"group commit, all on one instrument, beside spread over {INSTRUMENTS}"
    account = "group commit, all from one account, beside updates of one row by pgbench"
    return [
        Row("P5a", instrument, "orders/s", one, fifty, goal=0.9),
        Row("P5b", account, "orders/s", single, row, goal=2),
    ]


async def _rate(call: Callable[[int, int], Awaitable[object]], callers: int = CALLERS) -> float:
    """Call from many callers for some seconds and return how many calls a second were answered."""
    ends = perf_counter() + SECONDS

    async def caller(number: int) -> int:
        turn = 0
        while perf_counter() < ends:
            await call(number, turn)
            turn += 1
        return turn

    return sum(await asyncio.gather(*(caller(number) for number in range(callers)))) / SECONDS


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
    tokens = {user_id: _token(keyring, user_id) for _, user_id in accounts}

    async def place(number: int, turn: int) -> object:
        account_id, user_id = accounts[(turn * CALLERS + number) % ACCOUNTS]
        metadata = (("authorization", f"Bearer {tokens[user_id]}"),)
        return await stub.PlaceOrder(_message(account_id), metadata=metadata)

    return place


def _placing_many(
    channel: grpc.aio.Channel, keyring: Keyring, accounts: Accounts
) -> Callable[[int, int], Awaitable[object]]:
    stub = OrderServiceStub(channel)
    tokens = {user_id: _token(keyring, user_id) for _, user_id in accounts}

    async def place(number: int, turn: int) -> None:
        account_id, user_id = accounts[(turn * BULK_CALLERS + number) % ACCOUNTS]
        request = PlaceOrdersRequest(orders=[_message(account_id) for _ in range(BULK)])
        metadata = (("authorization", f"Bearer {tokens[user_id]}"),)
        response = await stub.PlaceOrders(request, metadata=metadata)
        if not all(result.HasField("placed") for result in response.results):
            raise RuntimeError(f"refused: {response.results[0]}")

    return place


def _token(keyring: Keyring, user_id: UUID) -> str:
    claims = {"sub": str(user_id), "aud": "veritick", "perm": []}
    return keyring.sign(claims, timedelta(hours=1), SystemClock().now())


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
async def desk_on(dsn: str, *symbols: str) -> AsyncIterator[Desk]:
    """Lend a desk that leads the book in this database, on a live market."""
    market = LiveMarket(*symbols)
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
