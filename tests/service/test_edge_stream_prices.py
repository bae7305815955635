"""Ticks and candles on the socket."""

import asyncio
from datetime import UTC, datetime

from services.kit.wire import to_timestamp
from tests.service.edge_stream_world import Frame, World, client
from tests.waiting import PATIENCE_SECONDS
from veritick.quotes.v1.market_data_service_pb2 import Candle

pytest_plugins = ["tests.service.edge_stream_fixtures"]


def prices(frame: Frame) -> list[int]:
    return [int(tick["price"]["mantissa"]) for tick in frame["data"]["ticks"]]


async def test_ticks_begin_with_the_last_one_and_go_on(stage: World, edge: str) -> None:
    stage.tick("EURUSD", 112146)
    async with client(edge) as reader:
        assert (await reader.subscribe("ticks:EURUSD"))["sequence"] == "1"
        first = await reader.next()
        assert (first["type"], first["sequence"], prices(first)) == ("snapshot", "1", [112146])
        tick = first["data"]["ticks"][0]
        assert tick["time"] == "2026-11-23T12:00:00Z"
        assert tick["price"] == {"mantissa": "112146", "scale": 5}
        await stage.publish_ticks("EURUSD", stage.tick("EURUSD", 7), stage.tick("EURUSD", 8))
        batch = await reader.next()
        assert (batch["type"], batch["sequence"], prices(batch)) == ("ticks.v1", "3", [7, 8])


async def test_ticks_that_come_twice_or_late_are_shown_once(stage: World, edge: str) -> None:
    old, new = stage.tick("EURUSD", 1), stage.tick("EURUSD", 2)
    async with client(edge) as reader:
        await reader.subscribe("ticks:EURUSD")
        assert prices(await reader.next()) == [2]
        await stage.publish_ticks("EURUSD", old)
        await stage.publish_ticks("EURUSD", new)
        await stage.publish_ticks("EURUSD", stage.tick("EURUSD", 3))
        assert prices(await reader.next()) == [3]


async def test_each_reader_gets_its_own_instruments_only(stage: World, edge: str) -> None:
    stage.tick("EURUSD", 1)
    stage.tick("BTCUSD", 1)
    async with client(edge) as euro, client(edge) as both:
        await euro.subscribe("ticks:EURUSD")
        await both.subscribe("ticks:EURUSD")
        await both.subscribe("ticks:BTCUSD")
        await stage.publish_ticks("BTCUSD", stage.tick("BTCUSD", 5))
        await stage.publish_ticks("EURUSD", stage.tick("EURUSD", 6))
        assert prices(await euro.next("ticks.v1")) == [6]
        assert prices(await both.next("ticks.v1")) == [5]
        assert prices(await both.next("ticks.v1")) == [6]


async def test_candles_begin_with_the_past_and_grow_with_ticks(stage: World, edge: str) -> None:
    start = to_timestamp(datetime(2026, 11, 23, 12, tzinfo=UTC))
    stage.quotes.past["EURUSD"] = [
        Candle(start_time=start, open=10, high=12, low=9, close=11, ticks=4)
    ]
    stage.tick("EURUSD", 11, seconds=1)
    async with client(edge) as reader:
        await reader.subscribe("candles:EURUSD:60s")
        first = await reader.next()
        assert first["type"] == "snapshot"
        assert first["data"]["candles"][0]["close"] == "11"
        assert first["data"]["priceScale"] == 5
        await stage.publish_ticks("EURUSD", stage.tick("EURUSD", 15, seconds=2))
        grown = await reader.next("candles.v1")
        assert grown["sequence"] == "2"
        assert grown["data"]["candles"] == [
            {
                "startTime": "2026-11-23T12:00:00Z",
                "open": "10",
                "high": "15",
                "low": "9",
                "close": "15",
                "ticks": 5,
                "synthetic": False,
            }
        ]


async def test_candles_come_at_most_five_times_a_second_and_end_complete(
    stage: World, edge: str
) -> None:
    stage.tick("EURUSD", 100)
    async with client(edge) as reader:
        await reader.subscribe("candles:EURUSD:1s")
        await reader.next("snapshot")
        began = asyncio.get_running_loop().time()
        for number in range(100):
            tick = stage.tick("EURUSD", 200 + number, seconds=1 + number / 40)
            await stage.publish_ticks("EURUSD", tick)
        frames: list[Frame] = []
        while not frames or frames[-1]["sequence"] != "101":
            frames.append(await reader.next("candles.v1"))
        # One after another, and the one that a pause of the machine has held up.
        elapsed = asyncio.get_running_loop().time() - began
        assert len(frames) <= 5 * elapsed + 6
        found = {item["startTime"]: item for frame in frames for item in frame["data"]["candles"]}
        assert [candle["ticks"] for candle in found.values()] == [40, 40, 20]
        assert [candle["close"] for candle in found.values()] == ["239", "279", "299"]


async def test_prices_go_on_while_redis_is_dead_and_after_it_is_back(
    stage: World, edge: str
) -> None:
    stage.tick("EURUSD", 1)
    async with client(edge) as reader:
        await reader.subscribe("ticks:EURUSD")
        await reader.next("snapshot")
        await stage.store.kill()
        stage.tick("EURUSD", 2)
        assert prices(await reader.next("ticks.v1")) == [2]
        await stage.store.start()
        published = False
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not published:
                await asyncio.sleep(0.1)
                await stage.publish_ticks("EURUSD", stage.tick("EURUSD", 3))
                both = stage.tick("EURUSD", 4), stage.tick("EURUSD", 5)
                await stage.publish_ticks("EURUSD", *both)
                published = prices(await reader.next("ticks.v1"))[-2:] == [4, 5]


async def test_what_cannot_be_read_is_skipped(stage: World, edge: str) -> None:
    stage.tick("EURUSD", 1)
    async with client(edge) as reader:
        await reader.subscribe("ticks:EURUSD")
        await reader.next("snapshot")
        await stage.redis.publish("ticks:EURUSD", b"\xff\xff\xff")
        await stage.redis.publish("watermark", b"\xff\xff\xff")
        await stage.publish_ticks("EURUSD", stage.tick("EURUSD", 2))
        assert prices(await reader.next("ticks.v1")) == [2]
