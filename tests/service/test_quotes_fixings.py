import asyncio
from datetime import datetime

import pytest
from psycopg.types.json import Jsonb

from services.kit.wire import to_datetime, to_timestamp
from tests.service.quotes_fixtures import Quotes, seconds
from tests.waiting import eventually
from veritick.quotes.v1 import fixing_service_pb2 as fixing
from veritick.quotes.v1 import instrument_pb2
from veritick.quotes.v1 import market_data_service_pb2 as market

pytest_plugins = ["tests.service.quotes_fixtures"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

SYMBOL = "BTCUSD"


def reason(found: fixing.Fixing) -> str:
    assert found.state == fixing.Fixing.VOID
    assert not found.HasField("tick")
    return fixing.VoidReason.Name(found.void_reason)


async def test_a_fixing_is_the_last_tick_at_or_before_the_moment(
    quotes_for_a_while: Quotes,
) -> None:
    quotes = quotes_for_a_while
    await quotes.until_ticks(SYMBOL, 3)
    moment = quotes.clock.now()

    found = await quotes.fixed(SYMBOL, moment)

    ticks = await quotes.ticks(SYMBOL, quotes.since, moment + seconds(0.000001))
    assert found.state == fixing.Fixing.FINAL
    assert found.tick == ticks[-1]
    assert list(found.ticks_before) == ticks[-3:]
    assert to_datetime(found.watermark) >= moment
    assert to_datetime(found.feed_time) <= moment


async def test_a_fixing_at_the_time_of_a_tick_is_that_tick(quotes_for_a_while: Quotes) -> None:
    quotes = quotes_for_a_while
    await quotes.until_ticks(SYMBOL, 2)
    tick = (await quotes.ticks(SYMBOL, quotes.since, quotes.clock.now()))[-1]

    at = await quotes.fixed(SYMBOL, to_datetime(tick.time))
    before = await quotes.fixed(SYMBOL, to_datetime(tick.time) - seconds(0.000001))

    assert at.tick == tick
    assert before.tick.number < tick.number
    assert before.ticks_after[0] == tick


async def test_what_is_not_over_yet_is_pending_and_then_stays_as_it_was_first_said(
    quotes_for_a_while: Quotes,
) -> None:
    quotes = quotes_for_a_while
    await quotes.until_status(SYMBOL, "OPEN")
    moment = quotes.clock.now() + seconds(3)
    assert (await quotes.fix(SYMBOL, moment)).state == fixing.Fixing.PENDING

    first = await quotes.fixed(SYMBOL, moment)
    await quotes.until_ticks(SYMBOL, 3)

    assert await quotes.fix(SYMBOL, moment) == first


async def test_many_callers_at_once_hear_the_same(quotes_for_a_while: Quotes) -> None:
    quotes = quotes_for_a_while
    await quotes.until_status(SYMBOL, "OPEN")
    moment = quotes.clock.now() - seconds(0.2)

    answers = await asyncio.gather(*(quotes.fixed(SYMBOL, moment) for _ in range(10)))

    assert all(answer == answers[0] for answer in answers)


async def test_a_batch_is_answered_in_its_order_also_with_repetitions(
    quotes_for_a_while: Quotes,
) -> None:
    quotes = quotes_for_a_while
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


async def test_generated_history_never_fixes_a_price(quotes_for_a_while: Quotes) -> None:
    quotes = quotes_for_a_while
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
    quotes_for_a_while: Quotes,
) -> None:
    quotes = quotes_for_a_while
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


async def stood(quotes: Quotes, *points: tuple[str, datetime]) -> list[fixing.MarketRecord]:
    """Return how markets stood, by the record."""
    asked = [fixing.FixingPoint(instrument=s, time=to_timestamp(t)) for s, t in points]
    request = fixing.BatchGetMarketRecordsRequest(points=asked)
    answer = await quotes.fixings.BatchGetMarketRecords(request)
    return list(answer.records)


async def test_the_record_tells_how_a_market_stood(quotes_for_a_while: Quotes) -> None:
    quotes = quotes_for_a_while
    await quotes.until_status(SYMBOL, "OPEN")
    opened = quotes.clock.now()
    await quotes.fixed(SYMBOL, opened)
    now = quotes.clock.now()
    tick = (await quotes.ticks(SYMBOL, now - seconds(20), now))[-1]
    ahead, long_ago = now + seconds(3_600), now - seconds(86_400)

    at, entry, later, before = await stood(
        quotes, (SYMBOL, opened), (SYMBOL, to_datetime(tick.time)), (SYMBOL, ahead),
        (SYMBOL, long_ago),
    )  # fmt: skip

    record = fixing.MarketRecord
    assert [found.state for found in (at, entry, later, before)] == [
        record.TRADABLE,
        record.TRADABLE,
        record.PENDING,
        record.NOT_COVERED,
    ]
    assert entry.last_tick == tick
    assert at.max_tick_age_seconds == 5
    assert not at.HasField("session_close_time")  # around the clock
