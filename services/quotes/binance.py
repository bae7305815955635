"""The public market streams of Binance, read with suspicion.

As documented in `web-socket-streams.md` of its API; in short:

- A connection to `/stream` carries any number of streams, each event wrapped as
  `{"stream": "btcusdt@trade", "data": {…}}`; on one to `/ws` events come unwrapped. Both are read.
- `{"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1}` is answered by
  `{"result": null, "id": 1}` or `{"error": {"code": 2, "msg": "…"}, "id": 1}`.
- A trade has its symbol `s`, its number `t`, its price `p` and its time `T`. A book ticker, which
  names no event, has the number `u`, bid `b` and ask `a`; its price is their middle, exactly.
- `serverShutdown` announces that the connection will end; after 24 hours it ends without a word.

The server takes five messages a second, pings and pongs included, up to 1024 streams on a
connection, and is known to ignore a request of more than 4096 bytes. It sends nothing while a
market is quiet, except for a ping now and then, so it is asked each second whether it is there.

An instrument's feed symbol is the symbol, in any case (`BTCUSDT`), or a stream of it
(`btcusdt@bookTicker`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from itertools import count
from urllib.parse import urlsplit

import orjson

from services.quotes.packet import (
    HEARTBEAT,
    Complaint,
    Farewell,
    MalformedPacket,
    Packet,
    Quote,
    json_object,
    parts_of,
)

_TRADE, _BOOK_TICKER = "trade", "bookTicker"
_KINDS = {kind.lower(): kind for kind in (_TRADE, _BOOK_TICKER)}
_SYMBOL = re.compile(r"[a-z0-9_]{1,40}")
_AMOUNT = re.compile(r"(?=.*[1-9])[0-9]{1,20}(?:\.[0-9]{1,20})?")
_NUMBER_MAX = 2**63 - 1
_STREAMS_PER_REQUEST = 70
"""Of the longest names there are, so many fit into 4096 bytes."""

_RENUMBERED_AFTER = 20
"""So many prices in a row with too low a number: then one before them had far too high a one.

One that is also later than all before it is new at once: the server has begun to count anew.
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS_FROM = 10**14
_MICROSECONDS_MAX = 10**17
# Wide enough that the middle of any two amounts is not rounded.
_EXACT = Context(prec=60)
_HALF = Decimal("0.5")


class Binance:
    """The protocol of Binance's public market streams, as one feed speaks it."""

    crypto_quote_currency = "USDT"
    streams_max = 1024
    pause_seconds = 0.5
    probe_seconds = 1.0
    pings_count = True

    def __init__(self) -> None:
        """Begin with no price heard."""
        self._numberings: dict[str, _Numbering] = {}

    def url(self, base: str) -> str:
        """Return where to connect: for combined streams, unless a path is given."""
        path = urlsplit(base).path.strip("/")
        return base if path else base.rstrip("/") + "/stream"

    def stream_of(self, feed_symbol: str) -> str | None:
        """Return the stream of a feed symbol; None if there can be none."""
        symbol, _, kind = feed_symbol.lower().partition("@")
        kind = _KINDS.get(kind or _TRADE, "")
        return f"{symbol}@{kind}" if kind and _SYMBOL.fullmatch(symbol) else None

    def conversation(self) -> "BinanceConversation":
        """Begin to talk on a new connection: it may tell again what one before it told."""
        return BinanceConversation(self._numberings)


@dataclass(slots=True)
class _Numbering:
    """How far the prices of a stream have come."""

    last: int = -1
    time: datetime | None = None
    refused: int = 0

    def admits(self, number: int, time: datetime | None) -> bool:
        """Tell whether a price is a new one, and not one of before that came again."""
        later = time is not None and self.time is not None and time > self.time
        renumbered = later or self.refused >= _RENUMBERED_AFTER
        if number <= self.last and not renumbered:
            self.refused += 1
            return False
        self.last, self.time, self.refused = number, time, 0
        return True


