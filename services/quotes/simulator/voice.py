"""Voices: the protocols in which the simulator tells its market."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import orjson

from services.quotes.simulator.client import Client, Refused
from services.quotes.simulator.market import Priced

_SYMBOLS_MAX = 5000
_SYMBOL = re.compile(r"[A-Za-z0-9./_-]{1,40}")
_GARBAGE = ("", "{", "null", "[]", '{"type":', '{"type":"tick"}', '{"type":7}', "\x00\x01")
_BAD_TICKS = (
    {"type": "tick", "symbol": "{}", "price": "NaN"},
    {"type": "tick", "symbol": "{}", "price": "-1"},
    {"type": "tick", "symbol": "{}", "price": "0"},
    {"type": "tick", "symbol": "{}", "price": 1.5},
    {"type": "tick", "symbol": "{}", "price": "1e99"},
    {"type": "tick", "symbol": "{}", "price": "1.0", "time": "yesterday"},
    {"type": "tick", "symbol": None, "price": "1.0"},
    {"type": "tick", "symbol": "x" * 1000, "price": "1.0"},
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server grants one connection."""

    requests_per_second: int | None = None
    lifetime_seconds: float | None = None


class Voice(Protocol):
    """A protocol, as the server speaks it."""

    limits: Limits

    def greet(self, client: Client, path: str, recordings: list[str]) -> str | None:
        """Return what a client is told first; it may ask for streams by the path of its URL."""

    def answer(self, client: Client, request: dict[str, Any]) -> str:
        """Do what a client asks, and return the answer. Errors: Refused."""

    def refusal(self, reason: str, request: object) -> str:
        """Return the answer to a request that is not granted."""

    def tick(self, client: Client, stream: str, number: int, priced: Priced) -> str:
        """Return a price as a client is told it; numbers rise."""

    def heartbeat(self, now: datetime) -> str | None:
        """Return what is sent each second; None if the server is pinging instead."""

    def farewell(self, now: datetime) -> str | None:
        """Return what announces the end of connections, if anything does."""

    def garbage(self, symbols: set[str]) -> Iterator[str | bytes]:
        """Yield frames that are no packets, and impossible prices of these symbols."""


class VeritickVoice:
    """The protocol of `services.quotes.packet`."""

    limits = Limits()

    def greet(self, _client: Client, _path: str, recordings: list[str]) -> str | None:
        """Return the welcome."""
        return frame_of({"type": "welcome", "recordings": recordings})

    def answer(self, client: Client, request: dict[str, Any]) -> str:
        """Subscribe or unsubscribe. Errors: Refused."""
        symbols = symbols_of(request) or set()
        match request.get("op"):
            case "subscribe":
                client.follow({symbol: symbol for symbol in symbols}, _SYMBOLS_MAX)
            case "unsubscribe":
                client.leave(symbols)
            case _:
                raise Refused("there is no such operation")
        return frame_of({"type": "subscribed", "symbols": sorted(client.symbols)})

    def refusal(self, reason: str, _request: object) -> str:
        """Return an error."""
        return frame_of({"type": "error", "message": reason})

    def tick(self, _client: Client, stream: str, _number: int, priced: Priced) -> str:
        """Return a tick."""
        time = priced.time.isoformat()
        return frame_of({"type": "tick", "symbol": stream, "price": priced.price, "time": time})

    def heartbeat(self, now: datetime) -> str | None:
        """Return a heartbeat."""
        return frame_of({"type": "heartbeat", "time": now.isoformat()})

    def farewell(self, _now: datetime) -> str | None:
        """Return nothing: this protocol ends without a word."""
        return None

    def garbage(self, symbols: set[str]) -> Iterator[str | bytes]:
        """Yield frames that are no packets, and impossible prices of these symbols."""
        yield from _GARBAGE
        for symbol in symbols:
            for bad in _BAD_TICKS:
                yield frame_of(bad | {"symbol": symbol} if bad["symbol"] == "{}" else bad)


def symbols_of(request: dict[str, Any]) -> set[str] | None:
    """Return the symbols a request names; None if it names none. Errors: Refused."""
    symbols = request.get("symbols")
    if symbols is None:
        return None
    if not isinstance(symbols, list) or not all(
        isinstance(symbol, str) and _SYMBOL.fullmatch(symbol) for symbol in symbols
    ):
        raise Refused("symbols is a list of names")
    return set(symbols)


def frame_of(message: dict[str, Any]) -> str:
    """Write a message as a frame."""
    return orjson.dumps(message).decode()
