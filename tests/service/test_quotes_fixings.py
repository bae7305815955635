import asyncio

from psycopg.types.json import Jsonb

from services.kit.wire import to_datetime
from tests.service.quotes_fixtures import Quotes, Simulator, World, eventually, seconds
from veritick.quotes.v1 import fixing_service_pb2 as fixing
from veritick.quotes.v1 import instrument_pb2
from veritick.quotes.v1 import market_data_service_pb2 as market
from veritick.quotes.v1.instrument_service_pb2 import UpdateInstrumentRequest

pytest_plugins = ["tests.service.quotes_fixtures"]

SYMBOL = "BTCUSD"


def reason(found: fixing.Fixing) -> str:
    assert found.state == fixing.Fixing.VOID
    assert not found.HasField("tick")
    return fixing.VoidReason.Name(found.void_reason)


async def test_a_fixing_is_the_last_tick_at_or_before_the_moment(quotes: Quotes) -> None:
    await quotes.until_status(SYMBOL, "OPEN")
    await asyncio.sleep(1)
    moment = quotes.clock.now()

    found = await quotes.fixed(SYMBOL, moment)

    ticks = await quotes.ticks(SYMBOL, moment - seconds(20), moment + seconds(0.000001))
    assert found.state == fixing.Fixing.FINAL
    assert found.tick == ticks[-1]
    assert list(found.ticks_before) == ticks[-3:]
    assert to_datetime(found.watermark) >= moment
    assert to_datetime(found.feed_time) <= moment


async def test_a_fixing_at_the_time_of_a_tick_is_that_tick(quotes: Quotes) -> None:
    await quotes.until_status(SYMBOL, "OPEN")
    now = quotes.clock.now()
    tick = (await quotes.ticks(SYMBOL, now - seconds(20), now))[-1]

    at = await quotes.fixed(SYMBOL, to_datetime(tick.time))
    before = await quotes.fixed(SYMBOL, to_datetime(tick.time) - seconds(0.000001))

    assert at.tick == tick
    assert before.tick.number < tick.number
    assert before.ticks_after[0] == tick


async def test_what_is_not_over_yet_is_pending_and_then_stays_as_it_was_first_said(
    quotes: Quotes,
) -> None:
    await quotes.until_status(SYMBOL, "OPEN")
    moment = quotes.clock.now() + seconds(0.5)
    assert (await quotes.fix(SYMBOL, moment)).state == fixing.Fixing.PENDING

    first = await quotes.fixed(SYMBOL, moment)
    await asyncio.sleep(1)

    assert await quotes.fix(SYMBOL, moment) == first


async def test_many_callers_at_once_hear_the_same(quotes: Quotes) -> None:
    await quotes.until_status(SYMBOL, "OPEN")
    moment = quotes.clock.now() - seconds(0.2)

    answers = await asyncio.gather(*(quotes.fixed(SYMBOL, moment) for _ in range(10)))

    assert all(answer == answers[0] for answer in answers)


async def test_a_batch_is_answered_in_its_order_also_with_repetitions(quotes: Quotes) -> None:
    await quotes.until_status(SYMBOL, "OPEN")
    await quotes.until_status("ETHUSD", "OPEN")
    moment = (await quotes.fixed(SYMBOL, quotes.clock.now())).time
    later = instrument_pb2.Tick(time=moment).time
    later.FromDatetime(to_datetime(moment) + seconds(3600))
    asked = [("ETHUSD", moment), (SYMBOL, later), (SYMBOL, moment), ("ETHUSD", moment)]
    points = [fixing.FixingPoint(instrument=symbol, time=time) for symbol, time in asked]

    answer = await quotes.fixings.BatchGetFixings(fixing.BatchGetFixingsRequest(points=points))

    assert [(found.instrument, found.time) for found in answer.fixings] == asked
    final, pending = fixing.Fixing.FINAL, fixing.Fixing.PENDING
    assert [found.state for found in answer.fixings] == [final, pending, final, final]


async def test_a_gap_of_the_feed_makes_the_market_stale_and_voids_as_silent(
    quotes: Quotes, feed: Simulator
) -> None:
    await quick(quotes, SYMBOL, max_tick_age_seconds=600, feed_silence_max_seconds=1)
    await quotes.until_status(SYMBOL, "OPEN")
    await feed.command("gap")
    await quotes.until_status(SYMBOL, "STALE")
    silent_since = (await quotes.market(SYMBOL)).feed_time

    at_the_limit = to_datetime(silent_since) + seconds(1)
    assert reason(await quotes.fixed(SYMBOL, at_the_limit)) == "FEED_SILENT"
    found = await quotes.fixed(SYMBOL, at_the_limit - seconds(0.000001))
    assert found.state == fixing.Fixing.FINAL
    assert found.feed_time == silent_since

    await feed.command("resume")
    await quotes.until_status(SYMBOL, "OPEN")
    assert (await quotes.fixed(SYMBOL, quotes.clock.now())).state == fixing.Fixing.FINAL


async def test_a_frozen_price_is_no_tick_while_the_feed_is_still_heard(
    quotes: Quotes, feed: Simulator
) -> None:
    await quick(quotes, SYMBOL, max_tick_age_seconds=1)
    await quotes.until_status(SYMBOL, "OPEN")
    await feed.command("freeze", SYMBOL)
    await quotes.until_status(SYMBOL, "STALE")

    last = to_datetime((await quotes.market(SYMBOL)).last_tick.time)

    assert (await quotes.fixed(SYMBOL, last + seconds(1))).state == fixing.Fixing.FINAL
    assert reason(await quotes.fixed(SYMBOL, last + seconds(1.000001))) == "NO_TICK"
    assert await quotes.status("ETHUSD") == "OPEN"