class BinanceConversation:
    """What is said on one connection: the numbers of requests, and those of prices."""

    def __init__(self, numberings: dict[str, _Numbering]) -> None:
        """Begin with nothing asked for; the prices of streams have come as far as told."""
        self._ids = count(1)
        self._numberings = numberings

    def requests(self, unwanted: frozenset[str], wanted: frozenset[str]) -> Iterator[str]:
        """Yield what to send so that streams stop and begin."""
        for part in parts_of(unwanted, _STREAMS_PER_REQUEST):
            for stream in part:
                self._numberings.pop(stream, None)
            yield self._request("UNSUBSCRIBE", part)
        for part in parts_of(wanted, _STREAMS_PER_REQUEST):
            for stream in part:
                self._numberings.setdefault(stream, _Numbering())
            yield self._request("SUBSCRIBE", part)

    def probe(self) -> str:
        """Return a question that has a short answer."""
        return self._request("GET_PROPERTY", ["combined"])

    def read(self, frame: str | bytes) -> Packet:
        """Return what a frame says. Errors: MalformedPacket."""
        packet = parse_packet(frame)
        if isinstance(packet, Quote) and packet.number is not None:
            numbering = self._numberings.get(packet.symbol)
            if numbering and not numbering.admits(packet.number, packet.source_time):
                raise MalformedPacket("a price of before")
        return packet

    def _request(self, method: str, parameters: list[str]) -> str:
        request = {"method": method, "params": parameters, "id": next(self._ids)}
        return orjson.dumps(request).decode()


def parse_packet(frame: str | bytes) -> Packet:
    """Return what a frame says; a quote's symbol is its stream. Errors: MalformedPacket."""
    if not isinstance(frame, str):
        raise MalformedPacket("not text")
    data = json_object(frame)
    if "error" in data or "code" in data:
        return _complaint(data.get("error", data))
    if "result" in data:
        return HEARTBEAT
    if "stream" not in data:
        return _event(data.get("event", data))
    packet = _event(data.get("data"))
    if isinstance(packet, Quote) and packet.symbol != data["stream"]:
        raise MalformedPacket("an event of another stream")
    return packet


def _event(data: object) -> Packet:
    if not isinstance(data, dict):
        raise MalformedPacket("no event")
    match data.get("e", _BOOK_TICKER):
        case "trade":
            return _trade(data)
        case "bookTicker":
            return _book_ticker(data)
        case "serverShutdown":
            return Farewell()
    raise MalformedPacket("an event that nobody asked for")


def _complaint(error: object) -> Complaint:
    if not isinstance(error, dict):
        raise MalformedPacket("no error")
    return Complaint(f"{error.get('code')}: {error.get('msg')}"[:200])


def _trade(data: dict[str, object]) -> Quote:
    price, stream = _amount(data.get("p")), _stream(data, _TRADE)
    return Quote(stream, price, _time(data.get("T")), _whole(data.get("t"), _NUMBER_MAX))


def _book_ticker(data: dict[str, object]) -> Quote:
    bid, ask = Decimal(_amount(data.get("b"))), Decimal(_amount(data.get("a")))
    if bid > ask:
        raise MalformedPacket("a bid above the ask")
    middle = _EXACT.multiply(_EXACT.add(bid, ask), _HALF)
    number = _whole(data.get("u"), _NUMBER_MAX)
    # On the spot market a book ticker does not say when it was.
    time = _time(data["T"]) if "T" in data else None
    return Quote(_stream(data, _BOOK_TICKER), format(middle, "f"), time, number)


def _stream(data: dict[str, object], kind: str) -> str:
    symbol = data.get("s")
    if not isinstance(symbol, str) or not _SYMBOL.fullmatch(symbol.lower()):
        raise MalformedPacket("no symbol")
    return f"{symbol.lower()}@{kind}"


def _amount(value: object) -> str:
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise MalformedPacket("a price is decimal text, and positive")
    return value


def _whole(value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise MalformedPacket("not a whole number")
    return value


def _time(value: object) -> datetime:
    """Read a time, which is in milliseconds, or in microseconds if the URL asks for them."""
    number = _whole(value, _MICROSECONDS_MAX)
    microseconds = number if number >= _MICROSECONDS_FROM else number * 1000
    return _EPOCH + timedelta(microseconds=microseconds)
