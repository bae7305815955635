import asyncio
import os
import signal
import sys
from datetime import datetime, timedelta

import psycopg
import pytest
import redis.asyncio
from grpc import StatusCode
from grpc.aio import AioRpcError
from prometheus_client import REGISTRY
from psycopg.types.json import Jsonb

from services.kit.clock import SystemClock
from services.kit.leader import LeadershipLost, Term
from services.kit.tasks import end_tasks
from services.kit.wire import to_datetime
from services.local.ports import Ports
from services.quotes import market as live
from services.quotes.app import build
from services.quotes.partitions import Retention
from services.quotes.record import Batch, Record
from services.quotes.tick import Tick
from tests.platform import free_base
from tests.service.quotes_fixtures import REPOSITORY, Quotes, Simulator, World, seconds, simulator
from tests.waiting import PATIENCE_SECONDS, eventually
from veritick.quotes.v1 import fixing_service_pb2 as fixing
from veritick.quotes.v1 import market_data_service_pb2 as market

pytest_plugins = ["tests.service.quotes_fixtures"]

SYMBOL = "BTCUSD"


def counted(name: str) -> float:
    return REGISTRY.get_sample_value(f"veritick_quotes_{name}_total") or 0.0


async def test_malformed_packets_are_counted_and_the_rest_goes_on(
    quotes: Quotes, feed: Simulator
) -> None:
    await quotes.until_status(SYMBOL, "OPEN")
    before = counted("malformed_packets")
    await feed.command("garble", SYMBOL)

    async def noticed() -> bool:
        return counted("malformed_packets") >= before + 14

    await eventually(noticed)
    last = (await quotes.market(SYMBOL)).last_tick.number

    async def goes_on() -> bool:
        return (await quotes.market(SYMBOL)).last_tick.number > last

    await eventually(goes_on)


async def test_a_leader_of_the_past_can_store_nothing(quotes: Quotes, base: World) -> None:
    await quotes.until_status(SYMBOL, "OPEN")
    record = Record(quotes.database)
    now = quotes.clock.now() + seconds(60)
    with psycopg.connect(base.access.owner) as owner:
        epoch = owner.execute("SELECT epoch FROM leader WHERE name = 'ingestor'").fetchone()
    assert epoch
    zombie = Term("ingestor", epoch[0] - 1)

    with pytest.raises(LeadershipLost):
        await record.begin(zombie, now, "START")

    async with quotes.database.raw() as connection:
        row = await (
            await connection.execute("SELECT id, start_time, watermark, batches FROM run")
        ).fetchone()
    assert row
    from services.quotes.record import Run  # noqa: PLC0415

    tick = Tick(1, 10**9, now, 1, None, late=False)
    with pytest.raises(LeadershipLost):
        await record.store(zombie, Run(*row), Batch(now, None, [tick], []))
    with psycopg.connect(base.access.owner) as owner:
        assert owner.execute("SELECT count(*) FROM tick WHERE number = 10^9").fetchone() == (0,)


async def test_killed_and_started_again_it_goes_on_without_losing_or_doubling_a_number(
    base: World, feed: Simulator
) -> None:
    environment = os.environ | {
        "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY}/clients/python/src",
        "VERITICK_MODE": "development",
        "VERITICK_DATABASE_URL": base.access.service,
        "VERITICK_REDIS_URL": base.redis_url,
        "VERITICK_KEYS": str(base.keys),
        "VERITICK_FEED_URL": feed.url,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.quotes", "serve", cwd=REPOSITORY, env=environment
    )

    async def stored() -> bool:
        with psycopg.connect(base.access.owner) as owner:
            row = owner.execute("SELECT count(*) FROM tick WHERE instrument_id = 1").fetchone()
        return bool(row and row[0] > 3)

    await eventually(stored)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    async with base.running(feed.url) as quotes:
        await quotes.until_status(SYMBOL, "OPEN")
        await quotes.until_ticks(SYMBOL, 5)
        ticks = await quotes.ticks(SYMBOL, quotes.since, quotes.clock.now())
        request = market.ListCandlesRequest(instrument=SYMBOL, page_size=2)
        request.interval.FromSeconds(3600)
        candles = [c for c in (await quotes.data.ListCandles(request)).candles if c.ticks]

    assert [tick.number for tick in ticks] == list(range(1, len(ticks) + 1))
    times = [to_datetime(tick.time) for tick in ticks]
    assert times == sorted(times)
    assert candles[0].open == ticks[0].price.mantissa
    assert sum(candle.ticks for candle in candles) >= len(ticks)