async def test_held_back_ticks_come_late_and_fix_nothing(quotes: Quotes, feed: Simulator) -> None:
    await quick(quotes, SYMBOL, max_tick_age_seconds=1)
    await quotes.until_status(SYMBOL, "OPEN")
    await feed.command("pause")
    await asyncio.sleep(3)
    await feed.command("freeze", SYMBOL)
    await feed.command("resume", "ETHUSD")
    await asyncio.sleep(0.5)
    moment = quotes.clock.now()

    found = await quotes.fixed(SYMBOL, moment)

    ticks = await quotes.ticks(SYMBOL, moment - seconds(20), moment)
    assert any(tick.late for tick in ticks)
    assert found.ticks_before[-1] == ticks[-1]
    on_time = [tick for tick in ticks if not tick.late]
    if found.state == fixing.Fixing.FINAL:
        assert found.tick == on_time[-1]
    else:
        assert reason(found) == "NO_TICK"


async def test_a_halt_voids_moments_from_its_beginning_on_and_none_before(quotes: Quotes) -> None:
    await quotes.until_status(SYMBOL, "OPEN")
    await asyncio.sleep(0.5)
    before = quotes.clock.now()
    await quick(quotes, SYMBOL, status=instrument_pb2.Instrument.HALTED)
    assert await quotes.status(SYMBOL) == "HALTED"

    halted = await quotes.fixed(SYMBOL, quotes.clock.now())
    await quick(quotes, SYMBOL, status=instrument_pb2.Instrument.CLOSE_ONLY)

    assert reason(halted) == "INSTRUMENT_HALTED"
    assert (await quotes.fixed(SYMBOL, before)).state == fixing.Fixing.FINAL
    assert (await quotes.fixed(SYMBOL, quotes.clock.now())).state == fixing.Fixing.FINAL


async def test_outside_the_sessions_there_is_no_price(quotes: Quotes) -> None:
    now = quotes.clock.now()
    minute = now.weekday() * 1440 + now.hour * 60 + now.minute
    opens = (minute + 2880) % 10080
    window = instrument_pb2.Schedule.Window(open_minute=opens, close_minute=opens + 60)
    schedule = instrument_pb2.Schedule(time_zone="UTC", windows=[window])
    await quick(quotes, SYMBOL, schedule=schedule)

    assert await quotes.status(SYMBOL) == "CLOSED"
    found = await quotes.instrument(SYMBOL)
    assert found.next_open_time == found.sessions[0].open_time

    async def ticking() -> bool:
        return (await quotes.market(SYMBOL)).HasField("last_tick")

    await eventually(ticking)
    await asyncio.sleep(0.2)
    assert reason(await quotes.fixed(SYMBOL, quotes.clock.now())) == "MARKET_CLOSED"


async def test_what_passed_while_nobody_listened_is_not_covered(
    world: World, feed: Simulator
) -> None:
    async with world.running(feed.url) as quotes:
        await quotes.until_status(SYMBOL, "OPEN")
        await asyncio.sleep(0.3)
    async with world.running(feed.url) as quotes:
        await quotes.until_status(SYMBOL, "OPEN")
        async with quotes.database.raw() as connection:
            cursor = await connection.execute("SELECT start_time, watermark FROM run ORDER BY id")
            (_, last), (start, _) = await cursor.fetchall()

        assert last < start
        assert reason(await quotes.fixed(SYMBOL, last + (start - last) / 2)) == "NOT_COVERED"
        assert reason(await quotes.fixed(SYMBOL, start - seconds(0.000001))) == "NOT_COVERED"
        assert (await quotes.fixed(SYMBOL, last)).state == fixing.Fixing.FINAL
        assert (await quotes.fixed(SYMBOL, start)).state == fixing.Fixing.FINAL


async def test_generated_history_never_fixes_a_price(quotes: Quotes) -> None:
    await quotes.until_status(SYMBOL, "OPEN")

    async def has_a_past() -> bool:
        request = market.ListCandlesRequest(instrument=SYMBOL, page_size=100)
        request.interval.FromSeconds(60)
        candles = (await quotes.data.ListCandles(request)).candles
        return any(candle.synthetic for candle in candles)

    await eventually(has_a_past)
    long_ago = quotes.clock.now() - seconds(1800)

    assert reason(await quotes.fixed(SYMBOL, long_ago)) == "NOT_COVERED"
    assert await quotes.ticks(SYMBOL, long_ago - seconds(60), long_ago + seconds(60)) == []


async def test_a_stored_fixing_is_told_again_even_if_the_record_said_otherwise(
    quotes: Quotes,
) -> None:
    await quotes.until_status(SYMBOL, "OPEN")
    moment = quotes.clock.now()
    tick = [1, 0, 4711, None, False]
    async with quotes.database.raw() as connection:
        await connection.execute(
            "INSERT INTO fixing (instrument_id, time, rule_version, tick, ticks_before,"
            " ticks_after, watermark) SELECT id, %s, 1, %s, '[]', '[]', %s FROM instrument"
            " WHERE symbol = %s",
            [moment, Jsonb(tick), moment, SYMBOL],
        )
        await connection.commit()

    assert (await quotes.fixed(SYMBOL, moment)).tick.price.mantissa == 4711


async def quick(quotes: Quotes, symbol: str, **changes: object) -> None:
    """Change an instrument's settings, as staff do."""
    wanted = await quotes.instrument(symbol)
    for name, value in changes.items():
        if isinstance(value, instrument_pb2.Schedule):
            wanted.schedule.CopyFrom(value)
        else:
            setattr(wanted, name, value)
    await quotes.instruments.UpdateInstrument(UpdateInstrumentRequest(instrument=wanted))
