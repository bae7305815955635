"""The market data server: tells its market to whoever subscribes."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import orjson
import structlog
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from services.kit.clock import Clock
from services.kit.values import parse_price
from services.quotes.simulator.client import Client, Refused
from services.quotes.simulator.market import Market, Priced
from services.quotes.simulator.state import State
from services.quotes.simulator.voice import Voice, frame_of, symbols_of

_HEARTBEAT_SECONDS = 1.0
_BEATS_PER_PING = 20
_SAVE_SECONDS = 1.0
_SLEEP_MAX_SECONDS = 0.05
_HELD_MAX = 100_000
_TOO_MANY_REQUESTS = 1008
_log = structlog.stdlib.get_logger()


class Server:
    """Serves one market to any number of clients."""

    def __init__(
        self, market: Market, voice: Voice, state: State, clock: Clock, *, controlled: bool
    ) -> None:
        """Serve `market` in the protocol of `voice`; with `controlled`, clients may command it."""
        self._market = market
        self._voice = voice
        self._number = 0
        self._state = state
        self._clock = clock
        self._controlled = controlled
        self._clients: set[Client] = set()
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
            "farewell": lambda *_: self._say_farewell(),
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
        """Serve one client, until it goes, or has been here for as long as is granted."""
        client = Client(connection)
        self._clients.add(client)
        sending = asyncio.create_task(client.send())
        try:
            async with asyncio.timeout(self._voice.limits.lifetime_seconds):
                await self._hear(client)
        except (ConnectionClosed, TimeoutError):
            pass
        finally:
            self._clients.discard(client)
            sending.cancel()
            await asyncio.wait({sending})

    async def _hear(self, client: Client) -> None:
        connection = client.connection
        path = connection.request.path if connection.request else ""
        if greeting := self._voice.greet(client, path, self._market.recordings):
            client.offer(greeting)
        self._add_symbols(client)
        async for frame in connection:
            if not client.asked(self._clock.monotonic(), self._voice.limits.requests_per_second):
                await connection.close(_TOO_MANY_REQUESTS, "Too many requests")
                return
            answer = self._answer(client, frame)
            if answer is not None:
                client.offer(answer)

    def _answer(self, client: Client, frame: str | bytes) -> str | None:
        """Return the answer to a request; None when nobody hears from the server now."""
        request: object = None
        try:
            request = orjson.loads(frame)
            if not isinstance(request, dict):
                raise Refused("a request is an object")
            if self._controlled and request.get("op") == "control":
                return self._control(request, symbols_of(request))
            answer = self._voice.answer(client, request)
        except orjson.JSONDecodeError:
            return self._voice.refusal("not JSON", None)
        except Refused as refusal:
            return self._voice.refusal(str(refusal), request)
        self._add_symbols(client)
        return None if self._gap or self._paused else answer

    def _add_symbols(self, client: Client) -> None:
        for symbol in client.symbols.values():
            self._market.add(symbol, self._clock.now())

    def _control(self, request: dict[str, Any], symbols: set[str] | None) -> str:
        command = self._commands.get(str(request.get("command")))
        if command is None:
            raise Refused(f"commands are {', '.join(self._commands)}")
        command(request, symbols)
        _log.info("controlled", command=request["command"], symbols=request.get("symbols"))
        return frame_of({"type": "controlled", "command": request["command"]})

    def _tell(self, prices: Iterable[Priced]) -> None:
        for priced in prices:
            if self._paused:
                self._held.append(priced)
            elif not self._gap:
                self._send(priced)

    def _send(self, priced: Priced) -> None:
        self._number += 1
        for client in self._clients:
            for stream in client.following(priced.symbol):
                client.offer(self._voice.tick(client, stream, self._number, priced))

    async def _beat(self) -> None:
        for beat in count():
            if not self._gap and not self._paused:
                if frame := self._voice.heartbeat(self._clock.now()):
                    self._send_all(frame)
                elif beat % _BEATS_PER_PING == 0:
                    await self._ping_all()
            await asyncio.sleep(_HEARTBEAT_SECONDS)

    async def _ping_all(self) -> None:
        for client in tuple(self._clients):
            with suppress(ConnectionClosed, TimeoutError):
                async with asyncio.timeout(_HEARTBEAT_SECONDS):
                    await client.connection.ping()

    async def _save(self) -> None:
        while True:
            await asyncio.sleep(_SAVE_SECONDS)
            await asyncio.to_thread(self._state.save, self._market.prices())

    def _send_all(self, frame: str | bytes) -> None:
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
            raise Refused("basis_points is a whole number")
        self._tell(self._market.spike(symbols, basis_points, self._clock.now()))

    def _tick(self, request: dict[str, Any], symbols: set[str] | None) -> None:
        price = str(request.get("price", ""))
        try:
            parse_price(price, 12)
        except ValueError as error:
            raise Refused("price is decimal text") from error
        time = _time(request) or self._clock.now()
        self._tell([Priced(symbol, price, time) for symbol in symbols or ()])

    def _garble(self, symbols: set[str] | None) -> None:
        for frame in self._voice.garbage(symbols or set()):
            self._send_all(frame)

    def _drop(self) -> None:
        for client in self._clients:
            if client.symbols:
                client.connection.transport.abort()

    def _say_farewell(self) -> None:
        if frame := self._voice.farewell(self._clock.now()):
            self._send_all(frame)


def _time(request: dict[str, Any]) -> datetime | None:
    """Return when a tick that is commanded claims to have been."""
    try:
        return datetime.fromisoformat(request["time"]) if "time" in request else None
    except (TypeError, ValueError) as error:
        raise Refused("time is ISO 8601") from error
