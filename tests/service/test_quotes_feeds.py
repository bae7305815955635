"""The feed as a client: how often it asks, and what it takes for a sign of life."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from random import Random

from prometheus_client import REGISTRY
from websockets.asyncio.server import ServerConnection, serve

from services.kit.clock import SystemClock
from services.quotes.binance import Binance
from services.quotes.feeds import FRAME_BYTES_MAX, WebSocketFeed
from services.quotes.packet import Complaint, Heartbeat, Packet, Veritick
from services.quotes.protocol import FeedProtocol
from tests.waiting import eventually

CLOCK = SystemClock()


@asynccontextmanager
async def server(handler: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0, ping_interval=None) as listening:
        host, port = next(iter(listening.sockets)).getsockname()
        yield f"ws://{host}:{port}"


@contextmanager
def listening(protocol: FeedProtocol, url: str, *symbols: str) -> Iterator[list[Packet]]:
    """Run a feed, and see what it hands over."""
    heard: list[Packet] = []
    feed = WebSocketFeed(protocol, url, CLOCK, Random(1))
    feed.subscribe(frozenset(symbols))
    running = asyncio.ensure_future(feed.run(heard.append))
    try:
        yield heard
    finally:
        running.cancel()


async def heard_something(heard: list[Packet], kind: type[Packet]) -> None:
    async def found() -> bool:
        return any(isinstance(packet, kind) for packet in heard)

    await eventually(found)


def malformed() -> float:
    return REGISTRY.get_sample_value("veritick_quotes_malformed_packets_total") or 0.0


async def test_it_never_sends_more_than_five_messages_a_second() -> None:
    times: list[float] = []
    asked: set[str] = set()

    async def answering(connection: ServerConnection) -> None:
        async for frame in connection:
            request = json.loads(frame)
            times.append(CLOCK.monotonic())
            asked.update(request["params"] if request["method"] == "SUBSCRIBE" else ())
            await connection.send(json.dumps({"result": None, "id": request["id"]}))

    symbols = [f"COIN{number}USDT" for number in range(500)]
    async with server(answering) as url:
        with listening(Binance(), url, *symbols):

            async def all_asked() -> bool:
                return len(asked) == len(symbols)

            await eventually(all_asked)
            await asyncio.sleep(2)

    for begin in times:
        assert sum(1 for time in times if begin <= time < begin + 1) <= 5


async def test_more_symbols_than_a_connection_carries_are_left_out() -> None:
    asked: set[str] = set()
    quiet = Binance()
    quiet.pause_seconds = 0.0

    async def answering(connection: ServerConnection) -> None:
        async for frame in connection:
            request = json.loads(frame)
            asked.update(request["params"] if request["method"] == "SUBSCRIBE" else ())
            await connection.send(json.dumps({"result": None, "id": request["id"]}))

    async with server(answering) as url:
        with listening(quiet, url, *(f"C{number:05d}" for number in range(1100))) as heard:
            await heard_something(heard, Heartbeat)
            await eventually(lambda: len(asked) >= 1024)
            await asyncio.sleep(0.5)  # as long as it takes to ask for more
    assert len(asked) == 1024
    assert "c01023@trade" in asked


async def test_a_ping_is_a_sign_of_life_where_nothing_else_is_sent() -> None:
    async def pinging(connection: ServerConnection) -> None:
        while True:
            await connection.ping()
            await asyncio.sleep(0.1)

    async with server(pinging) as url:
        with listening(Binance(), url) as heard:
            await heard_something(heard, Heartbeat)
        with listening(Veritick(), url) as heard:
            await asyncio.sleep(1)
            assert heard == []


async def test_a_quiet_server_is_asked_whether_it_is_there() -> None:
    methods: list[str] = []

    async def answering(connection: ServerConnection) -> None:
        async for frame in connection:
            request = json.loads(frame)
            methods.append(request["method"])
            await connection.send(json.dumps({"result": True, "id": request["id"]}))

    async with server(answering) as url:
        with listening(Binance(), url) as heard:
            await heard_something(heard, Heartbeat)
    assert set(methods) == {"GET_PROPERTY"}


async def test_long_frames_are_skipped_and_absurd_ones_end_the_connection() -> None:
    connections = 0

    async def babbling(connection: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        await connection.send('{"result":"' + "x" * (FRAME_BYTES_MAX // 2) + '"}')
        await connection.send('{"error":{"code":4,"msg":"Too many subscriptions"},"id":1}')
        await connection.send("x" * (FRAME_BYTES_MAX + 1))
        await connection.wait_closed()

    before = malformed()
    async with server(babbling) as url:
        with listening(Binance(), url) as heard:

            async def came_again() -> bool:
                return connections >= 2 and len(heard) >= 2

            await eventually(came_again)
    assert malformed() >= before + 2
    assert set(heard) == {Complaint("4: Too many subscriptions")}
