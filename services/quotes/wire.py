"""Between the contract and the domain."""

from collections.abc import Iterable
from datetime import date, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from services.kit.audit import By, audited
from services.kit.clock import Clock
from services.kit.errors import Failure, Violation
from services.kit.journal import NewEvent, new_event
from services.kit.reason import Reason
from services.kit.wire import to_timestamp
from services.quotes.candle import Candle
from services.quotes.fixing import Fixing
from services.quotes.instrument import Definition, Instrument, InstrumentStatus, MarketStatus
from services.quotes.market import LiveMarket, Standing, Ticks, Watermark
from services.quotes.opening import MarketRecord
from services.quotes.publish import Message
from services.quotes.session import Holiday, Schedule, Session, Window
from services.quotes.tick import Tick
from veritick.event.v1.event_pb2 import Event, InstrumentChanged
from veritick.quotes.v1 import fixing_service_pb2 as fixing_pb2
from veritick.quotes.v1 import instrument_pb2 as pb2
from veritick.quotes.v1 import market_data_service_pb2 as market_pb2
from veritick.type.v1.price_pb2 import Price

SUBJECT = "instruments"
"""The subject of the journal on which instruments are announced."""


def to_instrument(standing: Standing) -> pb2.Instrument:
    """Write an instrument with what its market does."""
    wanted = standing.instrument.definition
    return pb2.Instrument(
        symbol=wanted.symbol,
        display_name=wanted.display_name,
        asset_class=wanted.asset_class,
        price_scale=wanted.price_scale,
        status=pb2.Instrument.Status.Value(wanted.status.value),
        schedule=_to_schedule(wanted.schedule),
        feed_symbol=wanted.feed_symbol,
        max_tick_age_seconds=wanted.max_tick_age_seconds,
        feed_silence_max_seconds=wanted.feed_silence_max_seconds,
        version=standing.instrument.version,
        market_status=_to_market_status(standing.status),
        next_open_time=_optional(standing.next_open_time),
        sessions=[_to_session(session) for session in standing.sessions],
        position=wanted.position,
    )


def to_definition(message: pb2.Instrument) -> Definition:
    """Read what staff want an instrument to be. Errors: INVALID_REQUEST, INVALID_SCHEDULE."""
    if not message.HasField("schedule"):
        raise _invalid("schedule", "is required")
    return Definition(
        symbol=message.symbol,
        display_name=message.display_name,
        asset_class=message.asset_class,
        price_scale=message.price_scale,
        feed_symbol=message.feed_symbol,
        schedule=_schedule(message.schedule),
        status=_status(message.status),
        max_tick_age_seconds=message.max_tick_age_seconds,
        feed_silence_max_seconds=message.feed_silence_max_seconds,
        position=message.position,
    )


def to_market(standing: Standing, market: LiveMarket) -> pb2.Market:
    """Write what an instrument's market does."""
    instrument = standing.instrument
    last = market.last_tick(instrument.id)
    return pb2.Market(
        instrument=instrument.symbol,
        status=_to_market_status(standing.status),
        next_open_time=_optional(standing.next_open_time),
        last_tick=to_tick(last, instrument) if last else None,
        feed_time=_optional(market.feed_time),
    )


def to_tick(tick: Tick, instrument: Instrument) -> pb2.Tick:
    """Write a tick of an instrument."""
    return pb2.Tick(
        instrument=instrument.definition.symbol,
        number=tick.number,
        price=Price(mantissa=tick.price, scale=instrument.definition.price_scale),
        time=to_timestamp(tick.time),
        source_time=_optional(tick.source_time),
        late=tick.late,
    )


def to_ticks(ticks: Iterable[Tick], market: LiveMarket) -> list[pb2.Tick]:
    """Write ticks of any instruments."""
    return [to_tick(tick, market.instrument(tick.instrument_id)) for tick in ticks]


def to_candle(candle: Candle) -> market_pb2.Candle:
    """Write a candle."""
    return market_pb2.Candle(
        start_time=to_timestamp(candle.start_time),
        open=candle.open,
        high=candle.high,
        low=candle.low,
        close=candle.close,
        ticks=candle.ticks,
        synthetic=candle.synthetic,
    )


def to_watermark(watermark: Watermark, now: datetime) -> market_pb2.Watermark:
    """Write a watermark that leaves now."""
    return market_pb2.Watermark(
        time=to_timestamp(watermark.time),
        feed_time=_optional(watermark.feed_time),
        sent_time=to_timestamp(now),
    )


