"""Q2 and W4: how long a price and an event are on their way to a subscriber's socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import grpc
import orjson
import psycopg

from services.local import databases
from services.local.databases import Passwords
from services.local.home import Home
from services.local.postgres import Cluster, embedded_binaries
from tests.bench.crowd import Crowd, crowd
from tests.bench.rows import Row, repeated
from tests.bench.traders import UNLIMITED, Trader, open_traders
from tests.platform import Platform, running_platform
from tests.stores import Postgres
from veritick.trading.v1.order_pb2 import UP
from veritick.trading.v1.order_service_pb2 import PlaceOrderRequest
from veritick.trading.v1.order_service_pb2_grpc import OrderServiceStub
from veritick.type.v1.money_pb2 import Money

if TYPE_CHECKING:
    from veritick.trading.v1.order_service_pb2_grpc import OrderServiceAsyncStub

TICKS_PER_SECOND = 1_000
ORDERS_PER_SECOND = 100
TRADERS = 100
SECONDS = 6
GOAL_MS, STRETCH = 50.0, 0.4
_SYMBOL = "BTCUSD"
_DURATION_SECONDS = 5
_SETTLED_SECONDS = 4
_WORTH = 0.99
_COMMITTED = """
    SELECT j.subject, j.sequence, extract(epoch FROM pg_xact_commit_timestamp(j.xmin))::float8
    FROM journal j WHERE j.position > %s
"""

Heard = list[tuple[float, bytes]]
"""When each frame came, in seconds since the epoch, and what it said."""


async def q2(_: Postgres, folder: Path) -> Row:
    """Measure tick received → on a socket, on a platform whose market says 1,000 ticks a second."""
    recording = _recording(folder)
    with running_platform(arguments=("--feed", "replay", "--file", str(recording))) as platform:
        heard: Heard = []
        async with crowd(
            platform.ports.address("stream"), 1, lambda frame: heard.append((time.time(), frame))
        ) as readers:
            readers.readers[0].say(op="subscribe", channel=f"ticks:{_SYMBOL}")
            await readers.until_answered(1)

            async def worst() -> float:
                heard.clear()
                await asyncio.sleep(SECONDS)
                delays = [delay for came, frame in heard for delay in _delays(came, frame)]
                _require(len(delays), TICKS_PER_SECOND * SECONDS, "ticks")
                return _p99(delays)

            measured = await repeated(worst)
    title = "tick received → on a subscriber's socket, p99 at 1,000 ticks/s"
    return Row("Q2", title, "ms", measured, [GOAL_MS], 1, STRETCH, less=True)


async def w4(_: Postgres, folder: Path) -> Row:
    """Measure event committed → on its owner's socket, while orders open and are settled."""
    home = folder / "home"
    _note_commit_times(home)
    with running_platform(home, environment=UNLIMITED) as platform:
        traders = await open_traders(platform, TRADERS)
        heard: Heard = []
        address = platform.ports.address("stream")
        async with (
            crowd(address, TRADERS, lambda frame: heard.append((time.time(), frame))) as readers,
            grpc.aio.insecure_channel(platform.ports.address("trading")) as channel,
        ):
            await _follow(readers, traders)
            orders: OrderServiceAsyncStub = OrderServiceStub(channel)

            async def worst() -> float:
                heard.clear()
                before = _last_position(platform)
                await _trade(orders, traders)
                await asyncio.sleep(_DURATION_SECONDS + _SETTLED_SECONDS)
                delays = _since_commit(platform, before, heard)
                _require(len(delays), 4 * ORDERS_PER_SECOND * SECONDS, "events")
                return _p99(delays)

            measured = await repeated(worst)
    title = "event committed → on its owner's socket, p99 at 100 orders/s, opened and settled"
    return Row("W4", title, "ms", measured, [GOAL_MS], 1, STRETCH, less=True)


