"""The faces of quotes: decode, call, encode."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from services.kit.audit import by_caller
from services.kit.clock import Clock
from services.kit.errors import Failure, Violation
from services.kit.pages import decode_page_token, encode_page_token, parse_filter
from services.kit.principal import caller
from services.kit.reason import Reason
from services.kit.wire import to_datetime, to_timestamp
from services.quotes import wire
from services.quotes.candle import INTERVALS_SECONDS, base_of
from services.quotes.candles import Candles
from services.quotes.catalogue import Catalogue
from services.quotes.fixing import Point
from services.quotes.fixings import Fixings
from services.quotes.instrument import Instrument, InstrumentStatus
from services.quotes.market import Change, LiveMarket, Standing, Watermark
from services.quotes.market import Ticks as StoredTicks
from services.quotes.openings import Openings
from services.quotes.ticks import Ticks
from veritick.quotes.v1 import fixing_service_pb2 as fixing_pb2
from veritick.quotes.v1 import instrument_service_pb2 as instrument_pb2
from veritick.quotes.v1 import market_data_service_pb2 as market_pb2
from veritick.quotes.v1.fixing_service_pb2_grpc import FixingServiceServicer
from veritick.quotes.v1.instrument_service_pb2_grpc import InstrumentServiceServicer
from veritick.quotes.v1.market_data_service_pb2_grpc import MarketDataServiceServicer

WRITE_PERMISSION = "instruments.write"
_PAGE_OF_INSTRUMENTS = 200
_PAGE_OF_TICKS = 1000
_PAGE_OF_CANDLES = 300
_FILTERS = frozenset({"assetClass", "status"})
_MINUTE = timedelta(minutes=1)


class InstrumentFace(InstrumentServiceServicer):
    """InstrumentService."""

    def __init__(self, market: LiveMarket, catalogue: Catalogue) -> None:
        """Read from the live market, write to the catalogue."""
        self._market = market
        self._catalogue = catalogue

    async def ListInstruments(
        self, request: instrument_pb2.ListInstrumentsRequest, context: Any
    ) -> instrument_pb2.ListInstrumentsResponse:
        """List instruments by position and symbol."""
        conditions = parse_filter(request.filter, _FILTERS)
        after = _place_of(request.page_token)
        size = request.page_size or _PAGE_OF_INSTRUMENTS
        found = [
            standing
            for standing in self._market.standings()
            if _place(standing) > after and _matches(standing, conditions) and _shown(standing)
        ]
        return instrument_pb2.ListInstrumentsResponse(
            instruments=[wire.to_instrument(standing) for standing in found[:size]],
            next_page_token=(
                encode_page_token(_place(found[size - 1])) if len(found) > size else ""
            ),
        )

    async def GetInstrument(
        self, request: instrument_pb2.GetInstrumentRequest, context: Any
    ) -> instrument_pb2.GetInstrumentResponse:
        """Answer one instrument."""
        standing = self._market.standing(request.instrument)
        return instrument_pb2.GetInstrumentResponse(instrument=wire.to_instrument(standing))

    async def CreateInstrument(
        self, request: instrument_pb2.CreateInstrumentRequest, context: Any
    ) -> instrument_pb2.CreateInstrumentResponse:
        """Add an instrument."""
        recording = partial(wire.instrument_recorded, by_caller())
        definition = wire.to_definition(request.instrument)
        standing = await self._catalogue.create(definition, recording)
        return instrument_pb2.CreateInstrumentResponse(instrument=wire.to_instrument(standing))

    async def UpdateInstrument(
        self, request: instrument_pb2.UpdateInstrumentRequest, context: Any
    ) -> instrument_pb2.UpdateInstrumentResponse:
        """Replace an instrument's settings."""
        definition = wire.to_definition(request.instrument)
        recording = partial(wire.instrument_recorded, by_caller())
        standing = await self._catalogue.update(definition, request.instrument.version, recording)
        return instrument_pb2.UpdateInstrumentResponse(instrument=wire.to_instrument(standing))


