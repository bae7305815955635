"""Packets: what a market data server says, and the protocol of our own kind of server.

What comes from outside is read with suspicion. Our protocol is JSON, one object a frame:

- `{"type": "tick", "symbol": "EURUSD", "price": "1.08345", "time": "2026-11-23T18:40:00.123456Z"}`
  where the price is decimal text and the time, which may be missing, is the source's own;
- `{"type": "heartbeat"}` about once a second: the server is there, also when nothing ticks;
- `{"type": "welcome", "recordings": ["EURUSD"]}` first on a connection: which symbols replay a
  recording, and therefore know no trading hours;
- `{"type": "error", "message": "…"}`.

Types that are not known are heard and ignored, so that a server may learn new ones. It is asked
with `{"op": "subscribe", "symbols": ["EURUSD"]}`, and `unsubscribe` likewise.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

_FRAME_LENGTH_MAX = 64 * 1024
_PRICE_LENGTH_MAX = 40
_SYMBOLS_PER_REQUEST = 500
_SYMBOL_LENGTH_MAX = 40


class MalformedPacket(Exception):
    """This is not a packet of the protocol; the message says in what way."""


class Quote(NamedTuple):
    """A price, as the source told it. A plain tuple, as a tick is."""

    symbol: str
    price: str
    source_time: datetime | None
    number: int | None = None
    """The source's own, rising with every price of the symbol; None when it gives none."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The source is there."""


@dataclass(frozen=True, slots=True)
class Welcome:
    """The source introduces itself."""

    recordings: frozenset[str]


@dataclass(frozen=True, slots=True)
class Complaint:
    """The source refuses something we asked."""

    message: str


@dataclass(frozen=True, slots=True)
class Farewell:
    """The source is about to go, and wants us to connect anew."""


Packet = Quote | Heartbeat | Welcome | Complaint | Farewell
HEARTBEAT = Heartbeat()


class Veritick:
    """The protocol of our own kind of market data server."""

    crypto_quote_currency = "USD"
    streams_max = 5000
    pause_seconds = 0.0
    probe_seconds = None
    pings_count = False

    def url(self, base: str) -> str:
        """Return where to connect."""
        return base

    def stream_of(self, feed_symbol: str) -> str | None:
        """Return what packets call a symbol: just so."""
        return feed_symbol

    def conversation(self) -> "VeritickConversation":
        """Begin to talk on a new connection."""
        return VeritickConversation()


class VeritickConversation:
    """What is said on one connection; it needs no memory."""

    def requests(self, unwanted: frozenset[str], wanted: frozenset[str]) -> Iterator[str]:
        """Yield what to send so that streams stop and begin."""
        for operation, symbols in (("unsubscribe", unwanted), ("subscribe", wanted)):
            for part in parts_of(symbols, _SYMBOLS_PER_REQUEST):
                yield orjson.dumps({"op": operation, "symbols": part}).decode()

    def probe(self) -> str:
        """Return a question that has an answer."""
        return orjson.dumps({"op": "subscribe", "symbols": []}).decode()

    def read(self, frame: str | bytes) -> Packet:
        """Return what a frame says. Errors: MalformedPacket."""
        return parse_packet(frame)


def parts_of(streams: frozenset[str], size: int) -> Iterator[list[str]]:
    """Yield streams in order, no more than `size` at a time."""
    ordered = sorted(streams)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def parse_packet(frame: str | bytes) -> Packet:
    """Return what a frame says. Errors: MalformedPacket."""
    data = json_object(frame)
    match data.get("type"):
        case "tick":
            return _quote(data)
        case "welcome":
            return Welcome(_symbols(data.get("recordings", [])))
        case "error":
            return Complaint(str(data.get("message", ""))[:200])
        case str():
            return HEARTBEAT
        case _:
            raise MalformedPacket("no type")


def json_object(frame: str | bytes) -> dict[str, object]:
    """Return the JSON object that a frame is. Errors: MalformedPacket."""
    if len(frame) > _FRAME_LENGTH_MAX:
        raise MalformedPacket("too long")
    try:
        data = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        raise MalformedPacket("not JSON") from error
    if not isinstance(data, dict):
        raise MalformedPacket("not an object")
    return data


def _quote(data: dict[str, object]) -> Quote:
    symbol, price = data.get("symbol"), data.get("price")
    if not isinstance(symbol, str) or not 0 < len(symbol) <= _SYMBOL_LENGTH_MAX:
        raise MalformedPacket("no symbol")
    if not isinstance(price, str) or not 0 < len(price) <= _PRICE_LENGTH_MAX:
        raise MalformedPacket("a price is decimal text")
    return Quote(symbol, price, _time(data.get("time")))


def _time(value: object) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise MalformedPacket("a time is text")
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is UTC:
            return moment
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise MalformedPacket("not a time") from error


def _symbols(value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(symbol, str) for symbol in value):
        raise MalformedPacket("not a list of symbols")
    return frozenset(value)
