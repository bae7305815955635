"""The small rules of the socket: names, frames, candles, allowances, doors."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import orjson
import pytest
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from edge.canonical import to_json
from edge.occupancy import Occupancy
from edge.stream import frame
from edge.stream.admission import refusal
from edge.stream.allowance import Allowance
from edge.stream.candle import Candle, Trade, fold, interval_start
from edge.stream.channel import CandleChannel, JournalChannel, TickChannel, parse_channel
from edge.stream.event import from_payload
from veritick.event.v1.event_pb2 import Event
from veritick.quotes.v1.market_data_service_pb2 import GetMarketStatusResponse

UUID = "01990000-0000-7000-8000-000000000001"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


# ---- channels


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        ("instruments", ("quotes", "instruments", False)),
        ("payouts:demo", ("demo", "payouts", False)),
        ("payouts:real-2", ("real-2", "payouts", False)),
        (f"account:demo_{UUID}", ("demo", f"account:demo_{UUID}", True)),
        (f"user:{UUID}", ("identity", f"user:{UUID}", True)),
    ],
)
def test_a_channel_of_events_is_a_subject_of_a_journal(
    name: str, channel: tuple[str, str, bool]
) -> None:
    assert parse_channel(name) == JournalChannel(name, *channel)


def test_a_channel_of_prices_names_its_instrument() -> None:
    assert parse_channel("ticks:EURUSD") == TickChannel("ticks:EURUSD", "EURUSD")
    name = "candles:BTCUSD:60s"
    assert parse_channel(name) == CandleChannel(name, "BTCUSD", 60)


@pytest.mark.parametrize(
    "name",
    [
        "", ":", "x", "instruments:", "Instruments", "ticks:", "ticks:eurusd", "ticks:EURUSD:1",
        "ticks:*", "candles:EURUSD", "candles:EURUSD:60", "candles:EURUSD:61s", "candles:A:60s",
        "candles:EURUSD:060s", "payouts:", "payouts:Demo", "payouts:identity", "payouts:demo ",
        f"account:{UUID}", f"account:DEMO_{UUID}", f"account:identity_{UUID}",
        f"account:demo_{UUID.upper()}X", f"user:demo_{UUID}", f"user:{UUID} ", "user:me",
        "ticks:EURUSD\n", "t" * 101, "journal:demo",
    ],
)  # fmt: skip
def test_other_names_are_no_channels(name: str) -> None:
    assert parse_channel(name) is None


@given(st.text())
def test_no_text_is_too_strange_to_be_refused(text: str) -> None:
    channel = parse_channel(text)
    assert channel is None or channel.name == text


# ---- frames


def test_an_event_frame_is_json_with_its_four_keys() -> None:
    prefix = frame.event_prefix('account:"x"')
    assert orjson.loads(frame.event(prefix, 12, "order.settled.v1", b'{"order":{}}')) == {
        "channel": 'account:"x"',
        "sequence": "12",
        "type": "order.settled.v1",
        "data": {"order": {}},
    }


@given(st.binary(max_size=200))
def test_an_event_of_an_unknown_kind_or_none_breaks_nothing(payload: bytes) -> None:
    try:
        event = from_payload(1, "later.v9", payload)
    except DecodeError:
        return
    assert orjson.loads(event.data) is not None


numbers = st.integers(-(2**31), 2**31 - 1)
wide = st.integers(-(2**63), 2**63 - 1)
seconds = st.integers(0, 250_000_000_000)


@st.composite
def events(draw: st.DrawFn) -> Event:
    event = Event()
    order = getattr(event, draw(st.sampled_from(["order_opened", "order_settled"]))).order
    order.order_id = draw(st.text(max_size=5))
    order.direction = draw(st.sampled_from([0, 1, 2, 77]))
    order.outcome = draw(st.integers(0, 4))
    order.payout_bp = draw(numbers)
    order.terms_version = draw(wide)
    if draw(st.booleans()):
        order.stake.minor_units = draw(wide)
    if draw(st.booleans()):
        order.close_tick.price.mantissa = draw(wide)
        order.close_tick.late = draw(st.booleans())
    if draw(st.booleans()):
        order.open_time.seconds = draw(seconds)
        order.open_time.nanos = draw(st.integers(0, 999_999_999))
    return event


def canonical(message: object) -> object:
    return json_format.MessageToDict(
        message,  # type: ignore[arg-type]
        always_print_fields_with_no_presence=True,
    )


@given(events())
def test_events_are_in_canonical_json(event: Event) -> None:
    assert orjson.loads(to_json(event)) == canonical(event)


@pytest.mark.parametrize("nanos", [0, 1, 1_000, 10_000, 1_000_000, 120_000_000, 999_999_999])
@pytest.mark.parametrize("second", [-62_135_596_800, -1, 0, 253_402_300_799])
def test_a_moment_has_as_many_decimals_as_it_needs(second: int, nanos: int) -> None:
    event = Event()
    event.order_opened.order.open_time.FromNanoseconds(second * 10**9 + nanos)
    assert orjson.loads(to_json(event)) == canonical(event)


@pytest.mark.parametrize("kind", [field.name for field in Event.DESCRIPTOR.oneofs[0].fields])
def test_every_kind_of_event_is_in_canonical_json(kind: str) -> None:
    event = Event()
    getattr(event, kind).SetInParent()
    if kind == "instrument_changed":
        instrument = event.instrument_changed.instrument
        instrument.schedule.windows.add(open_minute=1, close_minute=2)
        instrument.sessions.add().open_time.seconds = 5
    if kind == "user_changed":
        event.user_changed.user.roles.extend(["trader", "staff"])
    assert orjson.loads(to_json(event)) == canonical(event)


def test_an_absent_message_is_left_out_and_an_empty_one_is_shown() -> None:
    assert to_json(GetMarketStatusResponse()) == b"{}"


# ---- candles


@given(
    st.lists(st.tuples(st.integers(0, 5_000), st.integers(1, 99)), min_size=1, max_size=80),
    st.sampled_from([1, 5, 60]),
)
def test_folding_ticks_one_by_one_gives_the_candles_of_all_of_them(
    ticks: list[tuple[int, int]], interval: int
) -> None:
    trades = [Trade(NOON + timedelta(milliseconds=at), price) for at, price in sorted(ticks)]
    candles: tuple[Candle, ...] = ()
    for trade in trades:
        candles = fold(candles, trade, interval, keep=1_000)
    starts = sorted({interval_start(trade.time, interval) for trade in trades})
    assert [candle.start for candle in candles] == starts
    for candle in candles:
        within = [t.price for t in trades if interval_start(t.time, interval) == candle.start]
        assert (candle.open, candle.close) == (within[0], within[-1])
        assert (candle.high, candle.low, candle.ticks) == (max(within), min(within), len(within))


def test_a_candle_begins_at_its_start_and_ends_before_the_next() -> None:
    edge = NOON + timedelta(seconds=60)
    assert interval_start(edge, 60) == edge
    assert interval_start(edge - timedelta(microseconds=1), 60) == NOON


def test_only_the_newest_candles_are_kept() -> None:
    candles: tuple[Candle, ...] = ()
    for minute in range(10):
        candles = fold(candles, Trade(NOON + timedelta(minutes=minute), minute), 60, keep=3)
    assert [candle.open for candle in candles] == [7, 8, 9]


def test_a_generated_candle_gives_way_to_the_first_real_trade() -> None:
    generated = Candle(NOON, 1, 9, 1, 5, ticks=0, synthetic=True)
    (candle,) = fold([generated], Trade(NOON, 4), 60, keep=3)
    assert candle == Candle(NOON, 4, 4, 4, 4, ticks=1)


def test_a_trade_before_the_newest_candle_changes_nothing() -> None:
    candles = (Candle(NOON, 1, 1, 1, 1, ticks=1),)
    assert fold(candles, Trade(NOON - timedelta(seconds=1), 9), 60, keep=3) == candles


# ---- bounds


def test_an_allowance_is_used_up_and_comes_back_with_time() -> None:
    allowance = Allowance(burst=2, per_second=1, now=0)
    assert [allowance.take(0), allowance.take(0), allowance.take(0.5)] == [True, True, False]
    assert allowance.take(1.0)
    assert not allowance.take(1.5)
    assert [allowance.take(100), allowance.take(100), allowance.take(100)] == [True, True, False]


def test_sockets_are_counted_by_address_and_in_all() -> None:
    occupancy = Occupancy(places_max=3, address_places_max=2)
    assert [occupancy.enter(a) for a in ("x", "x", "x", "y", "z")] == [1, 1, 0, 1, 0]
    occupancy.leave("x")
    assert occupancy.enter("z")


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        (None, "api.example", None),
        ("https://trade.example", "api.example", None),
        ("https://api.example", "api.example:8081", None),
        ("http://API.example:8080", "api.example:8081", None),
        ("https://evil.example", "api.example", HTTPStatus.FORBIDDEN),
        ("https://api.example.evil", "api.example", HTTPStatus.FORBIDDEN),
        ("file://api.example", "api.example", HTTPStatus.FORBIDDEN),
        ("null", "api.example", HTTPStatus.FORBIDDEN),
        ("https://evil.example", None, HTTPStatus.FORBIDDEN),
        ("", "", HTTPStatus.FORBIDDEN),
        ("http://[", "api.example", HTTPStatus.FORBIDDEN),
    ],
)
def test_only_our_own_pages_and_programs_may_knock(
    origin: str | None, host: str | None, status: HTTPStatus | None
) -> None:
    assert refusal("/v1/stream", origin, host, {"https://trade.example"}) == status


def test_there_is_one_path() -> None:
    assert refusal("/v1/stream?x=1", None, "h", ()) is None
    assert refusal("/v1/streams", None, "h", ()) is HTTPStatus.NOT_FOUND