class MarketDataFace(MarketDataServiceServicer):
    """MarketDataService."""

    def __init__(self, market: LiveMarket, ticks: Ticks, candles: Candles, clock: Clock) -> None:
        """Read the present from the live market, the past from the database."""
        self._market = market
        self._ticks = ticks
        self._candles = candles
        self._clock = clock

    async def WatchTicks(
        self, request: market_pb2.WatchTicksRequest, context: Any
    ) -> AsyncIterator[market_pb2.WatchTicksResponse]:
        """Stream ticks of some instruments, beginning with the last of each."""
        ids = [self._market.standing(symbol).instrument.id for symbol in request.instruments]
        with self._market.watch_ticks(ids) as changes:
            last = [tick for i in dict.fromkeys(ids) if (tick := self._market.last_tick(i))]
            if last:
                yield market_pb2.WatchTicksResponse(ticks=wire.to_ticks(last, self._market))
            async for change in changes:
                if isinstance(change, StoredTicks):
                    ticks = wire.to_ticks(change.ticks, self._market)
                    yield market_pb2.WatchTicksResponse(ticks=ticks)

    async def ListTicks(
        self, request: market_pb2.ListTicksRequest, context: Any
    ) -> market_pb2.ListTicksResponse:
        """List stored ticks by number."""
        instrument = self._market.standing(request.instrument).instrument
        end = to_datetime(request.end) if request.HasField("end") else self._clock.now()
        start = to_datetime(request.start) if request.HasField("start") else end - _MINUTE
        _require_order(start, end)
        size = request.page_size or _PAGE_OF_TICKS
        after = _number(request.page_token)
        found = await self._ticks.page(instrument.id, start, end, after, size + 1)
        return market_pb2.ListTicksResponse(
            ticks=[wire.to_tick(tick, instrument) for tick in found[:size]],
            next_page_token=(
                encode_page_token([found[size - 1].number]) if len(found) > size else ""
            ),
        )

    async def ListCandles(
        self, request: market_pb2.ListCandlesRequest, context: Any
    ) -> market_pb2.ListCandlesResponse:
        """List candles by time."""
        instrument = self._market.standing(request.instrument).instrument
        interval = _interval(request)
        end = to_datetime(request.end) if request.HasField("end") else self._clock.now()
        start = to_datetime(request.start) if request.HasField("start") else None
        _require_order(start, end)
        page = await self._candles.page(
            instrument.id,
            interval,
            start,
            end,
            request.page_size or _PAGE_OF_CANDLES,
            self._market.forming(instrument.id, base_of(interval)),
        )
        return market_pb2.ListCandlesResponse(
            candles=[wire.to_candle(candle) for candle in page.candles],
            price_scale=instrument.definition.price_scale,
            more=page.more,
        )

    async def GetMarketStatus(
        self, request: market_pb2.GetMarketStatusRequest, context: Any
    ) -> market_pb2.GetMarketStatusResponse:
        """Answer what one market does now."""
        standing = self._market.standing(request.instrument)
        return market_pb2.GetMarketStatusResponse(market=wire.to_market(standing, self._market))

    async def WatchMarket(
        self, request: market_pb2.WatchMarketRequest, context: Any
    ) -> AsyncIterator[market_pb2.WatchMarketResponse]:
        """Stream the whole market: what it is, then what changes."""
        with self._market.watch() as changes:
            for change in self._snapshot():
                yield self._response(change)
            yield market_pb2.WatchMarketResponse(snapshot_complete=True)
            async for change in changes:
                yield self._response(change)

    def _snapshot(self) -> list[Change]:
        """Return the market as of one moment: nothing is awaited between."""
        snapshot: list[Change] = [*self._market.standings()]
        if last_ticks := self._market.last_ticks():
            snapshot.append(StoredTicks(last_ticks))
        if self._market.watermark:
            snapshot.append(self._market.watermark)
        return snapshot

    def _response(self, change: Change) -> market_pb2.WatchMarketResponse:
        match change:
            case Standing():
                return market_pb2.WatchMarketResponse(instrument=wire.to_instrument(change))
            case Watermark():
                watermark = wire.to_watermark(change, self._clock.now())
                return market_pb2.WatchMarketResponse(watermark=watermark)
            case StoredTicks():
                ticks = wire.to_ticks(change.ticks, self._market)
                return market_pb2.WatchMarketResponse(ticks=market_pb2.TickBatch(ticks=ticks))


