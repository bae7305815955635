"""The HTTP server: uvicorn, with a bound on everything a client can make it hold."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import timedelta

import uvicorn
from h11 import DONE, IDLE, SEND_BODY
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge.address import Addresses
from edge.occupancy import Occupancy
from edge.rest.http import HEAD_BYTES_MAX, Front, Part, security_headers
from edge.rest.problem import problem
from edge.settings import RestSettings
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.tls import http_context

_KEEP_ALIVE_SECONDS = 30
_WAITING_MAX = 2048
_TURNED_AWAY = "turned away"
_TURNED_AWAY_SECONDS = 1.0


class PatientProtocol(H11Protocol):
    """HTTP/1.1 on one connection, for as long as its client does its part in time.

    A head that does not arrive is given up, and so is the rest of a body that was answered
    without it. An address that has as many connections as it may is told so on the next one.
    """

    head_seconds_max: float = 10
    addresses: Addresses
    occupancy: Occupancy
    turned_away: ASGIApp
    """What answers on a connection too many."""

    _place: str | None = None
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place, and begin to wait for the first request."""
        super().connection_made(transport)
        peer = self.client[0] if self.client else None
        # A proxy of ours brings everybody's connections; it bounds them itself.
        if not self.addresses.trusts(peer) and not self._enter(self.addresses.of(peer, ())):
            self.app = self.turned_away
            self.head_seconds_max = min(self.head_seconds_max, _TURNED_AWAY_SECONDS)
            # They share the places of one address. What is more than these is just cut.
            if not self._enter(_TURNED_AWAY):
                transport.abort()
                return
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take what arrived; go on waiting while it is not what is due."""
        super().data_received(data)
        if not self._is_due():
            self._unwatch()
        elif self._timer is None:
            self._watch()

    def on_response_complete(self) -> None:
        """Do not wait for ever for the rest of a body that nobody needs any more."""
        super().on_response_complete()
        if self.conn.their_state is SEND_BODY and self._timer is None:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._unwatch()
        if self._place is not None:
            self.occupancy.leave(self._place)
            self._place = None
        super().connection_lost(exc)

    def _enter(self, address: str) -> bool:
        entered = self.occupancy.enter(address)
        self._place = address if entered else None
        return entered

    def _is_due(self) -> bool:
        """Whether the client has yet to send a head, or a body that was answered unread."""
        answered = self.conn.our_state is DONE
        return self.conn.their_state is IDLE or (answered and self.conn.their_state is SEND_BODY)

    def _watch(self) -> None:
        self._timer = self.loop.call_later(self.head_seconds_max, self.transport.close)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


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
    away = Part(_turned_away, security_headers(settings.mode))

    class Protocol(PatientProtocol):
        head_seconds_max = settings.head_seconds_max
        addresses = Addresses(settings.trusted_proxies)
        occupancy = Occupancy(2 * settings.requests_max, settings.address_connections_max)
        turned_away = Front({"/": away}, settings.answer_seconds_max)

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


async def _turned_away(scope: Scope, receive: Receive, send: Send) -> None:
    failure = Failure(
        Reason.RATE_LIMITED,
        "Too many connections from this address.",
        retry_after=timedelta(seconds=_TURNED_AWAY_SECONDS),
    )
    await problem(failure, headers={"Connection": "close"})(scope, receive, send)


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
