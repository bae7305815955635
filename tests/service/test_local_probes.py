import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2 import HealthCheckResponse

from services.local import probes
from services.local.ports import Ports
from tests.platform import free_base
from tests.stores import Postgres, ValkeyServer
from tests.waiting import PATIENCE_SECONDS

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HOST = "127.0.0.1"
METRICS = b"""# TYPE veritick_quotes_ticks_total counter
veritick_quotes_ticks_total{instrument="BTCUSD"} 40.0
veritick_quotes_ticks_total{instrument="EURUSD"} 2.0
veritick_quotes_ticks_total_created{instrument="EURUSD"} 1.7e9
veritick_quotes_ticks_skipped_total 5.0
"""


def saying(answer: bytes) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    return handle


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)
    writer.close()


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[int]:
    server = await asyncio.start_server(handler, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be called unwell because the machine is busy."""
    monkeypatch.setattr(probes, "TIMEOUT_SECONDS", int(PATIENCE_SECONDS))


@pytest.mark.parametrize(("status", "well"), [(b"200 OK", True), (b"503 Not Ready", False)])
async def test_an_http_part_is_well_when_it_says_200(status: bytes, well: bool) -> None:
    async with served(saying(b"HTTP/1.1 " + status + b"\r\n\r\nbody")) as port:
        assert await probes.http_ok(HOST, port, "/readyz")() is well


async def test_a_part_that_takes_connections_and_never_answers_is_not_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probes, "TIMEOUT_SECONDS", 1)
    async with served(silent) as port:
        assert await probes.http_ok(HOST, port, "/readyz")() is False
        assert await probes.grpc_serving(f"{HOST}:{port}")() is False
        assert await probes.listening(HOST, port)() is True


async def test_where_nothing_listens_nothing_is_well() -> None:
    port = Ports(free_base()).of("rest")
    assert await probes.http_ok(HOST, port, "/readyz")() is False
    assert await probes.grpc_serving(f"{HOST}:{port}")() is False
    assert await probes.listening(HOST, port)() is False
    assert await probes.valkey_answers("/nowhere/valkey.sock")() is False
    assert await probes.postgres_answers("postgresql://me@/db?host=/nowhere")() is False
    assert await probes.read_counter(HOST, port, "ticks") is None


async def test_a_grpc_part_is_well_while_its_health_is_serving() -> None:
    server, servicer = grpc.aio.server(), health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port(f"{HOST}:0")
    probe = probes.grpc_serving(f"{HOST}:{port}")
    await server.start()
    try:
        for status in (HealthCheckResponse.NOT_SERVING, HealthCheckResponse.SERVING):
            await servicer.set("", status)
            assert await probe() is (status == HealthCheckResponse.SERVING)
    finally:
        await server.stop(None)


async def test_the_stores_are_well_while_they_answer(
    postgres: Postgres, valkey: ValkeyServer
) -> None:
    assert await probes.postgres_answers(postgres.cluster.url("postgres"))()
    assert await probes.valkey_answers(valkey.url.removeprefix("unix://").partition("?")[0])()


async def test_a_counter_is_the_sum_over_its_labels_and_of_no_other() -> None:
    async with served(saying(b"HTTP/1.0 200 OK\r\n\r\n" + METRICS)) as port:
        assert await probes.read_counter(HOST, port, "veritick_quotes_ticks_total") == 42
