import asyncio

from services.kit.wire import to_datetime
from tests.service.quotes_fixtures import Quotes, Simulator, World, seconds
from tests.waiting import eventually
from veritick.quotes.v1 import fixing_service_pb2 as fixing
from veritick.quotes.v1 import instrument_pb2
from veritick.quotes.v1.instrument_service_pb2 import UpdateInstrumentRequest

pytest_plugins = ["tests.service.quotes_fixtures"]

SYMBOL = "BTCUSD"


def reason(found: fixing.Fixing) -> str:
    assert found.state == fixing.Fixing.VOID
    assert not found.HasField("tick")
    return fixing.VoidReason.Name(found.void_reason)


async def test_a_gap_of_the_feed_makes_the_market_stale_and_voids_as_silent(
    quotes: Quotes, feed: Simulator
) -> None:
    await quick(quotes, SYMBOL, max_tick_age_seconds=600, feed_silence_max_seconds=1)
    await quotes.until_status(SYMBOL, "OPEN")
    await feed.command("gap")
    await quotes.until_status(SYMBOL, "STALE")
    silent_since = await quotes.silent_since(SYMBOL, seconds(1))

    at_the_limit = silent_since + seconds(1)
    assert reason(await quotes.fixed(SYMBOL, at_the_limit)) == "FEED_SILENT"
    found = await quotes.fixed(SYMBOL, at_the_limit - seconds(0.000001))
    assert found.state == fixing.Fixing.FINAL
    assert to_datetime(found.feed_time) == silent_since

    await feed.command("resume")
    await quotes.until_status(SYMBOL, "OPEN")
    await quotes.until_fixed(SYMBOL)


async def test_a_frozen_price_is_no_tick_while_the_feed_is_still_heard(
    quotes: Quotes, feed: Simulator
) -> None:
    await quick(quotes, SYMBOL, max_tick_age_seconds=1, feed_silence_max_seconds=600)
    await quotes.until_status(SYMBOL, "OPEN")
    await feed.command("freeze", SYMBOL)
    await quotes.until_status(SYMBOL, "STALE")

    last = await quotes.frozen_since(SYMBOL, seconds(1.000001))

    assert (await quotes.fixed(SYMBOL, last + seconds(1))).state == fixing.Fixing.FINAL
    assert reason(await quotes.fixed(SYMBOL, last + seconds(1.000001))) == "NO_TICK"
    await quotes.until_status("ETHUSD", "OPEN")


async def test_held_back_ticks_come_late_and_fix_nothing(quotes: Quotes, feed: Simulator) -> None:
    await quick(quotes, SYMBOL, max_tick_age_seconds=1, feed_silence_max_seconds=600)
    await quotes.until_status(SYMBOL, "OPEN")
    await feed.command("pause")
    await asyncio.sleep(3)
    await feed.command("freeze", SYMBOL)
    await feed.command("resume", "ETHUSD")

    async def late_ones_came() -> bool:
        ticks = await quotes.ticks(SYMBOL, quotes.since, quotes.clock.now())
        return any(tick.late for tick in ticks)

    await eventually(late_ones_came)
    moment = quotes.clock.now()

    found = await quotes.fixed(SYMBOL, moment)

    ticks = await quotes.ticks(SYMBOL, quotes.since, moment)
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
    await quotes.until_fixed(SYMBOL)


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
    base: World, feed: Simulator
) -> None:
    async with base.running(feed.url) as quotes:
        # However long it takes to start again.
        await quick(quotes, SYMBOL, max_tick_age_seconds=600, feed_silence_max_seconds=600)
        await quotes.until_status(SYMBOL, "OPEN")
        await asyncio.sleep(0.3)
    async with base.running(feed.url) as quotes:
        await quotes.until_status(SYMBOL, "OPEN")
        async with quotes.database.raw() as connection:
            cursor = await connection.execute("SELECT start_time, watermark FROM run ORDER BY id")
            (_, last), (start, _) = await cursor.fetchall()

        assert last < start
        assert reason(await quotes.fixed(SYMBOL, last + (start - last) / 2)) == "NOT_COVERED"
        assert reason(await quotes.fixed(SYMBOL, start - seconds(0.000001))) == "NOT_COVERED"
        assert (await quotes.fixed(SYMBOL, last)).state == fixing.Fixing.FINAL
        assert (await quotes.fixed(SYMBOL, start)).state == fixing.Fixing.FINAL


async def quick(quotes: Quotes, symbol: str, **changes: object) -> None:
    """Change an instrument's settings, as staff do."""
    wanted = await quotes.instrument(symbol)
    for name, value in changes.items():
        if isinstance(value, instrument_pb2.Schedule):
            wanted.schedule.CopyFrom(value)
        else:
            setattr(wanted, name, value)
    await quotes.instruments.UpdateInstrument(UpdateInstrumentRequest(instrument=wanted))
