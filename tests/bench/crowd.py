"""A thousand readers of sockets that cost little: they count the events they are sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol, cast

PATH = "/v1/stream"
_SECONDS = 60
_EVENT = b'.v1"'
"""Every type of an event ends so, and no other frame has it."""

_WORDS = (b'"type":"subscribed"', b'"type":"authenticated"', b'"type":"error"')
_SHORT, _MIDDLE = 126, 127
_TEXT, _PING, _PONG = 1, 9, 10


class Audience(Protocol):
    """Whoever readers read for."""

    left: int
    """How many of them have left."""

    def heard(self, payload: bytes) -> None:
        """Take one frame."""


class Reader(asyncio.Protocol):
    """One socket, spoken to by hand: nothing here may cost more than the server under test."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self._rest = b""
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a socket."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self.transport.write(
            f"GET {PATH} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Take frames, whole or in parts."""
        data = self._rest + data if self._rest else data
        if not self.opened.done():
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._rest = head
                return
            self._answered(head)
        at, length = 0, len(data)
        while length - at >= 2:
            start, size = _payload(data, at)
            if start + size > length:
                break
            if data[at] & 0x0F == _PING:
                self._send(_PONG, data[start : start + size])
            else:
                self._audience.heard(data[start : start + size])
            at = start + size
        self._rest = data[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        """Count who leaves: nobody does while something is measured."""
        self._audience.left += 1
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("a socket was not opened"))

    def say(self, **request: str) -> None:
        """Send a request."""
        self._send(_TEXT, json.dumps(request).encode())

    def _send(self, kind: int, payload: bytes) -> None:
        size = len(payload)
        length = bytes([0x80 | size]) if size < _SHORT else b"\xfe" + size.to_bytes(2, "big")
        assert self.transport is not None
        # The mask is all zeros: it changes nothing.
        self.transport.write(bytes([0x80 | kind]) + length + bytes(4) + payload)

    def _answered(self, head: bytes) -> None:
        if b" 101 " in head.partition(b"\r\n")[0]:
            self.opened.set_result(None)
        else:
            self.opened.set_exception(ConnectionError(head.decode()))


class Crowd:
    """Readers of one server, and what they have heard together."""

    def __init__(self, listen: Callable[[bytes], None] | None = None) -> None:
        """Count events; `listen` is told each of them."""
        self.readers: list[Reader] = []
        self.events = 0
        self.words = 0
        self.left = 0
        self.refusal = ""
        """What a server said last that is no answer to be had."""
        self.listen = listen
        self._aim = 0
        self._reached = asyncio.Event()

    def heard(self, payload: bytes) -> None:
        """Take one frame."""
        if _EVENT in payload:
            self.events += 1
            if self.listen:
                self.listen(payload)
        elif any(word in payload for word in _WORDS):
            self.words += 1
            if _WORDS[2] in payload:
                self.refusal = payload.decode()
        if self.events >= self._aim:
            self._reached.set()

    async def grow(self, address: str, number: int) -> Sequence[Reader]:
        """Open so many more sockets."""
        host, _, port = address.rpartition(":")
        loop = asyncio.get_running_loop()
        new: list[Reader] = []
        async with asyncio.timeout(_SECONDS):
            for _ in range(number):
                _, reader = await loop.create_connection(lambda: Reader(self), host, int(port))
                await reader.opened
                new.append(reader)
        self.readers += new
        return new

    async def until_answered(self, words: int) -> None:
        """Wait until the server has said so many words: authenticated, subscribed."""
        async with asyncio.timeout(_SECONDS):
            while self.words < words and not self.refusal:
                await asyncio.sleep(0.01)
        self._require_well()

    async def until_heard(self, events: int) -> None:
        """Wait until all together have been sent so many events, since the beginning."""
        self._aim = events
        self._reached.clear()
        if self.events < events:
            async with asyncio.timeout(_SECONDS):
                await self._reached.wait()
        self._require_well()

    def _require_well(self) -> None:
        if self.left or self.refusal:
            raise RuntimeError(f"{self.left} sockets were closed; {self.refusal}")

    def leave(self) -> None:
        """Close every socket."""
        for reader in self.readers:
            if reader.transport:
                reader.transport.abort()


@asynccontextmanager
async def crowd(
    address: str, number: int, listen: Callable[[bytes], None] | None = None
) -> AsyncIterator[Crowd]:
    """Lend so many readers of a server."""
    readers = Crowd(listen)
    try:
        await readers.grow(address, number)
        yield readers
    finally:
        readers.leave()


def _payload(data: bytes, at: int) -> tuple[int, int]:
    """Return where the payload of the frame at a place begins, and its size."""
    size = data[at + 1] & 0x7F
    if size < _SHORT:
        return at + 2, size
    if size < _MIDDLE:
        return at + 4, int.from_bytes(data[at + 2 : at + 4], "big")
    return at + 10, int.from_bytes(data[at + 2 : at + 10], "big")
