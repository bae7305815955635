from itertools import pairwise

from services.kit.wire import to_datetime
from tests.service.quotes_fixtures import Quotes
from veritick.quotes.v1 import market_data_service_pb2 as market
from veritick.quotes.v1.instrument_service_pb2 import ListInstrumentsRequest

pytest_plugins = ["tests.service.quotes_fixtures"]


async def test_a_newcomer_finds_a_market_that_is_open_on_any_day(quotes: Quotes) -> None:
    listed = (await quotes.instruments.ListInstruments(ListInstrumentsRequest())).instruments
    kinds = [instrument.asset_class for instrument in listed]

    assert listed[0].symbol == "BTCUSD"
    assert len(listed[0].sessions) == 1
    assert not listed[0].sessions[0].HasField("close_time")
    assert kinds.count("CRYPTO") >= 12
    assert kinds.count("FX") == 12
    assert kinds.count("METAL") + kinds.count("INDEX") == 4
    await quotes.until_status("BTCUSD", "OPEN")


async def test_ticks_are_numbered_without_gaps_and_each_is_later_than_the_one_before(
    quotes: Quotes,
) -> None:
    await quotes.until_ticks("BTCUSD", 5)

    ticks = await quotes.ticks("BTCUSD", quotes.since, quotes.clock.now(), page_size=3)

    assert len(ticks) >= 5
    assert [tick.number for tick in ticks] == list(range(1, len(ticks) + 1))
    times = [to_datetime(tick.time) for tick in ticks]
    assert all(earlier < later for earlier, later in pairwise(times))


async def test_watching_the_market_begins_with_all_of_it_and_goes_on(quotes: Quotes) -> None:
    await quotes.until_status("BTCUSD", "OPEN")
    seen: list[market.WatchMarketResponse] = []
    async for change in quotes.data.WatchMarket(market.WatchMarketRequest()):
        seen.append(change)
        if len(seen) > 80:
            break

    kinds = [change.WhichOneof("change") for change in seen]
    complete = kinds.index("snapshot_complete")
    assert kinds[:28] == ["instrument"] * 28
    assert kinds[28:complete] == ["ticks", "watermark"]
    watermarks = [change.watermark for change in seen[complete:] if change.HasField("watermark")]
    marks = [to_datetime(watermark.time) for watermark in watermarks]
    assert all(earlier < later for earlier, later in pairwise(marks))
    assert all(to_datetime(w.sent_time) >= to_datetime(w.time) for w in watermarks)
    assert all(w.HasField("feed_time") for w in watermarks)
    last = seen[28].ticks.ticks[0].time
    for change in seen[complete:]:
        if change.HasField("watermark"):
            last = change.watermark.time
        elif change.HasField("ticks"):
            assert all(to_datetime(t.time) > to_datetime(last) for t in change.ticks.ticks)


async def test_who_wishes_for_no_past_gets_none(quotes: Quotes) -> None:
    await quotes.until_ticks("BTCUSD", 5)
    async with quotes.database.raw() as connection:
        found = await connection.execute("SELECT FROM instrument WHERE past_made_at IS NOT NULL")
        assert await found.fetchall() == []
