"""Whatever a feed speaks: the same prices give the same ticks and the same fixings."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.clock import utc
from services.quotes.binance import Binance
from services.quotes.fixing import Evidence, Fixing, Point, decide
from services.quotes.instrument import Definition, Instrument
from services.quotes.packet import MalformedPacket, Quote, Veritick
from services.quotes.protocol import FeedProtocol
from services.quotes.session import AROUND_THE_CLOCK
from services.quotes.tick import Tick
from services.quotes.timeline import Timeline

START = utc(2026, 11, 23)
MILLISECOND = timedelta(milliseconds=1)
INSTRUMENT = Instrument(
    1, 1, utc(2026, 1, 1), Definition("BTCUSD", "BTC/USD", "CRYPTO", 2, "BTCUSDT", AROUND_THE_CLOCK)
)
Arrivals = list[tuple[int, int, int]]
arrivals = st.lists(
    st.tuples(st.integers(1, 900), st.integers(1, 10**8), st.integers(0, 9000)), max_size=40
)
moments = st.integers(0, 40_000_000).map(lambda number: START + timedelta(microseconds=number))


def veritick_frame(number: int, price: str, time: datetime) -> str:
    packet = {"type": "tick", "symbol": "BTCUSDT", "price": price, "time": time.isoformat()}
    return json.dumps(packet)


def binance_frame(number: int, price: str, time: datetime) -> str:
    milliseconds = (time - utc(1970, 1, 1)) // MILLISECOND
    trade = {"e": "trade", "s": "BTCUSDT", "t": number, "p": price, "T": milliseconds}
    return json.dumps({"stream": "btcusdt@trade", "data": trade})


SPOKEN: dict[str, tuple[Callable[[], FeedProtocol], Callable[[int, str, datetime], str]]] = {
    "veritick": (Veritick, veritick_frame),
    "binance": (Binance, binance_frame),
}


def recorded(protocol: str, arrivals: Arrivals, cuts: frozenset[int]) -> list[Tick]:
    """What is stored of frames (milliseconds after the last, price, lag), cut into batches."""
    kind, frame = SPOKEN[protocol]
    speaks = kind()
    now = START
    timeline = Timeline(START, [INSTRUMENT], {}, {}, speaks.stream_of)
    conversation = speaks.conversation()
    list(conversation.requests(frozenset(), frozenset({speaks.stream_of("BTCUSDT") or ""})))
    stored: list[Tick] = []
    for place, (pause, mantissa, lag) in enumerate(arrivals):
        now += pause * MILLISECOND
        price = f"{mantissa // 1000}.{mantissa % 1000:03d}"
        quote = conversation.read(frame(place, price, now - lag * MILLISECOND))
        assert isinstance(quote, Quote)
        with suppress(MalformedPacket):  # too small a price rounds to none
            assert timeline.add(quote, now) == 1
        if place in cuts:
            stored += timeline.cut(now).ticks
    return [*stored, *timeline.cut(now).ticks]


def fixing_of(ticks: list[Tick], moment: datetime) -> Fixing:
    known = [tick for tick in ticks if tick.time <= moment]
    counted = [tick for tick in known if not tick.late]
    evidence = Evidence(
        instrument=INSTRUMENT,
        covered=True,
        feed_time=moment,
        last_tick=counted[-1] if counted else None,
        ticks_before=known,
        ticks_after=[tick for tick in ticks if tick.time > moment],
        watermark=moment,
    )
    return decide(Point(1, moment), evidence)


@given(arrivals=arrivals, cuts=st.frozensets(st.integers(0, 40)), moment=moments)
def test_neither_batches_nor_the_protocol_change_a_fixing(
    arrivals: Arrivals, cuts: frozenset[int], moment: datetime
) -> None:
    expected = recorded("veritick", arrivals, frozenset())

    for protocol in SPOKEN:
        ticks = recorded(protocol, arrivals, cuts)
        assert ticks == expected
        assert fixing_of(ticks, moment) == fixing_of(expected, moment)


@pytest.mark.parametrize(
    ("protocol", "feed_symbol", "told"),
    [
        (Veritick(), "BTCUSDT", 1),
        (Veritick(), "btcusdt", 0),
        (Binance(), "btcUSDT", 1),
        (Binance(), "BTCUSDT@Trade", 1),
        (Binance(), "BTCUSDT@bookTicker", 0),
        (Binance(), "BTC/USDT", 0),
        (Binance(), "ETHUSDT", 0),
    ],
)
def test_a_quote_finds_its_instrument(protocol: FeedProtocol, feed_symbol: str, told: int) -> None:
    definition = replace(INSTRUMENT.definition, feed_symbol=feed_symbol)
    instrument = replace(INSTRUMENT, definition=definition)
    timeline = Timeline(START, [instrument], {}, {}, protocol.stream_of)
    stream = protocol.stream_of("BTCUSDT") or ""

    assert timeline.add(Quote(stream, "1.5", None), START) == told
