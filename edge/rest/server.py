"""The HTTP server: uvicorn, with a bound on everything a client can make it hold."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager

import uvicorn
from h11 import IDLE
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge.rest.http import HEAD_BYTES_MAX
from edge.settings import RestSettings
from services.kit.tls import http_context

_KEEP_ALIVE_SECONDS = 30
_WAITING_MAX = 2048


class PatientProtocol(H11Protocol):
    """HTTP/1.1 on one connection; a request whose head does not arrive in time is given up."""

    head_seconds_max: float = 10
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Take what arrived; go on waiting while it is not a whole head."""
        super().data_received(data)
        if self.conn.their_state is not IDLE:
            self._unwatch_head()
        elif self._head_timer is None:
            self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._unwatch_head()
        super().connection_lost(exc)

    def _watch_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds_max, self.transport.close)

    def _unwatch_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs it, so that everything around it is closed as well."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(settings: RestSettings, app: ASGIApp) -> AsyncIterator[str]:
    """Serve an application within the block, and yield `host:port`; leaving drains and stops.

    OSError when the port is taken.
    """
    with closing(_bound(settings.http_listen)) as listener:
        config = _config(settings, app)
        if settings.http_tls is not None:
            config.load()
            config.ssl = http_context(settings.http_tls)
        server = _Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            host, port = listener.getsockname()[:2]
            yield f"{host}:{port}"
        finally:
            server.should_exit = True
            await running


async def stop_asked() -> None:
    """Wait for SIGTERM or SIGINT."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    await asked.wait()


def _config(settings: RestSettings, app: ASGIApp) -> uvicorn.Config:
    class Protocol(PatientProtocol):
        head_seconds_max = settings.head_seconds_max

    return uvicorn.Config(
        app,
        # h11 bounds a head that comes in pieces, `http` a whole one; httptools takes what is sent.
        http=Protocol,
        h11_max_incomplete_event_size=HEAD_BYTES_MAX,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        backlog=_WAITING_MAX,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=settings.requests_max,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, int(settings.drain_seconds)),
    )


def _bound(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, int(port)))
        # From here on nobody is turned away: who comes early waits in the queue.
        listener.listen(_WAITING_MAX)
    except OSError:
        listener.close()
        raise
    return listener
