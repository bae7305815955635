"""How the parts are asked whether they are well, and how much they do."""

import asyncio
import contextlib
from collections.abc import Awaitable

import grpc.aio
import psycopg
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from services.local.part import Probe

TIMEOUT_SECONDS = 2


def grpc_serving(address: str) -> Probe:
    """Ask the standard health service of a gRPC server, over one lasting channel."""
    channels: list[grpc.aio.Channel] = []

    async def probe() -> bool:
        if not channels:  # a channel belongs to the event loop that is running
            channels.append(grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS))
        check = channels[0].unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        try:
            answer = await check(HealthCheckRequest(), timeout=TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == HealthCheckResponse.SERVING)

    return probe


_CHANNEL_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    # A part that starts is asked again at once, not after a growing delay.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 200),
)


def postgres_answers(url: str) -> Probe:
    """Ask a Postgres server by connecting to it."""

    async def probe() -> bool:
        try:
            connection = await psycopg.AsyncConnection.connect(url, connect_timeout=TIMEOUT_SECONDS)
        except psycopg.OperationalError:
            return False
        await connection.close()
        return True

    return probe


def valkey_answers(socket: str) -> Probe:
    """Ask a Valkey server for a pong."""

    async def probe() -> bool:
        answer = await _converse(asyncio.open_unix_connection(socket), b"PING\r\nQUIT\r\n")
        return answer.startswith(b"+PONG")

    return probe


def http_ok(host: str, port: int, path: str) -> Probe:
    """Ask an HTTP server whether it answers `path` with 200."""

    async def probe() -> bool:
        return (await _get(host, port, path))[0] == 200

    return probe


def listening(host: str, port: int) -> Probe:
    """Ask whether something takes connections on a port."""

    async def probe() -> bool:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            return False
        writer.close()
        return True

    return probe


async def read_counter(host: str, port: int, name: str) -> float | None:
    """Return a counter's sum over its labels from a Prometheus endpoint; None if unreachable."""
    status, body = await _get(host, port, "/metrics")
    if status != 200:
        return None
    lines = (line for line in body.decode(errors="replace").splitlines() if line.startswith(name))
    samples = [line.rsplit(" ", 1) for line in lines if line[len(name) :][:1] in {"{", " "}]
    return sum(float(value) for _, value in samples)


async def _get(host: str, port: int, path: str) -> tuple[int, bytes]:
    """Return status and body; status 0 when there was no answer."""
    request = f"GET {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    answer = await _converse(asyncio.open_connection(host, port), request.encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    return (int(words[1]) if len(words) > 1 and words[1].isdigit() else 0), body


async def _converse(
    connecting: Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]], request: bytes
) -> bytes:
    """Send `request` and return what comes back until the end; nothing when that fails."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(TIMEOUT_SECONDS):
            reader, writer = await connecting
            try:
                writer.write(request)
                return await reader.read(-1)
            finally:
                writer.close()
    return b""