def to_fixing(fixing: Fixing, instrument: Instrument) -> fixing_pb2.Fixing:
    """Write a fixing that is decided."""
    state = fixing_pb2.Fixing.VOID if fixing.void_reason else fixing_pb2.Fixing.FINAL
    void = fixing.void_reason and fixing_pb2.VoidReason.Value(fixing.void_reason.value)
    return fixing_pb2.Fixing(
        instrument=instrument.symbol,
        time=to_timestamp(fixing.point.time),
        state=state,
        tick=to_tick(fixing.tick, instrument) if fixing.tick else None,
        void_reason=void or fixing_pb2.VOID_REASON_UNSPECIFIED,
        ticks_before=[to_tick(tick, instrument) for tick in fixing.ticks_before],
        ticks_after=[to_tick(tick, instrument) for tick in fixing.ticks_after],
        watermark=to_timestamp(fixing.watermark),
        feed_time=_optional(fixing.feed_time),
        rule_version=fixing.rule_version,
    )


def to_market_record(
    record: MarketRecord | None, instrument: Instrument
) -> fixing_pb2.MarketRecord:
    """Write how a market stood; None, while that is not known."""
    if record is None:
        return fixing_pb2.MarketRecord(state=fixing_pb2.MarketRecord.PENDING)
    session, in_force = record.session, record.instrument
    return fixing_pb2.MarketRecord(
        state=fixing_pb2.MarketRecord.State.Value(record.state.value),
        session_close_time=_optional(session.close_time) if session else None,
        max_tick_age_seconds=in_force.definition.max_tick_age_seconds if in_force else 0,
        last_tick=to_tick(record.last_tick, instrument) if record.last_tick else None,
    )


def instrument_changed(standing: Standing) -> NewEvent:
    """Write the event that tells how an instrument stands."""
    changed = InstrumentChanged(instrument=to_instrument(standing))
    return new_event(SUBJECT, Event(instrument_changed=changed))


def instrument_recorded(
    by: By, before: Standing | None, after: Standing, time: datetime
) -> NewEvent:
    """Write the record that somebody added or changed an instrument."""
    return audited(
        "instrument.create" if before is None else "instrument.update",
        f"instrument:{after.instrument.symbol}",
        time,
        by=by,
        before=to_instrument(before) if before else None,
        after=to_instrument(after),
    )


def tick_messages(stored: Ticks, market: LiveMarket) -> list[Message]:
    """Write ticks for Redis, one message for each instrument."""
    batches: dict[str, market_pb2.TickBatch] = {}
    for tick in to_ticks(stored.ticks, market):
        batches.setdefault(tick.instrument, market_pb2.TickBatch()).ticks.append(tick)
    return [(f"ticks:{symbol}", batch.SerializeToString()) for symbol, batch in batches.items()]


def watermark_message(watermark: Watermark, clock: Clock) -> Message:
    """Write a watermark for Redis."""
    return "watermark", to_watermark(watermark, clock.now()).SerializeToString()


def _to_schedule(schedule: Schedule) -> pb2.Schedule:
    return pb2.Schedule(
        time_zone=schedule.time_zone,
        windows=[
            pb2.Schedule.Window(open_minute=w.open_minute, close_minute=w.close_minute)
            for w in schedule.windows
        ],
        holidays=[
            pb2.Schedule.Holiday(date=h.date.isoformat(), close_minute=h.close_minute)
            for h in schedule.holidays
        ],
    )


def _schedule(message: pb2.Schedule) -> Schedule:
    return Schedule(
        message.time_zone,
        tuple(Window(window.open_minute, window.close_minute) for window in message.windows),
        tuple(Holiday(_date(day.date), day.close_minute) for day in message.holidays),
    )


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        message = "A holiday is not a date."
        raise Failure(Reason.INVALID_SCHEDULE, message, metadata={"date": text}) from error


def _status(value: pb2.Instrument.Status.ValueType) -> InstrumentStatus:
    names = {number: name for name, number in pb2.Instrument.Status.items()}
    name = names.get(value, "")
    if name not in InstrumentStatus.__members__:
        raise _invalid("status", "is not a status")
    return InstrumentStatus(name)


def _to_session(session: Session) -> pb2.Session:
    return pb2.Session(
        open_time=_optional(session.open_time), close_time=_optional(session.close_time)
    )


def _to_market_status(status: MarketStatus) -> pb2.Market.Status.ValueType:
    return pb2.Market.Status.Value(status.value)


def _optional(moment: datetime | None) -> Timestamp | None:
    return to_timestamp(moment) if moment else None


def _invalid(field: str, description: str) -> Failure:
    return Failure(
        Reason.INVALID_REQUEST,
        "The instrument is not complete.",
        violations=[Violation(f"instrument.{field}", description)],
    )
