import asyncio
import json
import sys
from pathlib import Path

from websockets.asyncio.client import connect

from services.kit.wire import to_datetime
from tests.service.quotes_fixtures import REPOSITORY, World, seconds, simulator
from tests.waiting import PATIENCE_SECONDS, eventually
from veritick.quotes.v1 import instrument_pb2

pytest_plugins = ["tests.service.quotes_fixtures"]


async def first_price(url: str, symbol: str) -> str:
    async with connect(url, proxy=None) as connection, asyncio.timeout(PATIENCE_SECONDS):
        await connection.send(json.dumps({"op": "subscribe", "symbols": [symbol]}))
        async for frame in connection:
            packet = json.loads(frame)
            if packet["type"] == "tick":
                return str(packet["price"])
    raise AssertionError("no tick came")


async def test_the_market_goes_on_where_it_was_after_a_restart(tmp_path: Path) -> None:
    (tmp_path / "prices.json").write_text('{"BTCUSD": "80000.00"}')
    async with simulator("simulated", state=tmp_path) as running:
        assert abs(float(await first_price(running.url, "BTCUSD")) - 80000) < 500
        await running.stop()
    saved = json.loads((tmp_path / "prices.json").read_text())
    async with simulator("simulated", state=tmp_path) as running:
        again = float(await first_price(running.url, "BTCUSD"))
    assert abs(again / float(saved["BTCUSD"]) - 1) < 0.005


async def test_commands_are_refused_unless_it_was_started_for_tests() -> None:
    async with (
        simulator("simulated") as running,
        connect(running.url, proxy=None) as connection,
    ):
        answers = [json.loads(await connection.recv())]
        for request in ('{"op":"control","command":"gap"}', "{", "[]", '{"op":"subscribe"}'):
            await connection.send(request)
            answers.append(json.loads(await connection.recv()))

    kinds = [answer["type"] for answer in answers]
    assert kinds == ["welcome", "error", "error", "error", "subscribed"]


async def test_what_can_not_be_replayed_is_said_and_nothing_starts(tmp_path: Path) -> None:
    file = tmp_path / "eurusd.csv"
    file.write_text("time,bid,ask\nyesterday,1,2\n")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.quotes.simulator", "replay", "--file", str(file)),
        cwd=REPOSITORY,
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    _, said = await process.communicate()
    assert process.returncode
    assert b"line 2 makes no sense" in said


async def test_a_recording_is_traded_on_at_any_hour_and_the_rest_is_simulated(
    base: World, tmp_path: Path
) -> None:
    # Far more than are looked at, for after the last the first comes again.
    times = [f"2020-01-01T22:{n // 60:02d}:{n % 60:02d}.000Z" for n in range(600)]
    rows = [f"{time},1.{n:05d},1.{n:05d}" for n, time in enumerate(times)]
    file = tmp_path / "eurusd-2020.csv"
    file.write_text("\n".join(["time,bid,ask", *rows]))
    arguments = ("replay", "--file", str(file), "--speed", "5")
    async with simulator(*arguments) as feed, base.running(feed.url) as quotes:
        await quotes.until_status("EURUSD", "OPEN")
        await quotes.until_status("BTCUSD", "OPEN")
        instrument = await quotes.instrument("EURUSD")
        assert len(instrument.sessions) == 1
        assert not instrument.sessions[0].HasField("close_time")
        await quotes.until_ticks("EURUSD", 15)
        ticks = await quotes.ticks("EURUSD", quotes.since, quotes.clock.now())
        mantissas = [tick.price.mantissa - 100_000 for tick in ticks]
        assert mantissas == list(range(len(mantissas)))
        pause = to_datetime(ticks[-1].time) - to_datetime(ticks[0].time)
        # Five times as fast as it was recorded; a busy machine may hold some of it up.
        assert seconds(0.1) < pause / (len(ticks) - 1) < seconds(0.8)

    async with simulator() as feed, base.running(feed.url) as quotes:

        async def hours_are_back() -> bool:
            found: instrument_pb2.Instrument = await quotes.instrument("EURUSD")
            return len(found.sessions) > 0 and found.sessions[0].HasField("close_time")

        await eventually(hours_are_back)
