"""Quotes on the second protocol: a server that speaks as Binance does, and a real record."""

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from prometheus_client import REGISTRY
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from services.kit.wire import to_datetime
from tests.service.quotes_fixtures import Quotes, Simulator, World, seconds, simulator
from tests.waiting import PATIENCE_SECONDS, eventually
from veritick.quotes.v1 import fixing_service_pb2 as fixing
from veritick.quotes.v1 import instrument_pb2
from veritick.quotes.v1.instrument_service_pb2 import (
    CreateInstrumentRequest,
    UpdateInstrumentRequest,
)

pytest_plugins = ["tests.service.quotes_fixtures"]

SYMBOL = "BTCUSD"
FRAMES_OF_A_GARBLE = 34


@pytest.fixture
async def exchange() -> AsyncIterator[Simulator]:
    async with simulator("binance", "--control", "--seed", "7") as running:
        yield running


@pytest.fixture
async def trading(base: World, exchange: Simulator) -> AsyncIterator[Quotes]:
    async with base.running(exchange.url, feed_protocol="binance") as running:
        await running.until_status(SYMBOL, "OPEN")
        yield running


def counted(name: str) -> float:
    return REGISTRY.get_sample_value(f"veritick_quotes_{name}_total") or 0.0


async def goes_on(quotes: Quotes) -> None:
    """Wait for more ticks."""
    last = (await quotes.market(SYMBOL)).last_tick.number

    async def more() -> bool:
        return (await quotes.market(SYMBOL)).last_tick.number > last + 1

    await eventually(more)


async def test_trades_are_stored_with_the_exact_price_and_fixed(
    trading: Quotes, exchange: Simulator
) -> None:
    assert (await trading.instrument(SYMBOL)).feed_symbol == "BTCUSDT"
    await exchange.command("freeze", SYMBOL)
    await exchange.command("tick", SYMBOL, price="98765.4321000")

    async def arrived() -> bool:
        return (await trading.market(SYMBOL)).last_tick.price.mantissa == 9876543

    await eventually(arrived)
    now = trading.clock.now()
    found = await trading.fixed(SYMBOL, now)
    ticks = await trading.ticks(SYMBOL, now - seconds(60), now)

    assert found.state == fixing.Fixing.FINAL
    assert found.tick == ticks[-1]
    assert found.tick.price.mantissa == 9876543
    assert [tick.number for tick in ticks] == list(range(1, len(ticks) + 1))
    assert all(a.time.ToDatetime() < b.time.ToDatetime() for a, b in pairwise(ticks))
    for tick in ticks:
        assert abs(to_datetime(tick.source_time) - to_datetime(tick.time)) < seconds(5)


@pytest.mark.parametrize("feed_symbol", ["maticUsdt", "BTCUSDT@bookticker"])
async def test_a_new_instrument_is_subscribed_to_at_once(trading: Quotes, feed_symbol: str) -> None:
    around_the_clock = instrument_pb2.Schedule.Window(open_minute=0, close_minute=10080)
    wanted = instrument_pb2.Instrument(
        symbol="NEW",
        display_name="New",
        asset_class="CRYPTO",
        price_scale=4,
        status=instrument_pb2.Instrument.ENABLED,
        feed_symbol=feed_symbol,
        max_tick_age_seconds=5,
        feed_silence_max_seconds=5,
        position=500,
        schedule=instrument_pb2.Schedule(time_zone="UTC", windows=[around_the_clock]),
    )
    await trading.instruments.CreateInstrument(CreateInstrumentRequest(instrument=wanted))
    await trading.until_status("NEW", "OPEN")


async def test_a_symbol_that_can_not_exist_harms_no_other(trading: Quotes) -> None:
    wanted = await trading.instrument("ETHUSD")
    wanted.feed_symbol = "ETH/USDT"
    await trading.instruments.UpdateInstrument(UpdateInstrumentRequest(instrument=wanted))
    await trading.until_status("ETHUSD", "STALE")
    await trading.until_status(SYMBOL, "OPEN")


async def test_malformed_packets_are_counted_and_the_rest_goes_on(
    trading: Quotes, exchange: Simulator
) -> None:
    before = counted("malformed_packets")
    await exchange.command("garble", SYMBOL)

    async def noticed() -> bool:
        return counted("malformed_packets") >= before + FRAMES_OF_A_GARBLE

    await eventually(noticed)
    await goes_on(trading)
    assert counted("malformed_packets") == before + FRAMES_OF_A_GARBLE