async def test_the_feed_may_go_and_come_back(base: World) -> None:
    address = Ports(free_base()).address("simulator")
    async with simulator(listen=address) as first, base.running(first.url) as quotes:
        await quotes.until_status(SYMBOL, "OPEN")
        await first.stop(signal.SIGKILL)
        async with simulator("simulated", listen=address):

            async def ticks_again() -> bool:
                last = (await quotes.market(SYMBOL)).last_tick
                return last.number > before.number + 2

            before = (await quotes.market(SYMBOL)).last_tick
            await eventually(ticks_again)


async def test_without_redis_everything_goes_on(base: World, feed: Simulator) -> None:
    nowhere = World(base.access, base.keys, "redis://127.0.0.1:1/0")
    async with nowhere.running(feed.url) as quotes:
        await quotes.until_status(SYMBOL, "OPEN")
        found = await quotes.fixed(SYMBOL, quotes.clock.now())
        assert found.state == fixing.Fixing.FINAL


async def test_redis_hears_only_what_is_stored(base: World, feed: Simulator) -> None:
    async with redis.asyncio.Redis.from_url(base.redis_url) as client, client.pubsub() as heard:
        await heard.subscribe(f"ticks:{SYMBOL}", "watermark")
        async with base.running(feed.url) as quotes:
            marks, ticks = 0, 0
            async with asyncio.timeout(PATIENCE_SECONDS):
                async for message in heard.listen():
                    if message["type"] != "message":
                        continue
                    if message["channel"] == b"watermark":
                        marks += market.Watermark.FromString(message["data"]).HasField("time")
                    else:
                        batch = market.TickBatch.FromString(message["data"])
                        told = batch.ticks[-1]
                        moment = to_datetime(told.time)
                        stored = await quotes.ticks(SYMBOL, moment, moment + seconds(0.000001))
                        assert stored == [told]
                        ticks += 1
                    if marks > 5 and ticks > 5:
                        break


async def test_a_watcher_that_does_not_read_is_cut_off(
    quotes: Quotes, monkeypatch: pytest.MonkeyPatch
) -> None:
    await quotes.until_status(SYMBOL, "OPEN")
    watching = live.Subscription(length=2)
    for _ in range(3):
        watching.offer(live.Watermark(quotes.clock.now(), None))

    with pytest.raises(Exception, match="too far behind"):
        [change async for change in watching]


async def test_watching_ticks_begins_with_the_last_of_each(quotes: Quotes) -> None:
    await quotes.until_status(SYMBOL, "OPEN")
    await quotes.until_status("ETHUSD", "OPEN")
    request = market.WatchTicksRequest(instruments=[SYMBOL, "ETHUSD"])
    seen: list[market.WatchTicksResponse] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for answer in quotes.data.WatchTicks(request):
            seen.append(answer)
            if len(seen) > 5:
                break

    assert {tick.instrument for tick in seen[0].ticks} == {SYMBOL, "ETHUSD"}
    assert {t.instrument for answer in seen for t in answer.ticks} == {SYMBOL, "ETHUSD"}
    with pytest.raises(AioRpcError) as refused:
        async for _ in quotes.data.WatchTicks(market.WatchTicksRequest(instruments=["NOPE"])):
            pass
    assert refused.value.code() is StatusCode.NOT_FOUND


class Steppable(SystemClock):
    """The real clock, on a host whose administrator corrects the time."""

    offset = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.offset


