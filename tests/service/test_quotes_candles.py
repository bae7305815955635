from collections.abc import Sequence
from datetime import datetime

import pytest
from grpc.aio import AioRpcError

from services.kit.channels import failure_of
from services.kit.reason import Reason
from services.kit.wire import to_datetime, to_timestamp
from tests.service.quotes_fixtures import Quotes, seconds
from tests.waiting import eventually
from veritick.quotes.v1 import instrument_pb2
from veritick.quotes.v1 import market_data_service_pb2 as market

pytest_plugins = ["tests.service.quotes_fixtures"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

SYMBOL = "BTCUSD"
Bar = tuple[int, int, int, int, int, int]


async def candles(
    quotes: Quotes, interval_seconds: int, page_size: int = 0, **span: datetime
) -> market.ListCandlesResponse:
    request = market.ListCandlesRequest(instrument=SYMBOL, page_size=page_size)
    for name, moment in span.items():
        getattr(request, name).CopyFrom(to_timestamp(moment))
    request.interval.FromSeconds(interval_seconds)
    return await quotes.data.ListCandles(request)


def bars(listed: market.ListCandlesResponse) -> list[Bar]:
    return [
        (c.start_time.seconds, c.open, c.high, c.low, c.close, c.ticks)
        for c in listed.candles
        if not c.synthetic
    ]


def folded(ticks: Sequence[instrument_pb2.Tick], width: int) -> list[Bar]:
    """Candles as anybody would make them from the ticks."""
    grouped: dict[int, list[int]] = {}
    for tick in ticks:
        if not tick.late:
            start = tick.time.seconds // width * width
            grouped.setdefault(start, []).append(tick.price.mantissa)
    return [
        (start, prices[0], max(prices), min(prices), prices[-1], len(prices))
        for start, prices in grouped.items()
    ]


@pytest.mark.parametrize("width", [1, 5, 15, 30, 60, 300, 900, 3600, 14_400, 86_400])
async def test_candles_are_what_the_ticks_fold_to(quotes_for_a_while: Quotes, width: int) -> None:
    quotes = quotes_for_a_while
    while True:
        # A tick may come between the two answers; then they are asked for again.
        now = quotes.clock.now()
        before = await quotes.ticks(SYMBOL, now - seconds(300), now + seconds(60))
        listed = await candles(quotes, width, 2000)
        after = await quotes.ticks(SYMBOL, now - seconds(300), now + seconds(60))
        if before == after:
            break

    assert bars(listed) == folded(before, width)


async def test_a_new_chart_has_a_past_that_says_what_it_is(quotes_for_a_while: Quotes) -> None:
    quotes = quotes_for_a_while

    async def has_a_past() -> bool:
        minutes = len((await candles(quotes, 60)).candles)
        return minutes > 100 and len((await candles(quotes, 86_400, 200)).candles) > 80

    await eventually(has_a_past)
    minutes = (await candles(quotes, 60, 2000)).candles
    days = (await candles(quotes, 86_400, 200)).candles

    generated = [candle for candle in minutes if candle.synthetic]
    assert len(generated) > 1900
    assert all(candle.ticks == 0 for candle in generated)
    assert 88 <= len(days) <= 92
    # The very first tick, however long others have used this market before.
    ticks = await quotes.ticks(SYMBOL, quotes.clock.now() - seconds(3_600), quotes.clock.now())
    narrow = [candle for candle in (await candles(quotes, 1, 2000)).candles if candle.synthetic]
    assert narrow[-1].close == ticks[0].price.mantissa
    starts = [candle.start_time.seconds for candle in minutes]
    assert starts == sorted(set(starts))


async def test_all_widths_of_the_generated_past_agree(quotes_for_a_while: Quotes) -> None:
    quotes = quotes_for_a_while

    async def has_a_past() -> bool:
        return len((await candles(quotes, 3600)).candles) > 100

    await eventually(has_a_past)
    narrow = [c for c in (await candles(quotes, 60, 2000)).candles if c.synthetic]
    wide = [c for c in (await candles(quotes, 3600, 30)).candles if c.synthetic]
    compared = 0
    for candle in wide:
        start = candle.start_time.seconds
        parts = [c for c in narrow if start <= c.start_time.seconds < start + 3600]
        if len(parts) == 60:
            compared += 1
            assert (candle.open, candle.close) == (parts[0].open, parts[-1].close)
            assert candle.high == max(part.high for part in parts)
            assert candle.low == min(part.low for part in parts)
    assert compared > 20


async def test_pages_of_candles_lead_back_to_the_beginning(quotes_for_a_while: Quotes) -> None:
    quotes = quotes_for_a_while

    async def has_a_past() -> bool:
        return len((await candles(quotes, 3600)).candles) > 100

    await eventually(has_a_past)
    end, more = quotes.clock.now() - seconds(7200), True
    whole = await candles(quotes, 3600, 2000, end=end)
    assert whole.more
    found: list[market.Candle] = []
    while more:
        page = await candles(quotes, 3600, 500, end=end)
        found = [*page.candles, *found]
        end, more = to_datetime(page.candles[0].start_time), page.more

    assert len(found) > 2000
    assert found[-2000:] == list(whole.candles)[-2000:]


@pytest.mark.parametrize("interval_seconds", [0, 2, 61, 7200, -60])
async def test_other_widths_are_refused(quotes_for_a_while: Quotes, interval_seconds: int) -> None:
    with pytest.raises(AioRpcError) as refused:
        await candles(quotes_for_a_while, interval_seconds)
    assert failure_of(refused.value).reason is Reason.INVALID_REQUEST


async def test_an_end_before_the_start_is_refused(quotes_for_a_while: Quotes) -> None:
    now = quotes_for_a_while.clock.now()
    with pytest.raises(AioRpcError) as refused:
        await candles(quotes_for_a_while, 60, start=now, end=now - seconds(1))
    assert failure_of(refused.value).reason is Reason.INVALID_TIME_RANGE
