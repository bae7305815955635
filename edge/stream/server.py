"""The server of sockets: handshakes, heartbeats, and an orderly end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import cast

import structlog
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from edge.address import Addresses
from edge.occupancy import Occupancy
from edge.stream import frame
from edge.stream.admission import refusal
from edge.stream.connection import Patience, StreamConnection
from edge.stream.metrics import FRAMES_SENT, REFUSED, SOCKETS
from edge.stream.session import Hubs, Limits, Session
from services.kit.tls import HttpTlsSettings, http_context

_FRAME_BYTES_MAX = 8 * 1024
_KERNEL_BYTES = 128 * 1024
_BACKLOG = 1024
_RESTART = 1012
_TRY_LATER = 1013
_YIELD_EVERY = 50
_log = structlog.stdlib.get_logger()


@dataclass(frozen=True)
class Door:
    """Where sockets are opened, by whom, and how many."""

    host: str
    port: int
    occupancy: Occupancy
    callers: Addresses
    origins: frozenset[str] = frozenset()
    limits: Limits = field(default_factory=Limits)
    patience: Patience = field(default_factory=Patience)
    drain_seconds: float = 5.0
    tls: HttpTlsSettings | None = None


def _listening(host: str, port: int) -> socket.socket:
    """Listen; what the kernel holds back for a slow reader is bounded as well."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES)
    return listening


class SocketServer:
    """Serves sockets from the hubs."""

    def __init__(self, door: Door, hubs: Hubs) -> None:
        self._door = door
        self._hubs = hubs

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve within the block, on the address it is given; leaving closes every socket."""
        door = self._door
        server = await serve(
            self._converse,
            sock=_listening(door.host, door.port),
            create_connection=cast(
                "type[ServerConnection]", partial(StreamConnection, patience=door.patience)
            ),
            process_request=self._admit,
            ssl=http_context(door.tls) if door.tls else None,
            # Compression costs a socket more memory than all the rest of it.
            compression=None,
            max_size=_FRAME_BYTES_MAX,
            close_timeout=door.drain_seconds,
            server_header=None,
        )
        port = server.sockets[0].getsockname()[1]
        try:
            yield f"{door.host}:{port}"
        finally:
            server.close(code=_RESTART, reason="service restart")
            try:
                async with asyncio.timeout(door.drain_seconds):
                    await server.wait_closed()
            except TimeoutError:
                for connection in server.connections:
                    connection.transport.abort()
                await server.wait_closed()

    async def beat(self, every_seconds: float) -> None:
        """Say at intervals, for ever, that the channels are alive and where they stand."""
        while True:
            await asyncio.sleep(every_seconds)
            await self._beat_once()

    async def _beat_once(self) -> None:
        journals, market, clock = self._hubs.journals, self._hubs.market, self._hubs.clock
        beats = [
            (topic.channel.name, topic.sequencer.last or 0, topic.listeners)
            for topic in journals.heartbeat_topics()
        ]
        beats += [
            (line.name, line.sequence, line.listeners.keys()) for line in market.heartbeat_lines()
        ]
        for count, (name, sequence, listeners) in enumerate(beats):
            text = frame.heartbeat(name, sequence, clock.now(), market.feed_time)
            for listener in listeners:
                listener.hint(text)
            FRAMES_SENT.inc(len(listeners))
            if count % _YIELD_EVERY == 0:
                await asyncio.sleep(0)

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        headers = request.headers
        status = refusal(
            request.path, headers.get("Origin"), headers.get("Host"), self._door.origins
        )
        if status is None and not self._door.occupancy.room(self._address(connection)):
            status = HTTPStatus.TOO_MANY_REQUESTS
        if status is None:
            return None
        REFUSED.labels(status.name).inc()
        return connection.respond(status, f"{status.phrase}\n")

    async def _converse(self, connection: ServerConnection) -> None:
        address = self._address(connection)
        if not self._door.occupancy.enter(address):
            await connection.close(_TRY_LATER, "too many sockets")
            return
        SOCKETS.inc()
        try:
            stream = cast("StreamConnection", connection)
            await Session(stream, self._hubs, self._door.limits).run()
        finally:
            SOCKETS.dec()
            self._door.occupancy.leave(address)

    def _address(self, connection: ServerConnection) -> str:
        request = connection.request
        forwarded = request.headers.get_all("X-Forwarded-For") if request else ()
        peer = connection.remote_address
        return self._door.callers.of(peer[0] if peer else None, forwarded)