@pytest.mark.parametrize("step", [seconds(3), seconds(-1.5)])
async def test_a_clock_that_steps_leaves_a_recorded_gap(
    base: World, feed: Simulator, step: timedelta
) -> None:
    clock = Steppable()

    def runs() -> list[tuple[datetime, datetime, str]]:
        with psycopg.connect(base.access.owner) as owner:
            statement = "SELECT start_time, watermark, gap_reason FROM run ORDER BY id"
            return owner.execute(statement).fetchall()

    async def marked(number: int) -> bool:
        found = runs()
        return len(found) == number and found[-1][1] > found[-1][0] + seconds(0.5)

    async with build(base.settings(feed.url), clock) as application:
        tasks = [asyncio.ensure_future(task()) for task in application.tasks.values()]
        try:
            await eventually(lambda: marked(1))
            clock.offset = step
            await eventually(lambda: marked(2))
        finally:
            await end_tasks(tasks)

    (_, last, _), (start, _, reason) = runs()
    assert reason == "CLOCK_JUMP"
    assert start > last
    if step > seconds(0):
        assert start - last > seconds(2)
    with psycopg.connect(base.access.owner) as owner:
        doubled = owner.execute(
            "SELECT count(*) FROM (SELECT number, time, lag(time) OVER w AS earlier,"
            " lag(number) OVER w AS before FROM tick"
            " WINDOW w AS (PARTITION BY instrument_id ORDER BY number)) t"
            " WHERE time <= earlier OR number <> before + 1"
        ).fetchone()
    assert doubled == (0,)


async def test_old_ticks_go_but_not_those_around_a_fixing(base: World) -> None:
    clock = SystemClock()
    old = clock.now() - timedelta(days=10)
    async with base.database() as database:
        with psycopg.connect(base.access.owner) as owner:
            owner.execute("SELECT partition_create(%s)", [old.date()])
            noon = datetime.combine(old.date(), datetime.min.time(), old.tzinfo) + seconds(43200)
            owner.execute(
                "INSERT INTO instrument (symbol, price_scale, version) VALUES ('OLD', 2, 1)"
            )
            for number, second in enumerate((0, 29, 31, 3600, 3601), start=1):
                owner.execute(
                    "INSERT INTO tick VALUES (1, %s, %s, 100, NULL, false)",
                    [number, noon + seconds(second)],
                )
            owner.execute(
                "INSERT INTO fixing VALUES (1, %s, 1, NULL, 'NO_TICK', '[]', '[]', now(), NULL)",
                [noon],
            )
            # One of an instrument whose ticks may be older than what is kept around a fixing.
            owner.execute(
                "INSERT INTO fixing VALUES (1, %s, 1, %s, NULL, '[]', '[]', now(), NULL)",
                [noon + seconds(3_600 + 600), Jsonb([4, 0, 100, None, False])],
            )
        await Retention(database, clock, keep_days=7).run()
        await Retention(database, clock, keep_days=7).run()

    with psycopg.connect(base.access.owner) as owner:
        kept = owner.execute("SELECT number FROM kept_tick ORDER BY number").fetchall()
        assert kept == [(1,), (2,), (4,)]
        assert owner.execute("SELECT last_number FROM instrument").fetchone() == (5,)
        assert owner.execute("SELECT count(*) FROM tick").fetchone() == (0,)
    with (
        psycopg.connect(base.access.service) as service,
        pytest.raises(psycopg.errors.RaiseException, match="too young"),
    ):
        service.execute("SELECT partition_drop(%s)", [clock.now().date()])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tick SET price = 1",
        "DELETE FROM tick",
        "UPDATE fixing SET void_reason = NULL",
        "DELETE FROM fixing",
        "UPDATE instrument_version SET status = 'HALTED'",
        "DELETE FROM run",
        "UPDATE heartbeat SET time = now()",
        "DROP TABLE tick",
    ],
)
async def test_the_service_may_not_rewrite_the_record(base: World, statement: str) -> None:
    with (
        psycopg.connect(base.access.service) as service,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        service.execute(statement)
