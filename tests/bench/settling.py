"""S1 and S3: ten thousand orders that expire in the same second, on the whole platform."""

from __future__ import annotations

import asyncio
import math
import random
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import grpc
import psycopg
from redis.asyncio import Redis

from services.kit.channels import Channels
from services.kit.clock import SystemClock
from services.kit.stream import stream_key
from services.kit.tokens import Keyring
from services.local.home import Home
from services.local.postgres import embedded_binaries
from services.local.valkey import Valkey, embedded_server
from tests.bench import pgbench
from tests.bench.rows import Row, side_by_side
from tests.platform import Platform, running_platform
from tests.stores import Postgres
from veritick.trading.v1.account_service_pb2 import OpenAccountsRequest
from veritick.trading.v1.account_service_pb2_grpc import AccountServiceStub
from veritick.trading.v1.order_pb2 import DOWN, UP
from veritick.trading.v1.order_service_pb2 import PlaceOrderRequest, PlaceOrderResponse
from veritick.trading.v1.order_service_pb2_grpc import OrderServiceStub
from veritick.type.v1.money_pb2 import Money

if TYPE_CHECKING:
    from veritick.trading.v1.order_service_pb2_grpc import OrderServiceAsyncStub

ORDERS = 10_000
USERS = 100
IN_FLIGHT = 64
LEAD_SECONDS = 25
QUIET_SECONDS = 4
WARM_SECONDS = 1
LATER_SECONDS = 3_600
SYMBOLS = ("BTCUSD", "ETHUSD", "SOLUSD")
UNLIMITED = {
    "VERITICK_BOOKS__DEMO__OPEN_ORDERS_MAX": "1000000",
    "VERITICK_BOOKS__DEMO__EXPOSURE_MAX_MINOR_UNITS": str(10**15),
}
_PATIENCE_SECONDS = 60
_ATTEMPTS = 10
_PASSING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.FAILED_PRECONDITION)
"""A book that changes hands, and a market whose first tick has not come yet."""


# What the writer does for each chunk, in one piece: every amount computed in SQL.
SETTLE = """
\\timing on
BEGIN;
CREATE TEMP TABLE decided ON COMMIT DROP AS
SELECT o.*, CASE WHEN entry_price % 2 = 0 THEN 1 ELSE 2 END::smallint AS outcome,
       uuidv7() AS transfer_id
FROM open_order o WHERE expires_at <= now() + interval '2 hours';
ALTER TABLE decided ADD COLUMN returned bigint;
UPDATE decided SET returned =
    CASE outcome WHEN 1 THEN stake + stake * payout_bp / 10000 ELSE 0 END;
DELETE FROM open_order WHERE order_id IN (SELECT order_id FROM decided);
INSERT INTO closed_order
SELECT order_id, account_id, request_id, request_hash, instrument, direction, stake, currency,
       payout_bp, terms_version, price_scale, entry_number, entry_price, entry_time,
       entry_source_time, opened_at, expires_at, outcome, 0, returned, 1, 10001, now(), now(),
       now(), transfer_id
FROM decided;
UPDATE account a SET posted = posted + won.returned, open_orders = open_orders - won.orders
FROM (SELECT account_id, sum(returned) AS returned, count(*) AS orders
      FROM decided GROUP BY account_id) won
WHERE a.account_id = won.account_id;
INSERT INTO entry (entry_id, seal_id, transfer_id, kind, account_id, contra_account_id, amount,
    currency, balance, order_id, time)
SELECT nextval('bench_position'), 0, moved.* FROM (
SELECT transfer_id, 7, '00000000-0000-0000-0000-000000000002'::uuid,
       '00000000-0000-0000-0000-000000000001'::uuid, stake, currency, NULL::numeric, order_id, now()
FROM decided WHERE outcome = 2
UNION ALL
SELECT transfer_id, 8, '00000000-0000-0000-0000-000000000001'::uuid,
       '00000000-0000-0000-0000-000000000002'::uuid, returned - stake, currency, NULL, order_id,
       now()
FROM decided WHERE outcome = 1
UNION ALL
SELECT transfer_id, 4, account_id, '00000000-0000-0000-0000-000000000001'::uuid, returned, currency,
       1000000000 + sum(returned) OVER (PARTITION BY account_id ORDER BY order_id), order_id, now()
FROM decided WHERE outcome = 1) moved;
INSERT INTO book_statistics AS s
SELECT current_date, count(*), count(*) FILTER (WHERE outcome = 1),
       count(*) FILTER (WHERE outcome = 2), 0, sum(stake), sum(returned)
FROM decided
ON CONFLICT (day) DO UPDATE SET orders = s.orders + excluded.orders;
INSERT INTO journal (position, subject, sequence, type, payload, time)
SELECT nextval('bench_position'), concat('account', chr(58), 'demo_', account_id),
       nextval('bench_position'), type, decode(repeat('00', bytes), 'hex'), now()
FROM (
SELECT account_id, 'order.settled.v1' AS type, 330 AS bytes FROM decided
UNION ALL
SELECT DISTINCT account_id, 'balance.changed.v1', 130 FROM decided) told;
COMMIT;
"""
OPEN = """
INSERT INTO open_order (order_id, account_id, request_id, request_hash, instrument, direction,
    stake, currency, payout_bp, terms_version, price_scale, entry_number, entry_price,
    entry_time, entry_source_time, opened_at, expires_at)
SELECT uuidv7(), ('00000000-0000-7000-8000-' || lpad((1 + n %% %(users)s)::text, 12, '0'))::uuid,
    uuidv4(), decode(repeat('00', 32), 'hex'), 'BTCUSD', 1, 100, 'USD', 8500, 1, 2, 1, 10000 + n,
    now(), now(), now(), now() + interval '1 hour'
FROM generate_series(1, %(orders)s) n
"""
_MILLISECONDS = re.compile(r"Time: ([0-9.]+) ms")


