"""A client of the simulator: what it follows, and what it has not been sent yet."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from websockets.asyncio.server import ServerConnection

_UNSENT_MAX = 10_000


class Refused(Exception):
    """A request that is not granted; the message goes back to the client."""


@dataclass(eq=False)
class Client:
    """One connection, with what it has not been sent yet."""

    connection: ServerConnection
    symbols: dict[str, str] = field(default_factory=dict)
    """The streams it follows, and of which symbol of the market each tells."""

    streams: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The same by symbol."""

    combined: bool = True
    """Whether it wants to be told of which stream an event is, where the protocol has both."""

    requests: deque[float] = field(default_factory=lambda: deque(maxlen=100))
    """When it last asked for something, on the monotonic clock."""

    unsent: deque[str | bytes] = field(default_factory=lambda: deque(maxlen=_UNSENT_MAX))
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, frame: str | bytes) -> None:
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

    def follow(self, symbols: Mapping[str, str], most: int) -> None:
        """Follow these streams too, each of a symbol. Errors: Refused."""
        if len(self.symbols.keys() | symbols.keys()) > most:
            raise Refused("Too many subscriptions")
        self.symbols |= symbols
        for stream, symbol in symbols.items():
            self.streams[symbol].add(stream)

    def leave(self, streams: Iterable[str]) -> None:
        """Follow these streams no more."""
        for stream in streams:
            if symbol := self.symbols.pop(stream, None):
                self.streams[symbol].discard(stream)

    def following(self, symbol: str) -> Collection[str]:
        """Return the streams it follows of a symbol."""
        return self.streams.get(symbol, ())

    def asked(self, now: float, most_per_second: int | None) -> bool:
        """Note a request, and tell whether it may be made so soon after those before."""
        self.requests.append(now)
        lately = sum(1 for time in self.requests if now - time < 1)
        return most_per_second is None or lately <= most_per_second
