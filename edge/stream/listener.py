"""Who receives frames: a socket, as the hubs see it."""

from __future__ import annotations

from typing import Protocol


class Conflated(Protocol):
    """A channel of which only the latest counts: a slow reader skips what came in between."""

    def latest(self) -> bytes | None:
        """Return one frame with all that a reader needs who missed the ones before."""


class Listener(Protocol):
    """A reader of frames, fast or slow."""

    def deliver(self, *frames: bytes) -> None:
        """Send frames that must not be skipped; a reader that cannot keep up is closed."""

    def refresh(self, source: Conflated, frame: bytes) -> None:
        """Send a frame, or the latest one once the reader can take it."""

    def forget(self, source: Conflated) -> None:
        """Owe the reader nothing more of a channel."""

    def hint(self, frame: bytes) -> None:
        """Send a frame if the reader can take it now, and otherwise not at all."""

    async def writable(self) -> None:
        """Wait until the reader has taken what was sent; ConnectionClosed if it never will."""
