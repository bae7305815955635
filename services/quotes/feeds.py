"""Feeds: where packets come from."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Protocol

import orjson
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from services.kit.clock import Clock

Hear = Callable[[str | bytes], None]

FRAME_BYTES_MAX = 64 * 1024
SILENCE_SECONDS = 15.0
"""A connection on which nothing came for this long is given up and made anew."""

_OPEN_SECONDS = 5.0
_PING_SECONDS = 5.0
_BACKOFF_SECONDS = (0.1, 5.0)
_HEALTHY_SECONDS = 10.0
_SYMBOLS_PER_FRAME = 500

_log = structlog.stdlib.get_logger()


class Feed(Protocol):
    """A source of packets. It keeps itself connected."""

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""

    def subscribe(self, symbols: frozenset[str]) -> None:
        """Ask for exactly these symbols from now on, also after reconnecting."""

    async def run(self, hear: Hear) -> None:
        """Hand over each frame as it comes, until cancelled. Outages are bridged."""


class WebSocketFeed:
    """A market data server reached by WebSocket."""

    def __init__(self, url: str, clock: Clock, random: Random) -> None:
        """Prepare to connect to `url`; `random` spreads the attempts of many clients."""
        self._url = url
        self._clock = clock
        self._random = random
        self._wanted: frozenset[str] = frozenset()
        self._changed = asyncio.Event()
        self._connection: ClientConnection | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._connection is not None

    def subscribe(self, symbols: frozenset[str]) -> None:
        """Ask for exactly these symbols from now on, also after reconnecting."""
        self._wanted = symbols
        self._changed.set()

    async def run(self, hear: Hear) -> None:
        """Hand over each frame as it comes, until cancelled. Outages are bridged."""
        failures = 0
        while True:
            began = self._clock.monotonic()
            try:
                await self._listen(hear)
            except (ConnectionClosed, InvalidHandshake, InvalidURI, OSError) as error:
                _log.warning("feed lost", url=self._url, reason=str(error) or type(error).__name__)
            healthy = self._clock.monotonic() - began > _HEALTHY_SECONDS
            failures = 0 if healthy else failures + 1
            await asyncio.sleep(self._pause(failures))

    def _pause(self, failures: int) -> float:
        """Return how long to wait: more after each failure in a row, and never quite the same."""
        least, most = _BACKOFF_SECONDS
        longest = min(most, least * 2 ** min(failures, 16))
        return self._random.uniform(longest / 2, longest)

    async def _listen(self, hear: Hear) -> None:
        async with connect(
            self._url,
            max_size=FRAME_BYTES_MAX,
            compression=None,
            open_timeout=_OPEN_SECONDS,
            ping_interval=_PING_SECONDS,
            ping_timeout=_PING_SECONDS,
            close_timeout=1,
            proxy=None,
        ) as connection:
            self._connection = connection
            _log.info("feed connected", url=self._url)
            asking = asyncio.create_task(self._ask(connection), name="feed subscriptions")
            try:
                while True:
                    async with asyncio.timeout(SILENCE_SECONDS):
                        frame = await connection.recv()
                    hear(frame)
            finally:
                self._connection = None
                asking.cancel()
                await asyncio.wait({asking})
                # A closing handshake would wait behind packets that nobody reads any more.
                connection.transport.abort()

    async def _ask(self, connection: ClientConnection) -> None:
        """Tell the server what is wanted, now and whenever that changes."""
        asked: frozenset[str] = frozenset()
        while True:
            wanted = self._wanted
            self._changed.clear()
            await _send(connection, "unsubscribe", asked - wanted)
            await _send(connection, "subscribe", wanted - asked)
            asked = wanted
            await self._changed.wait()


async def _send(connection: ClientConnection, operation: str, symbols: frozenset[str]) -> None:
    ordered = sorted(symbols)
    for start in range(0, len(ordered), _SYMBOLS_PER_FRAME):
        part = ordered[start : start + _SYMBOLS_PER_FRAME]
        await connection.send(orjson.dumps({"op": operation, "symbols": part}).decode())
