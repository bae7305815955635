import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from grpc.aio import AioRpcError

from services.kit.channels import failure_of
from services.kit.reason import Reason
from services.kit.wire import to_datetime
from services.quotes.instrument import MarketStatus
from services.quotes.instruments import announce, announced, current
from tests.service.quotes_fixtures import Quotes, Simulator, World, simulator
from tests.stores import Postgres, ValkeyServer
from tests.waiting import PATIENCE_SECONDS, eventually
from veritick.identity.v1.audit_record_pb2 import AuditRecord
from veritick.journal.v1.journal_service_pb2 import (
    ListEventsRequest,
    SubjectPlace,
    WatchJournalRequest,
)
from veritick.quotes.v1 import instrument_pb2
from veritick.quotes.v1 import market_data_service_pb2 as market
from veritick.quotes.v1.instrument_service_pb2 import (
    CreateInstrumentRequest,
    ListInstrumentsRequest,
    UpdateInstrumentRequest,
)

pytest_plugins = ["tests.service.quotes_fixtures"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

AROUND_THE_CLOCK = instrument_pb2.Schedule.Window(open_minute=0, close_minute=10080)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def exchange() -> AsyncIterator[Simulator]:
    async with simulator() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def staffed(
    postgres: Postgres, valkey: ValkeyServer, quotes_keys: object, exchange: Simulator
) -> AsyncIterator[Quotes]:
    with postgres.database("quotes") as access:
        base = World(access, quotes_keys, valkey.url)  # type: ignore[arg-type]
        async with base.running(exchange.url) as running:
            await running.until_status("BTCUSD", "OPEN")
            yield running


def an_instrument(symbol: str, **changes: object) -> instrument_pb2.Instrument:
    values: dict[str, object] = {
        "display_name": symbol,
        "asset_class": "CRYPTO",
        "price_scale": 4,
        "status": instrument_pb2.Instrument.ENABLED,
        "feed_symbol": symbol,
        "max_tick_age_seconds": 5,
        "feed_silence_max_seconds": 5,
        "position": 500,
        "schedule": instrument_pb2.Schedule(time_zone="UTC", windows=[AROUND_THE_CLOCK]),
    }
    return instrument_pb2.Instrument(symbol=symbol, **(values | changes))  # type: ignore[arg-type]


async def create(quotes: Quotes, wanted: instrument_pb2.Instrument) -> instrument_pb2.Instrument:
    answer = await quotes.instruments.CreateInstrument(CreateInstrumentRequest(instrument=wanted))
    return answer.instrument


async def update(quotes: Quotes, wanted: instrument_pb2.Instrument) -> instrument_pb2.Instrument:
    answer = await quotes.instruments.UpdateInstrument(UpdateInstrumentRequest(instrument=wanted))
    return answer.instrument


async def refused(call: object) -> Reason:
    with pytest.raises(AioRpcError) as error:
        await call  # type: ignore[misc]
    return failure_of(error.value).reason


async def events(quotes: Quotes, after: int) -> list[instrument_pb2.Instrument]:
    request = ListEventsRequest(journal="quotes", subject="instruments", after_sequence=after)
    entries = (await quotes.journal.ListEvents(request)).entries
    assert all(entry.type == "instrument.changed.v1" for entry in entries)
    return [entry.event.instrument_changed.instrument for entry in entries]


async def last_sequence(quotes: Quotes) -> int:
    request = ListEventsRequest(journal="quotes", subject="instruments")
    return int((await quotes.journal.ListEvents(request)).last_sequence)


async def test_a_new_instrument_ticks_and_opens_without_a_restart(staffed: Quotes) -> None:
    before = await last_sequence(staffed)
    made = await create(staffed, an_instrument("NEWUSD"))

    assert made.version == 1
    assert (await staffed.instrument("NEWUSD")).feed_symbol == "NEWUSD"
    await staffed.until_status("NEWUSD", "OPEN")

    async def announced() -> bool:
        told = [e for e in await events(staffed, before) if e.symbol == "NEWUSD"]
        return bool(told) and told[-1].market_status == instrument_pb2.Market.OPEN

    await eventually(announced)


async def test_a_changed_feed_symbol_brings_the_other_prices_at_once(
    staffed: Quotes, exchange: Simulator
) -> None:
    await create(staffed, an_instrument("MOVEDUSD"))
    await staffed.until_status("MOVEDUSD", "OPEN")
    wanted = await staffed.instrument("MOVEDUSD")
    wanted.feed_symbol = "ELSEWHERE"
    changed = await update(staffed, wanted)

    async def moved() -> bool:
        await exchange.command("tick", "ELSEWHERE", price="7.0000")
        now = staffed.clock.now()
        ticks = await staffed.ticks("MOVEDUSD", to_datetime(wanted.sessions[0].open_time), now)
        return any(tick.price.mantissa == 70000 for tick in ticks)

    assert changed.version == 2
    await eventually(moved)


async def test_watchers_hear_of_a_change(staffed: Quotes) -> None:
    await create(staffed, an_instrument("WATCHED"))
    watching = staffed.data.WatchMarket(market.WatchMarketRequest())
    wanted = await staffed.instrument("WATCHED")
    wanted.status = instrument_pb2.Instrument.HALTED
    seen = wanted
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for change in watching:
            if change.HasField("snapshot_complete"):
                await update(staffed, wanted)
            seen = change.instrument
            if seen.symbol == "WATCHED" and seen.version == 2:
                break

    assert seen.market_status == instrument_pb2.Market.HALTED
    assert [e.version for e in await events(staffed, 0) if e.symbol == "WATCHED"][-1] == 2


async def test_a_status_seen_before_a_change_is_not_announced_after_it(staffed: Quotes) -> None:
    await create(staffed, an_instrument("OUTDATED"))
    async with staffed.database.raw() as connection:
        (seen,) = [i for i in await current(connection) if i.definition.symbol == "OUTDATED"]
        assert await announce(connection, [(seen, MarketStatus.OPEN)]) == {seen.id}
        await connection.commit()
    await update(staffed, await staffed.instrument("OUTDATED"))

    async with staffed.database.raw() as connection:
        assert await announce(connection, [(seen, MarketStatus.CLOSED)]) == set()
        assert (await announced(connection))[seen.id] is not MarketStatus.CLOSED


async def test_of_two_changes_to_one_version_the_second_is_refused(staffed: Quotes) -> None:
    first = await create(staffed, an_instrument("CONTENDED"))
    answers = await asyncio.gather(
        *(update(staffed, first) for _ in range(5)), return_exceptions=True
    )

    failures = [failure_of(a).reason for a in answers if isinstance(a, AioRpcError)]
    assert failures == [Reason.INSTRUMENT_CHANGED] * 4
    assert (await staffed.instrument("CONTENDED")).version == 2


async def test_symbol_and_scale_never_change(staffed: Quotes) -> None:
    made = await create(staffed, an_instrument("SCALED"))
    made.price_scale = 2

    assert (await update(staffed, made)).price_scale == 4


async def test_what_can_not_be_is_refused_with_its_reason(staffed: Quotes) -> None:
    def scheduled(*windows: tuple[int, int], zone: str = "UTC") -> instrument_pb2.Instrument:
        return an_instrument(
            "NEVERUSD",
            schedule=instrument_pb2.Schedule(
                time_zone=zone,
                windows=[
                    instrument_pb2.Schedule.Window(open_minute=opened, close_minute=closed)
                    for opened, closed in windows
                ],
            ),
        )

    nowhere = an_instrument("NOWHERE")
    nowhere.version = 1
    assert await refused(create(staffed, an_instrument("BTCUSD"))) is Reason.INSTRUMENT_EXISTS
    assert await refused(update(staffed, nowhere)) is Reason.INSTRUMENT_NOT_FOUND
    for impossible in (
        scheduled(),
        scheduled((10, 5)),
        scheduled((0, 100), (50, 150)),
        scheduled((0, 10080), zone="Mars/Olympus"),
    ):
        assert await refused(create(staffed, impossible)) is Reason.INVALID_SCHEDULE
    shapeless = an_instrument("NEVERUSD")
    shapeless.ClearField("schedule")
    assert await refused(create(staffed, shapeless)) is Reason.INVALID_REQUEST
    assert await refused(staffed.instrument("NEVERUSD")) is Reason.INSTRUMENT_NOT_FOUND


async def test_pages_of_instruments_are_complete_and_in_order(staffed: Quotes) -> None:
    listed: list[str] = []
    token = ""
    while True:
        request = ListInstrumentsRequest(page_size=5, page_token=token, filter="assetClass=FX")
        page = await staffed.instruments.ListInstruments(request)
        listed += [instrument.symbol for instrument in page.instruments]
        token = page.next_page_token
        if not token:
            break

    assert len(listed) == 12
    assert listed[0] == "EURUSD"
    bad = ListInstrumentsRequest(page_token="bm9uc2Vuc2U")
    assert await refused(staffed.instruments.ListInstruments(bad)) is Reason.INVALID_PAGE_TOKEN
    odd = ListInstrumentsRequest(filter="price=1")
    assert await refused(staffed.instruments.ListInstruments(odd)) is Reason.INVALID_FILTER


async def test_what_staff_make_of_an_instrument_is_on_record(staffed: Quotes) -> None:
    made = await create(staffed, an_instrument("RECORDED"))
    made.display_name = "Another"
    await update(staffed, made)

    request = WatchJournalRequest(journal="quotes", subject=SubjectPlace(subject="audit"))
    told: list[AuditRecord] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for response in staffed.journal.WatchJournal(request):
            records = [entry.event.audit_recorded.record for entry in response.entries]
            told += [record for record in records if record.subject == "instrument:RECORDED"]
            if len(told) == 2:
                break
    assert [record.action for record in told] == ["instrument.create", "instrument.update"]
    assert (told[0].before, json.loads(told[0].after)["displayName"]) == ("", "RECORDED")
    assert json.loads(told[1].before)["displayName"] == "RECORDED"
    assert json.loads(told[1].after)["displayName"] == "Another"
