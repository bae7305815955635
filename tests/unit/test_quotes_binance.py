import json
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.clock import utc
from services.quotes.binance import Binance, BinanceConversation, parse_packet
from services.quotes.packet import (
    Complaint,
    Farewell,
    Heartbeat,
    MalformedPacket,
    Packet,
    Quote,
)

MOMENT = utc(2026, 11, 23, 18, 40, 0, 123_000)
MILLISECONDS = (MOMENT - utc(1970, 1, 1)) // timedelta(milliseconds=1)
TRADE: dict[str, object] = {
    "e": "trade",
    "E": MILLISECONDS + 1,
    "s": "BTCUSDT",
    "t": 12345,
    "p": "98250.10000000",
    "q": "0.00100000",
    "T": MILLISECONDS,
    "m": True,
    "M": True,
}
BOOK: dict[str, object] = {
    "u": 400900217,
    "s": "BTCUSDT",
    "b": "25.35190000",
    "B": "31.21000000",
    "a": "25.36520001",
    "A": "40.66000000",
}
QUOTE = Quote("btcusdt@trade", "98250.10000000", MOMENT, 12345)


def wrapped(data: object, stream: object = "btcusdt@trade") -> str:
    return json.dumps({"stream": stream, "data": data})


SAYS: list[tuple[str, str, Packet]] = [
    ("a trade of a combined stream", wrapped(TRADE), QUOTE),
    ("a trade of a raw stream", json.dumps(TRADE), QUOTE),
    ("a time in microseconds", json.dumps(TRADE | {"T": MILLISECONDS * 1000}), QUOTE),
    ("a book ticker is the exact middle", wrapped(BOOK, "btcusdt@bookTicker"),
     Quote("btcusdt@bookTicker", "25.358550005", None, 400900217)),
    ("a book ticker of one price", json.dumps(BOOK | {"a": "0.00000003", "b": "0.00000003"}),
     Quote("btcusdt@bookTicker", "0.000000030", None, 400900217)),
    ("a book ticker that says its event", json.dumps(BOOK | {"e": "bookTicker", "T": MILLISECONDS}),
     Quote("btcusdt@bookTicker", "25.358550005", MOMENT, 400900217)),
    ("an answer", '{"result":null,"id":1}', Heartbeat()),
    ("a list of subscriptions", '{"result":["btcusdt@trade"],"id":3}', Heartbeat()),
    ("an error", '{"error":{"code":2,"msg":"Invalid request"},"id":1}',
     Complaint("2: Invalid request")),
    ("an error as it was once", '{"code":0,"msg":"Unknown property","id":1}',
     Complaint("0: Unknown property")),
    ("a shutdown", '{"e":"serverShutdown","E":1770123456789}', Farewell()),
    ("a shutdown, wrapped", '{"event":{"e":"serverShutdown","E":1770123456789}}', Farewell()),
]  # fmt: skip


@pytest.mark.parametrize(("frame", "packet"), [s[1:] for s in SAYS], ids=[s[0] for s in SAYS])
def test_what_a_server_may_say(frame: str, packet: Packet) -> None:
    assert parse_packet(frame) == packet


BAD_PRICES: list[object] = [
    *("", "0", "0.000", "-1", "+1", "NaN", "Infinity", "1e5", "1,5", " 1", "1\n", "٣"),
    *("1" * 21, "0." + "1" * 21, 1.5, 1, None, [], True),
]


def without(name: str) -> str:
    return wrapped({key: value for key, value in TRADE.items() if key != name})


def but(**changes: object) -> str:
    return wrapped(TRADE | changes)


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "trade",
        "[]",
        "[" + wrapped(TRADE) + "]",
        "null",
        "7",
        "{}",
        json.dumps(TRADE).encode(),
        b"\x00\xff",
        "\ud800",
        '{"a":' * 5000 + "1" + "}" * 5000,
        wrapped(TRADE | {"padding": "x" * 70_000}),
        *(without(name) for name in "stpT"),
        *(but(p=price) for price in BAD_PRICES),
        *(but(s=symbol) for symbol in ("", "BTC/USDT", "x" * 41, "ETHUSDT", 7, None)),
        *(but(t=number) for number in (-1, 1.5, "7", True, None, 2**63, 10**30)),
        *(but(T=time) for time in (-1, 1.5, "yesterday", True, None, 10**17 + 1, 10**30)),
        but(e="aggTrade"),
        but(e="kline"),
        but(e=None),
        but(e=["trade"]),
        wrapped(None),
        wrapped([TRADE]),
        wrapped(TRADE, None),
        wrapped(TRADE, "ethusdt@trade"),
        wrapped(BOOK, "btcusdt@trade"),
        wrapped(BOOK | {"b": "26"}, "btcusdt@bookTicker"),
        wrapped(BOOK | {"a": "0", "b": "0"}, "btcusdt@bookTicker"),
        wrapped(BOOK | {"u": None}, "btcusdt@bookTicker"),
        wrapped({"lastUpdateId": 1, "bids": [], "asks": []}, "btcusdt@depth5"),
        '{"stream":"btcusdt@trade"}',
        '{"error":"no","id":1}',
        '{"error":null,"id":1}',
    ],
)
def test_what_makes_no_sense_is_malformed(frame: str | bytes) -> None:
    with pytest.raises(MalformedPacket):
        parse_packet(frame)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
)
names = st.sampled_from(["e", "E", "s", "t", "p", "q", "T", "u", "b", "a", "stream", "data"])
mangled = st.dictionaries(names, json_values, max_size=4).map(lambda values: TRADE | values)


