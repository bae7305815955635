"""The simulated market in the protocol of Binance's public streams (`services.quotes.binance`).

Streams are `<symbol>@trade` and `<symbol>@bookTicker`, by the path (`/stream?streams=a/b`,
`/ws/a`) or by SUBSCRIBE. What Binance quotes in USDT is the market's symbol in USD. It keeps the
limits: five requests a second, 1024 streams, requests of 4096 bytes, a day for a connection.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from services.kit.clock import utc
from services.kit.values import Price, parse_price
from services.quotes.simulator.client import Client, Refused
from services.quotes.simulator.listing import LISTED
from services.quotes.simulator.market import Priced
from services.quotes.simulator.voice import Limits, frame_of

_STREAMS_MAX = 1024
_REQUEST_LENGTH_MAX = 4096
_REQUESTS_PER_SECOND = 5
_STREAM = re.compile(r"(?P<symbol>[a-z0-9_]{1,40})@(?P<kind>trade|bookTicker)")
_EPOCH = utc(1970, 1, 1)
_MILLISECOND = timedelta(milliseconds=1)
_METHODS = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"
_GARBAGE: tuple[str | bytes, ...] = (
    *("", "{", "null", "[]", "{}", '"text"', "\x00\x01", b"\x00\x01", b'{"result":null,"id":1}'),
    '{"stream":"btcusdt@trade"}',
    '{"stream":"btcusdt@trade","data":[]}',
    '{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1,"s":"BTCUSDT","k":{}}}',
    '{"a":' * 2000 + "1" + "}" * 2000,
    '{"e":"trade","x":"' + "x" * 100_000 + '"}',
)
_BAD_VALUES: dict[str, tuple[object, ...]] = {
    "p": ("NaN", "-1", "0", "0.00", "1e99", "9" * 30, 1.5, None),
    "t": (-1, 1.5, "7", None, 2**63),
    "T": (None, "yesterday", -1, 10**18),
    "s": (None, "ETHBTC", "x" * 1000),
}


class BinanceVoice:
    """The protocol of Binance's public streams."""

    def __init__(self, lifetime_seconds: float) -> None:
        """Let a connection live for so long."""
        self.limits = Limits(_REQUESTS_PER_SECOND, lifetime_seconds)
        self._methods: dict[object, Callable[[Client, list[Any]], object]] = {
            "SUBSCRIBE": _subscribe,
            "UNSUBSCRIBE": _unsubscribe,
            "LIST_SUBSCRIPTIONS": lambda client, _: sorted(client.symbols),
            "SET_PROPERTY": _set_property,
            "GET_PROPERTY": _get_property,
        }

    def greet(self, client: Client, path: str, _recordings: list[str]) -> str | None:
        """Begin the streams that the URL names, and say nothing."""
        url = urlsplit(path)
        client.combined = not url.path.startswith("/ws")
        named = parse_qs(url.query).get("streams", [""])[0] or url.path.removeprefix("/ws")
        streams = [stream for stream in named.split("/") if _STREAM.fullmatch(stream)]
        _subscribe(client, streams)
        return None

    def answer(self, client: Client, request: dict[str, Any]) -> str:
        """Do what a client asks, and return the answer. Errors: Refused."""
        if len(orjson.dumps(request)) > _REQUEST_LENGTH_MAX:
            raise Refused("Invalid request: too long")
        method = self._methods.get(str(request.get("method")))
        if method is None:
            raise Refused(f"Invalid request: unknown variant, expected one of {_METHODS}")
        parameters = request.get("params", [])
        if not isinstance(parameters, list):
            raise Refused("Invalid request: params is a list")
        identifier = request.get("id")
        if not isinstance(identifier, int | None):
            raise Refused("Invalid request: request ID must be an unsigned integer")
        return frame_of({"result": method(client, parameters), "id": identifier})

    def refusal(self, reason: str, request: object) -> str:
        """Return an error."""
        if not isinstance(request, dict):
            return frame_of({"error": {"code": 3, "msg": f"Invalid JSON: {reason}"}})
        return frame_of({"error": {"code": 2, "msg": reason}, "id": request.get("id")})

    def tick(self, client: Client, stream: str, number: int, priced: Priced) -> str:
        """Return a trade, or the book ticker around it."""
        symbol, _, kind = stream.partition("@")
        event = _trade if kind == "trade" else _book_ticker
        return _wrapped(client.combined, stream, event(symbol.upper(), number, priced))

    def heartbeat(self, _now: datetime) -> str | None:
        """Return nothing: Binance pings instead."""
        return None

    def farewell(self, now: datetime) -> str | None:
        """Return the announcement that the server shuts down."""
        return frame_of({"e": "serverShutdown", "E": _milliseconds(now)})

    def garbage(self, symbols: set[str]) -> Iterator[str | bytes]:
        """Yield frames that are no packets, and impossible trades of these symbols."""
        yield from _GARBAGE
        for symbol in symbols:
            named = symbol.upper() + ("T" if symbol in LISTED else "")
            good = _trade(named, 1, Priced(symbol, "1.0", _EPOCH + timedelta(days=1)))
            for name, values in _BAD_VALUES.items():
                for bad in values:
                    yield _wrapped(True, f"{named.lower()}@trade", good | {name: bad})


def _subscribe(client: Client, streams: list[Any]) -> None:
    wanted = {}
    for stream in streams:
        found = _STREAM.fullmatch(stream) if isinstance(stream, str) else None
        if found is None:
            raise Refused("Invalid request: no such stream")
        wanted[stream] = _symbol(found["symbol"])
    client.follow(wanted, _STREAMS_MAX)


def _unsubscribe(client: Client, streams: list[Any]) -> None:
    client.leave(str(stream) for stream in streams)


def _set_property(client: Client, parameters: list[Any]) -> None:
    match parameters:
        case ["combined", bool(value)]:
            client.combined = value
        case _:
            raise Refused("Invalid value type: expected Boolean")


def _get_property(client: Client, parameters: list[Any]) -> bool:
    if parameters != ["combined"]:
        raise Refused("Unknown property")
    return client.combined


def _symbol(name: str) -> str:
    """Return the symbol of the market that is quoted under a name."""
    symbol = name.upper()
    in_dollars = symbol.removesuffix("T")
    return in_dollars if symbol not in LISTED and in_dollars in LISTED else symbol


def _trade(symbol: str, number: int, priced: Priced) -> dict[str, object]:
    time = _milliseconds(priced.time)
    return {
        "e": "trade",
        "E": time,
        "s": symbol,
        "t": number,
        "p": priced.price,
        "q": "0.01000000",
        "T": time,
        "m": number % 2 == 0,
        "M": True,
    }


def _book_ticker(symbol: str, number: int, priced: Priced) -> dict[str, object]:
    """Return the best bid and ask, one unit of the last place away from the price."""
    scale = len(priced.price.partition(".")[2])
    price = parse_price(priced.price, scale)
    bid, ask = str(Price(max(price - 1, 1), scale)), str(Price(price + 1, scale))
    return {"u": number, "s": symbol, "b": bid, "B": "1.00000000", "a": ask, "A": "1.00000000"}


def _wrapped(combined: bool, stream: str, data: dict[str, object]) -> str:
    return frame_of({"stream": stream, "data": data} if combined else data)


def _milliseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MILLISECOND
