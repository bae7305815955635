"""What a market data server sends, read with suspicion.

The protocol is JSON, one object a frame:

- `{"type": "tick", "symbol": "EURUSD", "price": "1.08345", "time": "2026-11-23T18:40:00.123456Z"}`
  where the price is decimal text and the time, which may be missing, is the source's own;
- `{"type": "heartbeat"}` about once a second: the server is there, also when nothing ticks;
- `{"type": "welcome", "recordings": ["EURUSD"]}` first on a connection: which symbols replay a
  recording, and therefore know no trading hours;
- `{"type": "error", "message": "…"}`.

Types that are not known are heard and ignored, so that a server may learn new ones.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

_PRICE_LENGTH_MAX = 40
_SYMBOL_LENGTH_MAX = 40


class MalformedPacket(Exception):
    """This is not a packet of the protocol; the message says in what way."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A price, as the source told it."""

    symbol: str
    price: str
    source_time: datetime | None


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


Packet = Quote | Heartbeat | Welcome | Complaint
_HEARTBEAT = Heartbeat()


def parse_packet(frame: str | bytes) -> Packet:
    """Return what a frame says. Errors: MalformedPacket."""
    try:
        data = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        raise MalformedPacket("not JSON") from error
    if not isinstance(data, dict):
        raise MalformedPacket("not an object")
    match data.get("type"):
        case "tick":
            return _quote(data)
        case "welcome":
            return Welcome(_symbols(data.get("recordings", [])))
        case "error":
            return Complaint(str(data.get("message", ""))[:200])
        case str():
            return _HEARTBEAT
        case _:
            raise MalformedPacket("no type")


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
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise MalformedPacket("not a time") from error


def _symbols(value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(symbol, str) for symbol in value):
        raise MalformedPacket("not a list of symbols")
    return frozenset(value)