async def s1(postgres: Postgres, folder: Path) -> Row:
    """Measure expiry → all committed and published, beside the same work set-based in psql."""
    with (
        running_platform(environment=UNLIMITED) as platform,
        postgres.database("trading_demo") as access,
    ):
        await asyncio.to_thread(_prepare, access.owner)
        burst = await Burst.on(platform)

        async def theirs() -> float:
            return ORDERS / await _psql_seconds(access.owner, folder)

        left, right = await side_by_side(burst.orders_per_second, theirs)
    title = f"{ORDERS:,} orders of one second, expiry → committed and published, beside psql"
    return Row("S1", title, "orders/s", left, right, goal=0.2, stretch=0.4)


async def s3(_: Postgres, __: Path) -> Row:
    """Measure how fast orders are placed while ten thousand settle, beside when nothing does."""
    with running_platform(environment=UNLIMITED) as platform:
        burst = await Burst.on(platform)
        left, right = await side_by_side(burst.placed_per_second_meanwhile, burst.placed_per_second)
    title = f"orders placed while {ORDERS:,} settle, {IN_FLIGHT} in flight, beside when none do"
    return Row("S3", title, "orders/s", left, right, goal=0.6)


class Burst:
    """Users of a platform who all buy for the same second."""

    def __init__(self, platform: Platform) -> None:
        self._keys = Home(platform.home).keys
        self._redis = Redis(
            unix_socket_path=str(Valkey(Home(platform.home).sockets, embedded_server()).socket)
        )
        # The client's own reading would cost the platform a tenth of the machine.
        self._redis.set_response_callback("XREAD", lambda response, **_: response)
        self._channel = grpc.aio.insecure_channel(platform.ports.address("trading"))
        self._operator = Channels(Keyring.load(self._keys, "operator"), SystemClock()).to(
            "trading", platform.ports.address("trading")
        )
        self._accounts: list[tuple[str, str]] = []

    @classmethod
    async def on(cls, platform: Platform) -> Burst:
        """Open the users' accounts."""
        burst = cls(platform)
        identity = Keyring.load(burst._keys, "identity")
        stub = AccountServiceStub(burst._operator)
        for _ in range(USERS):
            user = str(uuid4())
            opened = await stub.OpenAccounts(OpenAccountsRequest(user_id=user))
            claims = {"sub": user, "aud": "veritick", "perm": []}
            token = identity.sign(claims, timedelta(hours=1), SystemClock().now())
            burst._accounts.append((opened.accounts[0].account_id, token))
        return burst

    async def orders_per_second(self) -> float:
        """Place the orders, wait for the second, and see the last one published."""
        expiry, placed, newest = await self._prepared()
        published = await self._last_published(newest, placed)
        return placed / (published - expiry.timestamp())

    async def placed_per_second(self) -> float:
        """Place orders that expire much later, for some seconds."""
        with self._placing() as answered:
            await asyncio.sleep(QUIET_SECONDS)
        return len(answered) / QUIET_SECONDS

    async def placed_per_second_meanwhile(self) -> float:
        """Place orders that expire much later, from the second of the burst to its last close."""
        expiry, placed, newest = await self._prepared()
        await asyncio.sleep(max(expiry.timestamp() - WARM_SECONDS - time.time(), 0))
        with self._placing() as answered:
            published = await self._last_published(newest, placed)
        meanwhile = [moment for moment in answered if expiry.timestamp() <= moment <= published]
        return len(meanwhile) / (published - expiry.timestamp())

    @contextmanager
    def _placing(self) -> Iterator[list[float]]:
        """Place orders within the block, and note when each was answered."""
        answered: list[float] = []
        callers = [asyncio.create_task(self._place_on(answered)) for _ in range(IN_FLIGHT)]
        try:
            yield answered
        finally:
            for caller in callers:
                caller.cancel()

    async def _place_on(self, answered: list[float]) -> None:
        stub, turn = OrderServiceStub(self._channel), random.randrange(USERS)
        while True:
            turn += 1
            await self._place_one(stub, turn, LATER_SECONDS)
            answered.append(time.time())

    async def _prepared(self) -> tuple[datetime, int, bytes]:
        """Place the orders; return when they expire, how many, and where the stream ends."""
        expiry = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=LEAD_SECONDS)
        newest = await self._redis.xinfo_stream(stream_key("demo"))
        placing = [self._place(number, expiry) for number in range(IN_FLIGHT)]
        placed = sum(await asyncio.gather(*placing))
        if datetime.now(UTC) >= expiry:
            raise RuntimeError(f"placing {placed} orders took longer than {LEAD_SECONDS} s")
        return expiry, placed, newest["last-generated-id"]

    async def _place(self, number: int, expiry: datetime) -> int:
        """Place this caller's share, and return how many expire in that very second."""
        stub, count = OrderServiceStub(self._channel), 0
        for turn in range(number, ORDERS, IN_FLIGHT):
            seconds = int(expiry.timestamp() - math.ceil(time.time()))
            response = await self._place_one(stub, turn, seconds)
            count += response.order.expire_time.seconds == expiry.timestamp()
        return count

    async def _place_one(
        self, stub: OrderServiceAsyncStub, turn: int, seconds: int
    ) -> PlaceOrderResponse:
        account_id, token = self._accounts[turn % USERS]
        request = PlaceOrderRequest(
            account_id=account_id,
            request_id=str(uuid4()),
            instrument=SYMBOLS[turn % len(SYMBOLS)],
            direction=(UP, DOWN)[turn // 3 % 2],
            stake=Money(currency_code="USD", minor_units=100),
            duration_seconds=seconds,
        )
        metadata = (("authorization", f"Bearer {token}"),)
        return await _repeated(lambda: stub.PlaceOrder(request, metadata=metadata))

    async def _last_published(self, position: bytes, orders: int) -> float:
        """Read the journal's stream until so many orders have settled; return when."""
        settled, deadline = 0, time.time() + _PATIENCE_SECONDS
        while settled < orders:
            if time.time() > deadline:
                raise RuntimeError(f"{settled} of {orders} orders settled")
            answer: Any = await self._redis.xread({stream_key("demo"): position}, 5_000, 50)
            [entries] = answer.values() if answer else [()]
            settled += sum(head.endswith(b" order.settled.v1") for _, (head, _) in entries)
            position = entries[-1][0] if entries else position
        return time.time()


async def _repeated(call: Callable[[], Awaitable[PlaceOrderResponse]]) -> PlaceOrderResponse:
    """Call again, a few times, while the book says that it may be tried again."""
    for attempt in range(_ATTEMPTS):
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if error.code() not in _PASSING or attempt == _ATTEMPTS - 1:
                raise
            await asyncio.sleep(0.2)
    raise AssertionError("unreachable")


def _prepare(url: str) -> None:
    pgbench.prepare(url, USERS)


async def _psql_seconds(url: str, folder: Path) -> float:
    """Open the orders anew, close them with psql, and return how long its statements took."""
    await asyncio.to_thread(_open_orders, url)
    script = folder / "settle.sql"
    script.write_text(SETTLE)
    process = await asyncio.create_subprocess_exec(
        embedded_binaries() / "psql",
        *("--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--file={script}", url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode:
        raise RuntimeError(errors.decode())
    await asyncio.to_thread(_clean_up, url)
    return sum(float(found) for found in _MILLISECONDS.findall(output.decode())) / 1_000


def _clean_up(url: str) -> None:
    """Do at once what autovacuum would do about these rows in the middle of our next round."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _open_orders(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE account SET open_orders = %s", [ORDERS // USERS])
        connection.execute(OPEN, {"users": USERS, "orders": ORDERS})
        connection.execute("ANALYZE")