@given(
    st.text(st.characters())
    | st.binary()
    | json_values.map(json.dumps)
    | mangled.map(json.dumps)
    | mangled.map(wrapped)
)
def test_nothing_else_is_ever_raised(frame: str | bytes) -> None:
    conversation = Binance().conversation()
    list(conversation.requests(frozenset(), frozenset({"btcusdt@trade"})))
    for read in (parse_packet, conversation.read, conversation.read):
        with suppress(MalformedPacket):
            read(frame)


@pytest.mark.parametrize(
    ("feed_symbol", "stream"),
    [
        ("BTCUSDT", "btcusdt@trade"),
        ("btcUsdt", "btcusdt@trade"),
        ("BTCUSDT@trade", "btcusdt@trade"),
        ("BTCUSDT@BOOKTICKER", "btcusdt@bookTicker"),
        ("1000SATSUSDT", "1000satsusdt@trade"),
        ("BTCUSDT@kline_1m", None),
        ("BTC/USDT", None),
        ("", None),
        ("@trade", None),
    ],
)
def test_a_feed_symbol_names_a_stream(feed_symbol: str, stream: str | None) -> None:
    assert Binance().stream_of(feed_symbol) == stream


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("wss://stream.example:9443", "wss://stream.example:9443/stream"),
        ("wss://stream.example/", "wss://stream.example/stream"),
        ("wss://stream.example/ws", "wss://stream.example/ws"),
        ("wss://stream.example/stream?timeUnit=MICROSECOND",) * 2,
    ],
)
def test_where_to_connect(base: str, url: str) -> None:
    assert Binance().url(base) == url


def test_requests_are_short_enough_and_numbered() -> None:
    streams = frozenset(f"{'x' * 36}{number:04d}@bookTicker" for number in range(1024))
    conversation = Binance().conversation()
    frames = [
        *conversation.requests(frozenset(), streams),
        conversation.probe(),
        *conversation.requests(frozenset({"btcusdt@trade"}), frozenset({"ethusdt@trade"})),
    ]
    assert all(len(frame) < 4096 for frame in frames)
    requests = [json.loads(frame) for frame in frames]
    assert [request["id"] for request in requests] == list(range(1, len(requests) + 1))
    *subscribing, probe, leaving, joining = requests
    assert sorted(s for request in subscribing for s in request["params"]) == sorted(streams)
    assert {request["method"] for request in subscribing} == {"SUBSCRIBE"}
    assert (probe["method"], probe["params"]) == ("GET_PROPERTY", ["combined"])
    assert (leaving["method"], leaving["params"]) == ("UNSUBSCRIBE", ["btcusdt@trade"])
    assert (joining["method"], joining["params"]) == ("SUBSCRIBE", ["ethusdt@trade"])


def numbers_heard(numbers: list[int], conversation: BinanceConversation) -> list[int]:
    heard = []
    for number in numbers:
        with suppress(MalformedPacket):
            packet = conversation.read(but(t=number))
            assert isinstance(packet, Quote)
            assert packet.number is not None
            heard.append(packet.number)
    return heard


def test_a_trade_out_of_order_or_told_again_is_skipped() -> None:
    conversation = Binance().conversation()
    list(conversation.requests(frozenset(), frozenset({"btcusdt@trade"})))

    assert numbers_heard([7, 8, 8, 5, 10, 9, 11], conversation) == [7, 8, 10, 11]


def test_what_was_told_before_the_connection_ended_is_skipped_after_it() -> None:
    feed = Binance()
    for numbers, new in (([7, 8], [7, 8]), ([7, 8, 9], [9])):
        conversation = feed.conversation()
        list(conversation.requests(frozenset(), frozenset({"btcusdt@trade"})))
        assert numbers_heard(numbers, conversation) == new


def test_a_server_that_counts_anew_is_heard_at_once() -> None:
    conversation = Binance().conversation()
    list(conversation.requests(frozenset(), frozenset({"btcusdt@trade"})))
    conversation.read(but(t=1_000))

    with pytest.raises(MalformedPacket):
        conversation.read(but(t=1))
    later = conversation.read(but(t=2, T=MILLISECONDS + 1))

    assert isinstance(later, Quote)
    assert numbers_heard([2, 3], conversation) == [3]


def test_one_absurd_number_does_not_silence_a_symbol_for_ever() -> None:
    conversation = Binance().conversation()
    list(conversation.requests(frozenset(), frozenset({"btcusdt@trade"})))

    heard = numbers_heard([1, 2**62, *range(2, 60)], conversation)

    assert heard == [1, 2**62, *range(22, 60)]