@pytest.mark.parametrize("command", ["drop", "farewell"])
async def test_after_the_connection_ends_a_new_one_goes_on(
    trading: Quotes, exchange: Simulator, command: str
) -> None:
    await exchange.command(command)
    await goes_on(trading)
    await trading.until_status(SYMBOL, "OPEN")


async def test_a_connection_that_may_not_last_is_made_again_and_again(base: World) -> None:
    async with (
        simulator("binance", "--connection-seconds", "1") as exchange,
        base.running(exchange.url, feed_protocol="binance") as quotes,
    ):
        await quotes.until_status(SYMBOL, "OPEN")
        for _ in range(3):
            await asyncio.sleep(1)
            await goes_on(quotes)


async def test_a_quiet_market_is_no_silent_feed(trading: Quotes, exchange: Simulator) -> None:
    await exchange.command("freeze")
    await trading.until_status(SYMBOL, "STALE")
    await asyncio.sleep(1)
    found = await trading.fixed(SYMBOL, trading.clock.now())
    assert fixing.VoidReason.Name(found.void_reason) == "NO_TICK"


async def test_a_feed_that_says_nothing_is_silent(trading: Quotes, exchange: Simulator) -> None:
    await exchange.command("gap")
    await trading.until_status(SYMBOL, "STALE")
    silent_since = await trading.silent_since(SYMBOL, seconds(5))
    found = await trading.fixed(SYMBOL, silent_since + seconds(5))
    assert fixing.VoidReason.Name(found.void_reason) == "FEED_SILENT"

    await exchange.command("resume")
    await trading.until_status(SYMBOL, "OPEN")


async def ask(url: str, *requests: object) -> list[dict[str, object]]:
    """What the server answers to each request, in order."""
    answers = []
    async with connect(url, proxy=None) as connection, asyncio.timeout(PATIENCE_SECONDS):
        for request in requests:
            await connection.send(request if isinstance(request, str) else json.dumps(request))
            while "e" in (answer := json.loads(await connection.recv())) or "stream" in answer:
                pass
            answers.append(answer)
    return answers


async def test_the_server_answers_as_documented(exchange: Simulator) -> None:
    stream = "btcusdt@trade"
    answers = await ask(
        f"{exchange.url}/stream",
        {"method": "SUBSCRIBE", "params": [stream], "id": 1},
        {"method": "LIST_SUBSCRIPTIONS", "id": 2},
        {"method": "GET_PROPERTY", "params": ["combined"], "id": 3},
        {"method": "UNSUBSCRIBE", "params": [stream], "id": 4},
    )
    assert answers == [
        {"result": None, "id": 1},
        {"result": [stream], "id": 2},
        {"result": True, "id": 3},
        {"result": None, "id": 4},
    ]
    refused = await ask(
        f"{exchange.url}/ws",
        {"method": "SUBSCRIBE", "params": ["BTC/USDT"], "id": 1},
        {"method": "SUBSCRIBE", "params": ["a@trade"] * 1000, "id": 2},
        {"method": "DANCE", "id": 3},
        "{",
    )
    assert [answer.get("id") for answer in refused] == [1, 2, 3, None]
    assert all("error" in answer for answer in refused)


@pytest.mark.parametrize(
    "path", ["/stream?streams=btcusdt@trade/ethusdt@trade", "/ws/btcusdt@trade"]
)
async def test_the_url_may_name_streams(exchange: Simulator, path: str) -> None:
    async with (
        connect(exchange.url + path, proxy=None) as connection,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        packet = json.loads(await connection.recv())
    event = packet["data"] if path.startswith("/stream") else packet
    assert event["s"] in {"BTCUSDT", "ETHUSDT"}
    assert event["T"] > 1_700_000_000_000


async def test_who_asks_too_often_is_cut_off(exchange: Simulator) -> None:
    async with (
        connect(f"{exchange.url}/ws", proxy=None) as connection,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        with pytest.raises(ConnectionClosed) as closed:
            for number in range(12):  # six of them together, even if there is a pause between
                await connection.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
            while True:
                await connection.recv()
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1008
