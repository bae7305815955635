"""The market data server: tells its market to whoever subscribes."""

import asyncio
import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
import structlog
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from services.kit.clock import Clock
from services.kit.values import parse_price
from services.quotes.simulator.market import Market, Priced
from services.quotes.simulator.state import State

_HEARTBEAT_SECONDS = 1.0
_SAVE_SECONDS = 1.0
_SLEEP_MAX_SECONDS = 0.05
_SYMBOLS_MAX = 5000
_UNSENT_MAX = 10_000
_HELD_MAX = 100_000
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
_log = structlog.stdlib.get_logger()


class _Refused(Exception):
    """A request that is not granted; the message goes back to the client."""


@dataclass(eq=False)
class _Client:
    """One connection, with what it has not been sent yet."""

    connection: ServerConnection
    symbols: set[str] = field(default_factory=set)
    unsent: deque[str] = field(default_factory=lambda: deque(maxlen=_UNSENT_MAX))
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, frame: str) -> None:
        """Send a frame as soon as the client reads; the oldest are lost if it does not."""
        self.unsent.append(frame)
        self.ready.set()

    async def send(self) -> None:
        """Send what is offered, until the connection closes."""
        while True:
            await self.ready.wait()
            self.ready.clear()
            while self.unsent:
                await self.connection.send(self.unsent.popleft())