class FixingFace(FixingServiceServicer):
    """FixingService."""

    def __init__(self, market: LiveMarket, fixings: Fixings, openings: Openings) -> None:
        """Answer from the stored record."""
        self._market = market
        self._fixings = fixings
        self._openings = openings

    async def BatchGetFixings(
        self, request: fixing_pb2.BatchGetFixingsRequest, context: Any
    ) -> fixing_pb2.BatchGetFixingsResponse:
        """Fix the price of each point asked for."""
        asked = self._asked(request.points)
        points = [Point(instrument.id, time) for instrument, time in asked]
        fixed = await self._fixings.fix(points)
        return fixing_pb2.BatchGetFixingsResponse(
            fixings=[
                wire.to_fixing(fixed[point], instrument)
                if point in fixed
                else fixing_pb2.Fixing(
                    instrument=instrument.symbol,
                    time=to_timestamp(time),
                    state=fixing_pb2.Fixing.PENDING,
                )
                for point, (instrument, time) in zip(points, asked, strict=True)
            ]
        )

    async def BatchGetMarketRecords(
        self, request: fixing_pb2.BatchGetMarketRecordsRequest, context: Any
    ) -> fixing_pb2.BatchGetMarketRecordsResponse:
        """Tell how each market stood."""
        asked = self._asked(request.points)
        points = [Point(instrument.id, time) for instrument, time in asked]
        found = await self._openings.at(points)
        records = [
            wire.to_market_record(found.get(point), instrument)
            for point, (instrument, _) in zip(points, asked, strict=True)
        ]
        return fixing_pb2.BatchGetMarketRecordsResponse(records=records)

    def _asked(self, points: Iterable[fixing_pb2.FixingPoint]) -> list[tuple[Instrument, datetime]]:
        return [
            (self._market.standing(point.instrument).instrument, to_datetime(point.time))
            for point in points
        ]


def _place(standing: Standing) -> tuple[int, str]:
    return standing.instrument.definition.position, standing.instrument.symbol


def _place_of(page_token: str) -> tuple[int, str]:
    if not page_token:
        return -(2**31) - 1, ""
    position, symbol = decode_page_token(page_token, int, str)
    return position, symbol


def _number(page_token: str) -> int:
    return decode_page_token(page_token, int)[0] if page_token else 0


def _matches(standing: Standing, conditions: dict[str, str]) -> bool:
    definition = standing.instrument.definition
    actual = {"assetClass": definition.asset_class, "status": definition.status.value}
    return all(actual[name] == value for name, value in conditions.items())


def _shown(standing: Standing) -> bool:
    """Hidden instruments are listed for services, and for those who may change them."""
    hidden = standing.instrument.definition.status is InstrumentStatus.HIDDEN
    who = caller()
    return not hidden or who.kind == "service" or WRITE_PERMISSION in who.permissions


def _interval(request: market_pb2.ListCandlesRequest) -> int:
    if request.interval.nanos or request.interval.seconds not in INTERVALS_SECONDS:
        allowed = ", ".join(map(str, INTERVALS_SECONDS))
        raise Failure(
            Reason.INVALID_REQUEST,
            "There are no candles of this width.",
            violations=[Violation("interval", f"must be one of {allowed} seconds")],
        )
    return int(request.interval.seconds)


def _require_order(start: datetime | None, end: datetime) -> None:
    if start is not None and end < start:
        raise Failure(Reason.INVALID_TIME_RANGE, "The end lies before the start.")
