"""The protocols of market data servers: what a feed has to know to talk to one."""

from collections.abc import Iterator
from typing import Protocol

from services.quotes.packet import Packet


class Conversation(Protocol):
    """What is said on one connection, from its beginning on."""

    def requests(self, unwanted: frozenset[str], wanted: frozenset[str]) -> Iterator[str]:
        """Yield what to send so that streams stop and begin."""

    def probe(self) -> str:
        """Return a question that has an answer."""

    def read(self, frame: str | bytes) -> Packet:
        """Return what a frame says. Errors: MalformedPacket, and nothing else."""


class FeedProtocol(Protocol):
    """How a kind of market data server is spoken to."""

    @property
    def crypto_quote_currency(self) -> str:
        """What it quotes crypto in."""

    @property
    def streams_max(self) -> int:
        """How many streams one connection carries."""

    @property
    def pause_seconds(self) -> float:
        """How long to wait after each request, so as not to ask more often than is allowed."""

    @property
    def probe_seconds(self) -> float | None:
        """How often to ask whether it is there; None for one that says so by itself."""

    @property
    def pings_count(self) -> bool:
        """Whether its WebSocket pings tell that the source is there."""

    def url(self, base: str) -> str:
        """Return where to connect."""

    def stream_of(self, feed_symbol: str) -> str | None:
        """Return what packets call a feed symbol; None if it can have no such symbol."""

    def conversation(self) -> Conversation:
        """Begin to talk on a new connection."""