class Server:
    """Serves one market to any number of clients."""

    def __init__(self, market: Market, state: State, clock: Clock, *, controlled: bool) -> None:
        """Serve `market`; with `controlled`, clients may command it."""
        self._market = market
        self._state = state
        self._clock = clock
        self._controlled = controlled
        self._clients: set[_Client] = set()
        self._gap = False
        self._paused = False
        self._held: deque[Priced] = deque(maxlen=_HELD_MAX)
        self._commands: dict[str, Callable[[dict[str, Any], set[str] | None], None]] = {
            "freeze": lambda _, symbols: self._market.freeze(symbols),
            "gap": lambda *_: self._lose(),
            "pause": lambda *_: self._hold(),
            "resume": lambda _, symbols: self._resume(symbols),
            "spike": self._spike,
            "tick": self._tick,
            "garble": lambda _, symbols: self._garble(symbols),
            "drop": lambda *_: self._drop(),
        }

    async def run(self) -> None:
        """Let the market go on, until cancelled; keep its last prices."""
        beating = asyncio.create_task(self._beat())
        saving = asyncio.create_task(self._save())
        try:
            while True:
                now = self._clock.now()
                self._tell(self._market.due_until(now))
                pause = (self._market.next_due() - now) / timedelta(seconds=1)
                await asyncio.sleep(min(max(pause, 0.001), _SLEEP_MAX_SECONDS))
        finally:
            beating.cancel()
            saving.cancel()
            self._state.save(self._market.prices())

    async def serve(self, connection: ServerConnection) -> None:
        """Serve one client, until it goes."""
        client = _Client(connection)
        self._clients.add(client)
        sending = asyncio.create_task(client.send())
        client.offer(_frame({"type": "welcome", "recordings": self._market.recordings}))
        try:
            async for frame in connection:
                client.offer(_frame(self._answer(client, frame)))
        except ConnectionClosed:
            pass
        finally:
            self._clients.discard(client)
            sending.cancel()
            await asyncio.wait({sending})

    def _answer(self, client: _Client, frame: str | bytes) -> dict[str, Any]:
        try:
            request = orjson.loads(frame)
            if not isinstance(request, dict):
                raise _Refused("a request is an object")
            return self._do(client, request)
        except orjson.JSONDecodeError:
            return {"type": "error", "message": "not JSON"}
        except _Refused as refusal:
            return {"type": "error", "message": str(refusal)}

    def _do(self, client: _Client, request: dict[str, Any]) -> dict[str, Any]:
        symbols = _symbols(request)
        match request.get("op"):
            case "subscribe":
                self._subscribe(client, symbols or set())
                return {"type": "subscribed", "symbols": sorted(client.symbols)}
            case "unsubscribe":
                client.symbols -= symbols or set()
                return {"type": "subscribed", "symbols": sorted(client.symbols)}
            case "control" if self._controlled:
                return self._control(request, symbols)
        raise _Refused("there is no such operation")

    def _subscribe(self, client: _Client, symbols: set[str]) -> None:
        if len(client.symbols | symbols) > _SYMBOLS_MAX:
            raise _Refused("too many symbols")
        for symbol in symbols:
            self._market.add(symbol, self._clock.now())
        client.symbols |= symbols

    def _control(self, request: dict[str, Any], symbols: set[str] | None) -> dict[str, Any]:
        command = self._commands.get(str(request.get("command")))
        if command is None:
            raise _Refused(f"commands are {', '.join(self._commands)}")
        command(request, symbols)
        _log.info("controlled", command=request["command"], symbols=request.get("symbols"))
        return {"type": "controlled", "command": request["command"]}

    def _tell(self, prices: Iterable[Priced]) -> None:
        for priced in prices:
            if self._paused:
                self._held.append(priced)
            elif not self._gap:
                self._send(priced)

    def _send(self, priced: Priced) -> None:
        frame = ""
        for client in self._clients:
            if priced.symbol in client.symbols:
                frame = frame or _tick(priced)
                client.offer(frame)

    async def _beat(self) -> None:
        while True:
            if not self._gap and not self._paused:
                time = self._clock.now().isoformat()
                self._send_all(_frame({"type": "heartbeat", "time": time}))
            await asyncio.sleep(_HEARTBEAT_SECONDS)

    async def _save(self) -> None:
        while True:
            await asyncio.sleep(_SAVE_SECONDS)
            await asyncio.to_thread(self._state.save, self._market.prices())

    def _send_all(self, frame: str) -> None:
        for client in self._clients:
            if client.symbols:
                client.offer(frame)

    def _lose(self) -> None:
        self._gap = True

    def _hold(self) -> None:
        self._paused = True

    def _resume(self, symbols: set[str] | None) -> None:
        self._market.resume(symbols)
        self._gap = self._paused = False
        held, self._held = self._held, deque(maxlen=_HELD_MAX)
        self._tell(held)

    def _spike(self, request: dict[str, Any], symbols: set[str] | None) -> None:
        basis_points = request.get("basis_points", 500)
        if not isinstance(basis_points, int) or not -9999 <= basis_points <= 1_000_000:
            raise _Refused("basis_points is a whole number")
        self._tell(self._market.spike(symbols, basis_points, self._clock.now()))

    def _tick(self, request: dict[str, Any], symbols: set[str] | None) -> None:
        price = str(request.get("price", ""))
        try:
            parse_price(price, 12)
        except ValueError as error:
            raise _Refused("price is decimal text") from error
        time = _time(request) or self._clock.now()
        self._tell([Priced(symbol, price, time) for symbol in symbols or ()])

    def _garble(self, symbols: set[str] | None) -> None:
        for frame in _GARBAGE:
            self._send_all(frame)
        for symbol in symbols or ():
            for bad in _BAD_TICKS:
                self._send_all(_frame(bad | {"symbol": symbol} if bad["symbol"] == "{}" else bad))

    def _drop(self) -> None:
        for client in self._clients:
            if client.symbols:
                client.connection.transport.abort()


def _symbols(request: dict[str, Any]) -> set[str] | None:
    symbols = request.get("symbols")
    if symbols is None:
        return None
    if not isinstance(symbols, list) or not all(
        isinstance(symbol, str) and _SYMBOL.fullmatch(symbol) for symbol in symbols
    ):
        raise _Refused("symbols is a list of names")
    return set(symbols)


def _time(request: dict[str, Any]) -> datetime | None:
    """Return when a tick that is commanded claims to have been."""
    try:
        return datetime.fromisoformat(request["time"]) if "time" in request else None
    except (TypeError, ValueError) as error:
        raise _Refused("time is ISO 8601") from error


def _tick(priced: Priced) -> str:
    return _frame(
        {
            "type": "tick",
            "symbol": priced.symbol,
            "price": priced.price,
            "time": priced.time.isoformat(),
        }
    )


def _frame(message: dict[str, Any]) -> str:
    return orjson.dumps(message).decode()
