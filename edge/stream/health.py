"""What operators ask a socket process: /healthz, /readyz and /metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response


@asynccontextmanager
async def serving_health(host: str, port: int, ready: Callable[[], bool]) -> AsyncIterator[str]:
    """Answer on this address within the block, on the loop whose health it is."""

    def answer(connection: ServerConnection, request: Request) -> Response:
        path = request.path.partition("?")[0]
        if path == "/metrics":
            response = connection.respond(HTTPStatus.OK, generate_latest().decode())
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = CONTENT_TYPE_LATEST
            return response
        if path == "/healthz" or (path == "/readyz" and ready()):
            return connection.respond(HTTPStatus.OK, "ok\n")
        if path == "/readyz":
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "not ready\n")
        return connection.respond(HTTPStatus.NOT_FOUND, "not found\n")

    async def never(connection: ServerConnection) -> None:
        """Every request is answered before it could become a socket."""
        await connection.close()

    async with serve(never, host, port, process_request=answer, server_header=None) as server:
        yield f"{host}:{server.sockets[0].getsockname()[1]}"
