"""Feeds: where packets come from."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random
from typing import Protocol

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.frames import Frame, Opcode
from websockets.protocol import Event

from services.kit.clock import Clock
from services.quotes import metrics
from services.quotes.packet import HEARTBEAT, Farewell, MalformedPacket, Packet
from services.quotes.protocol import Conversation, FeedProtocol

Hear = Callable[[Packet], None]

FRAME_BYTES_MAX = 1024 * 1024
"""A longer frame ends the connection; what is too long for a packet but shorter is skipped."""

SILENCE_SECONDS = 15.0
"""A connection on which nothing came for this long is given up and made anew."""

_OPEN_SECONDS = 5.0
_PING_SECONDS = 5.0
_BACKOFF_SECONDS = (0.1, 5.0)
_HEALTHY_SECONDS = 10.0

_log = structlog.stdlib.get_logger()


class Feed(Protocol):
    """A source of packets. It keeps itself connected."""

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""

    def stream_of(self, feed_symbol: str) -> str | None:
        """Return what packets call a feed symbol; None if there can be no such symbol."""

    def subscribe(self, feed_symbols: frozenset[str]) -> None:
        """Ask for exactly these symbols from now on, also after reconnecting."""

    async def run(self, hear: Hear) -> None:
        """Hand over each packet as it comes, until cancelled. Outages are bridged."""


class _Connection(ClientConnection):
    """A connection that tells of pings too, which the library answers by itself."""

    pinged: Callable[[], None] | None = None

    def process_event(self, event: Event) -> None:
        """Take one event of the connection, as the library has it."""
        super().process_event(event)
        if self.pinged and isinstance(event, Frame) and event.opcode is Opcode.PING:
            self.pinged()


class WebSocketFeed:
    """A market data server reached by WebSocket."""

    def __init__(self, protocol: FeedProtocol, url: str, clock: Clock, random: Random) -> None:
        """Prepare to connect to `url`; `random` spreads the attempts of many clients."""
        self._protocol = protocol
        self._url = protocol.url(url)
        self._clock = clock
        self._random = random
        self._wanted: frozenset[str] = frozenset()
        self._changed = asyncio.Event()
        self._connection: ClientConnection | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._connection is not None

    def stream_of(self, feed_symbol: str) -> str | None:
        """Return what packets call a feed symbol; None if there can be no such symbol."""
        return self._protocol.stream_of(feed_symbol)

    def subscribe(self, feed_symbols: frozenset[str]) -> None:
        """Ask for exactly these symbols from now on, also after reconnecting."""
        streams = {symbol: self.stream_of(symbol) for symbol in feed_symbols}
        if unknown := sorted(symbol for symbol, stream in streams.items() if stream is None):
            _log.warning("the feed can not know these symbols", symbols=unknown[:20])
        wanted = sorted({stream for stream in streams.values() if stream is not None})
        if excess := wanted[self._protocol.streams_max :]:
            _log.error("too many symbols for one feed", left_out=len(excess), first=excess[0])
        self._wanted = frozenset(wanted[: self._protocol.streams_max])
        self._changed.set()

    async def run(self, hear: Hear) -> None:
        """Hand over each packet as it comes, until cancelled. Outages are bridged."""
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

    def _connect(self) -> connect:
        return connect(
            self._url,
            create_connection=_Connection,
            max_size=FRAME_BYTES_MAX,
            compression=None,
            open_timeout=_OPEN_SECONDS,
            ping_interval=_PING_SECONDS,
            ping_timeout=_PING_SECONDS,
            close_timeout=1,
            proxy=None,
        )

    async def _listen(self, hear: Hear) -> None:
        async with self._connect() as connection:
            self._connection = connection
            if self._protocol.pings_count and isinstance(connection, _Connection):
                connection.pinged = partial(hear, HEARTBEAT)
            conversation = self._protocol.conversation()
            _log.info("feed connected", url=self._url)
            asking = asyncio.create_task(
                self._ask(connection, conversation), name="feed subscriptions"
            )
            try:
                await _hear_until_farewell(connection, conversation, hear)
                _log.info("the feed asks to connect anew", url=self._url)
            finally:
                self._connection = None
                asking.cancel()
                await asyncio.wait({asking})
                # A closing handshake would wait behind packets that nobody reads any more.
                connection.transport.abort()

    async def _ask(self, connection: ClientConnection, conversation: Conversation) -> None:
        """Tell the server what is wanted, now and whenever that changes."""
        asked: frozenset[str] = frozenset()
        with suppress(ConnectionClosed):
            while True:
                wanted = self._wanted
                self._changed.clear()
                for request in conversation.requests(asked - wanted, wanted - asked):
                    await self._say(connection, request)
                asked = wanted
                if not await self._changes():
                    await self._say(connection, conversation.probe())

    async def _say(self, connection: ClientConnection, request: str) -> None:
        await connection.send(request)
        await asyncio.sleep(self._protocol.pause_seconds)

    async def _changes(self) -> bool:
        """Wait until something else is wanted; False when it is time to ask if anyone is there."""
        try:
            async with asyncio.timeout(self._protocol.probe_seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True


async def _hear_until_farewell(
    connection: ClientConnection, conversation: Conversation, hear: Hear
) -> None:
    while True:
        async with asyncio.timeout(SILENCE_SECONDS):
            frame = await connection.recv()
        try:
            packet = conversation.read(frame)
        except MalformedPacket:
            metrics.MALFORMED.inc()
            continue
        hear(packet)
        if isinstance(packet, Farewell):
            return