def _recording(folder: Path) -> Path:
    """Write a recording that, told again and again, is so many ticks a second."""
    path = folder / f"{_SYMBOL.lower()}.csv"
    start = datetime(2026, 11, 2, 12, tzinfo=UTC).timestamp()
    lines = [
        f"{datetime.fromtimestamp(start + n / TICKS_PER_SECOND, UTC).isoformat()},65{n % 997:03},1"
        for n in range(TICKS_PER_SECOND * 60)
    ]
    path.write_text("\n".join(["time,price,size", *lines]) + "\n")
    return path


def _delays(came: float, frame: bytes) -> list[float]:
    """Return how long each tick of a frame took, in seconds since quotes received it."""
    ticks = orjson.loads(frame)["data"]["ticks"]
    return [came - datetime.fromisoformat(tick["time"]).timestamp() for tick in ticks]


def _p99(delays: Sequence[float]) -> float:
    """Return the delay that one of a hundred exceeds, in milliseconds."""
    return sorted(delays)[int(len(delays) * _WORTH)] * 1_000


def _require(found: int, expected: int, what: str) -> None:
    """See that there was the load that the row speaks of."""
    if found < 0.9 * expected:
        raise RuntimeError(f"{found} {what} came where {expected} were due: too slow a machine")


# ---- events


def _cluster(home: Path) -> Cluster:
    where = Home(home)
    password = Passwords(where.passwords).of("veritick")
    return Cluster(where.postgres, where.sockets, password, embedded_binaries())


def _note_commit_times(home: Path) -> None:
    """Make a platform's database keep when each transaction was committed."""
    with (
        running_platform(home),
        psycopg.connect(_cluster(home).url("postgres"), autocommit=True) as connection,
    ):
        connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")


async def _follow(readers: Crowd, traders: Sequence[Trader]) -> None:
    for reader, trader in zip(readers.readers, traders, strict=True):
        reader.say(op="authenticate", ticket=trader.ticket())
        reader.say(op="subscribe", channel=f"account:{trader.account_id}")
    await readers.until_answered(2 * len(traders))


async def _trade(stub: OrderServiceAsyncStub, traders: Sequence[Trader]) -> None:
    """Place orders at a steady rate, whether or not those before were answered."""
    loop = asyncio.get_running_loop()
    began, placing = loop.time(), []
    for number in range(ORDERS_PER_SECOND * SECONDS):
        await asyncio.sleep(began + number / ORDERS_PER_SECOND - loop.time())
        placing.append(asyncio.create_task(_place(stub, traders[number % len(traders)])))
    await asyncio.gather(*placing)


async def _place(stub: OrderServiceAsyncStub, trader: Trader) -> None:
    request = PlaceOrderRequest(
        account_id=trader.account_id,
        request_id=str(uuid4()),
        instrument=_SYMBOL,
        direction=UP,
        stake=Money(currency_code="USD", minor_units=100),
        duration_seconds=_DURATION_SECONDS,
    )
    try:
        await stub.PlaceOrder(request, metadata=(("authorization", f"Bearer {trader.token}"),))
    except grpc.aio.AioRpcError as error:
        # A busy machine lets prices come too late, and the order is refused; few may be.
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise


def _last_position(platform: Platform) -> int:
    found = _rows(platform, "SELECT coalesce(max(position), 0) FROM journal", [])
    return int(str(found[0][0]))


def _since_commit(platform: Platform, after: int, heard: Heard) -> list[float]:
    """Return how long each event took that was heard, in seconds since its commit."""
    committed = {
        (subject, sequence): moment
        for subject, sequence, moment in _rows(platform, _COMMITTED, [after])
    }
    delays = []
    for came, text in heard:
        frame = orjson.loads(text)
        moment = committed.get((frame["channel"], int(frame["sequence"])))
        if moment is not None:
            delays.append(came - float(str(moment)))
    return delays


def _rows(platform: Platform, query: str, parameters: list[object]) -> list[tuple[object, ...]]:
    cluster = _cluster(platform.home)
    access = databases.access(cluster, Passwords(Home(platform.home).passwords), "trading_demo")
    with psycopg.connect(access.owner, autocommit=True) as connection:
        return connection.execute(query, parameters).fetchall()
