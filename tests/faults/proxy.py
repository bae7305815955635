"""A proxy between two parts of the platform, on which the network between them can fail.

It runs on a loop of its own, so that tests and the processes under test come and go as they like.
Where it listens and where it leads are addresses: `host:port`, or the path of a Unix socket.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Any, Self, TypeVar

_BYTES = 1 << 16
T = TypeVar("T")


class Network(Enum):
    """How the network is."""

    WELL = "well"
    REFUSES = "refuses"
    """Every connection is reset, and no new one is made."""
    SWALLOWS = "swallows"
    """Connections stay, nothing arrives."""


class Fate(Enum):
    """What becomes of some bytes on their way."""

    ARRIVE = "arrive"
    ARRIVE_AND_RESET = "arrive, then the connection is reset"
    ARRIVE_UNANSWERED = "arrive, and the connection is reset when their answer comes"
    RESET = "the connection is reset before they arrive"


Watch = Callable[[bytes], Fate]
"""Looks at bytes on their way to the target and decides."""


def let_pass(_: bytes) -> Fate:
    """Decide nothing."""
    return Fate.ARRIVE


class Proxy:
    """Listens at one address and leads to another."""

    def __init__(self, listen: str, target: str) -> None:
        self.listen = listen
        self.target = target
        self.delay_seconds = 0.0
        self.sent: Watch = let_pass
        self._network = Network.WELL
        self._open = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def network(self) -> Network:
        """How the network is now."""
        return self._network

    async def serve(self) -> None:
        """Begin to listen."""
        self._open.set()
        if self.listen.startswith("/"):
            await asyncio.start_unix_server(self._serve, self.listen)
        else:
            host, _, port = self.listen.rpartition(":")
            await asyncio.start_server(self._serve, host, int(port))

    async def become(self, network: Network) -> None:
        """Change how the network is, for connections there are and those to come."""
        self._network = network
        if network is Network.SWALLOWS:
            self._open.clear()
        else:
            self._open.set()
        if network is Network.REFUSES:
            await self.reset()

    async def lead_to(self, target: str) -> None:
        """Lead elsewhere; what is connected to the old place is cut off."""
        self.target = target
        await self.reset()

    async def reset(self) -> None:
        """Reset every connection there is."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._network is Network.REFUSES:
                return
            await self._open.wait()
            with suppress(OSError):
                await self._join(reader, writer)
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await _connect(self.target)
        unanswered = asyncio.Event()
        ways = [
            asyncio.create_task(self._carry_there(reader, far_writer, unanswered)),
            asyncio.create_task(self._carry_back(far_reader, writer, unanswered)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            far_writer.transport.abort()

    async def _carry_there(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        unanswered: asyncio.Event,
    ) -> None:
        """Carry bytes to the target, as far as they get, until either side ends."""
        while data := await self._taken(reader):
            fate = self.sent(data)
            if fate is Fate.ARRIVE_UNANSWERED:
                unanswered.set()
            if fate is not Fate.RESET:
                writer.write(data)
                await writer.drain()
            if fate in {Fate.RESET, Fate.ARRIVE_AND_RESET}:
                return

    async def _carry_back(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        unanswered: asyncio.Event,
    ) -> None:
        """Carry what is answered until either side ends, or nothing may be answered any more."""
        while (data := await self._taken(reader)) and not unanswered.is_set():
            writer.write(data)
            await writer.drain()

    async def _taken(self, reader: asyncio.StreamReader) -> bytes:
        """Return what comes next, when the network lets it through; nothing at the end."""
        if data := await reader.read(_BYTES):
            if self.delay_seconds:
                await asyncio.sleep(self.delay_seconds)
            await self._open.wait()
        return data


async def _connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if address.startswith("/"):
        return await asyncio.open_unix_connection(address)
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host, int(port))


class Road:
    """A proxy as a test holds it: every method works from any thread."""

    def __init__(self, proxy: Proxy, loop: asyncio.AbstractEventLoop) -> None:
        self._proxy = proxy
        self._loop = loop

    @contextmanager
    def being(self, network: Network) -> Iterator[None]:
        """Let the network be bad for as long as the block lasts."""
        self._do(self._proxy.become(network))
        try:
            yield
        finally:
            self._do(self._proxy.become(Network.WELL))

    @contextmanager
    def slowed(self, seconds: float) -> Iterator[None]:
        """Delay everything for as long as the block lasts."""
        self._proxy.delay_seconds = seconds
        try:
            yield
        finally:
            self._proxy.delay_seconds = 0

    @contextmanager
    def watched(self, sent: Watch) -> Iterator[None]:
        """Let somebody decide about what is sent for as long as the block lasts."""
        self._proxy.sent = sent
        try:
            yield
        finally:
            self._proxy.sent = let_pass

    def lead_to(self, target: str) -> None:
        """Lead elsewhere, and cut off what was connected."""
        self._do(self._proxy.lead_to(target))

    def reset(self) -> None:
        """Reset every connection."""
        self._do(self._proxy.reset())

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


class Roads:
    """Makes proxies, all on one loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def between(self, listen: str | Path, target: str | Path) -> Road:
        """Open a road from one address to another."""
        proxy = Proxy(str(listen), str(target))
        road = Road(proxy, self._loop)
        asyncio.run_coroutine_threadsafe(proxy.serve(), self._loop).result(10)
        return road

    async def _end(self) -> None:
        tasks: list[Awaitable[Any]] = []
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()
                tasks.append(task)
        await asyncio.gather(*tasks, return_exceptions=True)
