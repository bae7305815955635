"""One socket's outgoing side: at once when its reader keeps up, within bounds when it does not."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from websockets.asyncio.server import Server, ServerConnection
from websockets.protocol import State
from websockets.server import ServerProtocol

from edge.stream.listener import Conflated
from edge.stream.metrics import CLOSED

SESSION_ENDED = 4001
SLOW_READER = 4008
_CLOSE_SECONDS = 5.0
_TEXT = 0x81
"""A whole message of text."""

_LENGTH_MAX = 125
"""Longer lengths follow the byte that would hold them."""

_HEADS_KEPT = 4096
_TOGETHER_MAX = 16
"""Frames written at once; more are written one by one, to notice in time that it is too much."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How much is buffered for a reader that is behind, and for how long."""

    frames_max: int = 1_000
    bytes_max: int = 1 << 20
    seconds_max: float = 10.0
    """A reader that takes nothing at all for so long is gone."""


@lru_cache(_HEADS_KEPT)
def _head(length: int) -> bytes:
    """Return what precedes a text of so many bytes on the wire (RFC 6455, section 5.2)."""
    if length <= _LENGTH_MAX:
        return bytes([_TEXT, length])
    if length < 1 << 16:
        return bytes([_TEXT, _LENGTH_MAX + 1]) + length.to_bytes(2, "big")
    return bytes([_TEXT, _LENGTH_MAX + 2]) + length.to_bytes(8, "big")


class StreamConnection(ServerConnection):
    """A connection that never buffers without bound and never makes others wait.

    While the transport takes data, frames go straight to it. When it signals that its buffer is
    full, frames that must arrive are queued up to a bound, of conflated channels only the fact
    that they changed is kept, and hints are dropped.
    """

    def __init__(
        self, protocol: ServerProtocol, server: Server, *, patience: Patience, **options: Any
    ) -> None:
        super().__init__(protocol, server, **options)
        self._patience = patience
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._stale: dict[Conflated, None] = {}
        self._waiters: list[asyncio.Future[None]] = []
        self._deadline: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        self.congested = False

    @property
    def ending(self) -> bool:
        """Whether the socket is being closed: nothing is sent any more, nothing need be heard."""
        return self._closing is not None

    def deliver(self, *frames: bytes) -> None:
        """Send frames that must arrive; a reader that is too far behind is closed."""
        if len(frames) > _TOGETHER_MAX:
            for frame in frames:
                self.deliver(frame)
        elif not self.congested:
            self._write(*frames)
        elif not self.ending:
            for frame in frames:
                self._enqueue(frame)

    def refresh(self, source: Conflated, frame: bytes) -> None:
        """Send a frame, or what is the latest when the reader can take it."""
        if not self.congested:
            self._write(frame)
        elif not self.ending:
            self._stale[source] = None

    def hint(self, frame: bytes) -> None:
        """Send a frame if the reader can take it now."""
        if not self.congested:
            self._write(frame)

    def forget(self, source: Conflated) -> None:
        """Owe the reader nothing more of a channel."""
        self._stale.pop(source, None)

    async def writable(self) -> None:
        """Wait while the reader is behind; ConnectionClosed when it is gone."""
        while self.congested or self.state is not State.OPEN:
            if self.state is not State.OPEN:
                await self.wait_closed()
                raise self.close_exc
            waiter = self.loop.create_future()
            self._waiters.append(waiter)
            await waiter

    def end(self, code: int, reason: str) -> None:
        """Close with a code, and cut the connection if the reader does not even take that."""
        if self._closing is None and self.state is State.OPEN:
            CLOSED.labels(str(code)).inc()
            self._drop_all()
            self._closing = self.loop.create_task(self._end(code, reason))

    # What asyncio tells about the transport.

    def pause_writing(self) -> None:
        """Begin to hold frames back: the transport's buffer is full."""
        super().pause_writing()
        self.congested = True
        self._deadline = self.loop.call_later(self._patience.seconds_max, self._give_up)

    def resume_writing(self) -> None:
        """Send what was held back, as far as the transport takes it."""
        super().resume_writing()
        self._rest()
        while self._queue and not self.paused:
            frame = self._queue.popleft()
            self._queued_bytes -= len(frame)
            self._write(frame)
        while self._stale and not self.paused:
            source, _ = self._stale.popitem()
            if (frame_now := source.latest()) is not None:
                self._write(frame_now)
        if not self.paused:
            self.congested = False
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        super().connection_lost(exc)
        self._rest()
        self._drop_all()
        self._wake()

    def _write(self, *frames: bytes) -> None:
        # Past the library, which makes an object and a buffer of every frame, and calls the kernel
        # for each: ours are always whole texts, unmasked and without extensions.
        if self.protocol.state is State.OPEN and self._closing is None:
            self.transport.write(b"".join([_head(len(frame)) + frame for frame in frames]))

    def _enqueue(self, frame: bytes) -> None:
        self._queue.append(frame)
        self._queued_bytes += len(frame)
        if len(self._queue) > self._patience.frames_max or (
            self._queued_bytes > self._patience.bytes_max
        ):
            self._give_up()

    def _give_up(self) -> None:
        self.end(SLOW_READER, "reads too slowly")

    def _drop_all(self) -> None:
        self._queue.clear()
        self._queued_bytes = 0
        self._stale.clear()

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _end(self, code: int, reason: str) -> None:
        self._wake()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.close(code, reason)
        except TimeoutError:
            self.transport.abort()
