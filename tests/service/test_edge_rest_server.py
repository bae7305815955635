"""The process: it starts, gives up on those who dawdle, and stops in order."""

import asyncio
import os
import signal
import socket
import ssl
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import trustme

from edge.rest.app import build
from edge.rest.server import serving as serving_http
from services.kit.tls import HttpTlsSettings
from tests.service.edge_rest_rpc import SLOW
from tests.service.edge_rest_world import ACCOUNT, World, order, running_edge
from tests.waiting import PATIENCE_SECONDS, eventually

pytest_plugins = ["tests.service.edge_rest_fixtures"]
pytestmark = pytest.mark.security

ORDERS = f"/v1/accounts/{ACCOUNT}/orders".encode()
HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


async def connected(rest: httpx.AsyncClient) -> tuple[StreamReader, StreamWriter]:
    """Open a plain connection to an edge."""
    return await asyncio.open_connection(rest.base_url.host, rest.base_url.port)


async def served(rest: httpx.AsyncClient) -> tuple[StreamReader, StreamWriter]:
    """Open a connection and be answered on it.

    Whoever is put aside by a busy machine before he says a word is cut, and comes again.
    """
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            reader, writer = await connected(rest)
            writer.write(HEAD + b"\r\n")
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                assert b"alive" in await answer_of(reader)
                return reader, writer
            writer.close()


@pytest.mark.parametrize("sent", [b"G", HEAD])
async def test_a_head_that_never_ends_is_given_up(rest_world: World, sent: bytes) -> None:
    async with running_edge(rest_world.settings(head_seconds_max=0.2)) as rest:
        for opened in (connected, served):
            reader, writer = await opened(rest)
            writer.write(sent)
            assert await asyncio.wait_for(reader.read(), PATIENCE_SECONDS) == b""
            writer.close()


async def test_a_silent_connection_is_given_up(rest_world: World) -> None:
    async with running_edge(rest_world.settings(head_seconds_max=0.2)) as rest:
        reader, writer = await connected(rest)
        assert await asyncio.wait_for(reader.read(), PATIENCE_SECONDS) == b""
        writer.close()


async def test_a_connection_in_use_is_not_given_up(rest_world: World) -> None:
    async with running_edge(rest_world.settings(head_seconds_max=0.2)) as rest:
        reader, writer = await served(rest)
        for _ in range(2):
            await asyncio.sleep(0.3)
            writer.write(HEAD + b"\r\n")
            assert b"alive" in await answer_of(reader)
        writer.close()


async def test_a_body_that_never_ends_is_given_up(rest_world: World) -> None:
    async with running_edge(rest_world.settings(body_seconds_max=0.2)) as rest:
        reader, writer = await connected(rest)
        head = b"POST /v1/users HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        writer.write(head + b"Content-Length: 10\r\n\r\n{")
        answer = await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"DEADLINE_EXCEEDED" in answer


BODY_TO_COME = b"POST " + ORDERS + b" HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n"


async def test_a_stranger_is_refused_before_his_body_is_there(rest_world: World) -> None:
    async with running_edge(rest_world.settings(head_seconds_max=0.2)) as rest:
        reader, writer = await served(rest)
        writer.write(BODY_TO_COME)
        assert (await answer_of(reader)).startswith(b"HTTP/1.1 401")
        # Who does not send what he announced is given up, however slowly he goes on.
        writer.write(b"{")
        assert await asyncio.wait_for(reader.read(), PATIENCE_SECONDS) == b""
        writer.close()


async def test_after_an_unread_body_a_connection_goes_on(rest: httpx.AsyncClient) -> None:
    reader, writer = await connected(rest)
    for _ in range(2):
        writer.write(BODY_TO_COME)
        assert (await answer_of(reader)).startswith(b"HTTP/1.1 401")
        writer.write(b"0123456789" + HEAD + b"\r\n")
        assert b"alive" in await answer_of(reader)
    writer.close()


async def answer_of(reader: StreamReader) -> bytes:
    """Read one answer, which is a JSON object without others in it."""
    return await asyncio.wait_for(reader.readuntil(b"}"), PATIENCE_SECONDS)


async def test_an_address_has_so_many_connections_and_is_told_so(rest_world: World) -> None:
    async with running_edge(rest_world.settings(address_connections_max=2)) as rest:
        mine: list[StreamWriter] = []
        await rest.aclose()  # which has one of them, until the server knows
        for _ in range(2):
            await eventually(lambda: _is_served(rest, mine))
        reader, writer = await connected(rest)
        writer.write(HEAD + b"\r\n")
        answer = await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
        assert answer.startswith(b"HTTP/1.1 429")
        assert b'"reason":"RATE_LIMITED"' in answer
        assert b"x-request-id:" in answer
        writer.close()
        # Who says nothing on it is cut, and sooner than who may stay.
        reader, writer = await connected(rest)
        assert await asyncio.wait_for(reader.read(), PATIENCE_SECONDS) == b""
        writer.close()
        mine.pop().close()
        await eventually(lambda: _is_served(rest, mine))
        for writer in mine:
            writer.close()


async def _is_served(rest: httpx.AsyncClient, held: list[StreamWriter]) -> bool:
    """Open a connection, and hold it if it is served."""
    reader, writer = await connected(rest)
    writer.write(HEAD + b"\r\n")
    with suppress(asyncio.IncompleteReadError, ConnectionError):  # cut without a word
        if b"alive" in await answer_of(reader):
            held.append(writer)
            return True
    writer.close()
    return False


async def test_a_proxy_of_ours_brings_connections_of_many(rest_world: World) -> None:
    settings = rest_world.settings(address_connections_max=1, trusted_proxies=("127.0.0.0/8",))
    async with running_edge(settings) as rest:
        held: list[StreamWriter] = []
        for _ in range(3):
            assert await _is_served(rest, held)
        for writer in held:
            writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"a" * 100_000,
        b"nonsense\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused_and_the_server_goes_on(
    rest: httpx.AsyncClient, sent: bytes
) -> None:
    reader, writer = await connected(rest)
    writer.write(sent)
    answer = await asyncio.wait_for(reader.read(4096), PATIENCE_SECONDS)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400")
    assert (await rest.get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b"Cookie: " + b"a" * 40_000 + b"\r\n\r\n",
        HEAD + b"".join(b"X-%d: 1\r\n" % number for number in range(4_000)) + b"\r\n",
        b"GET /v1/instruments?filter=" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
    ],
    ids=["one long", "many", "a long query"],
)
async def test_a_head_that_is_too_large_is_not_looked_at(
    rest: httpx.AsyncClient, sent: bytes
) -> None:
    reader, writer = await connected(rest)
    writer.write(sent)
    answer = await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
    writer.close()
    # In pieces it is not even read to its end.
    assert answer.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))
    assert b"200 OK" not in answer


async def test_a_reader_who_never_reads_is_given_up(rest_world: World, tmp_path: Path) -> None:
    (tmp_path / "large.bin").write_bytes(b"x" * 50_000_000)
    settings = rest_world.settings(terminal=tmp_path, answer_seconds_max=0.5)
    async with running_edge(settings) as rest:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((rest.base_url.host, rest.base_url.port))
            client.sendall(b"GET /large.bin HTTP/1.1\r\nHost: h\r\n\r\n")
            client.setblocking(False)
            await eventually(lambda: _has_begun_to_answer(client))
            await asyncio.sleep(1)
            received = await asyncio.wait_for(_until_closed(client), PATIENCE_SECONDS)
    assert 0 < received < 50_000_000


def _has_begun_to_answer(client: socket.socket) -> bool:
    with suppress(BlockingIOError):
        return bool(client.recv(1, socket.MSG_PEEK))
    return False


async def _until_closed(client: socket.socket) -> int:
    received, loop = 0, asyncio.get_running_loop()
    while True:
        try:
            chunk = await loop.sock_recv(client, 1 << 20)
        except ConnectionError:
            return received
        if not chunk:
            return received
        received += len(chunk)


async def started(world: World) -> tuple[Process, str]:
    """Start `python -m edge rest`, and return it with its URL."""
    environment = {
        "PATH": os.environ["PATH"],
        "VERITICK_MODE": "development",
        "VERITICK_KEYS": str(world.keys),
        "VERITICK_HTTP_LISTEN": "127.0.0.1:0",
        "VERITICK_DRAIN_SECONDS": "5",
        **{
            f"VERITICK_{name}_ADDRESS": world.address
            for name in ("IDENTITY", "QUOTES", "TRADING", "SETTLEMENT")
        },
    }
    command = (sys.executable, "-m", "edge", "rest")
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, env=environment)
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    assert '"event": "serving"' in line
    return process, "http://" + line.split('"http": "')[1].split('"')[0]


async def test_the_process_serves_and_lets_requests_in_flight_end(rest_world: World) -> None:
    process, url = await started(rest_world)
    rest_world.trading.slow_seconds = 1.0
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as rest:
        path, headers = f"/v1/accounts/{ACCOUNT}/orders", rest_world.bearer()
        slow = rest.post(path, json=order(instrument=SLOW), headers=headers)
        in_flight = asyncio.create_task(slow)
        await eventually(lambda: rest_world.trading.slow_calls == 1)
        process.send_signal(signal.SIGTERM)
        assert (await in_flight).status_code == 200
    assert await process.wait() == 0


async def test_a_process_without_what_it_needs_says_what(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "edge", "rest")
    environment = {"PATH": os.environ["PATH"]}
    process = await asyncio.create_subprocess_exec(*command, stderr=PIPE, env=environment)
    _, complaint = await process.communicate()
    assert process.returncode == 2
    assert b"VERITICK_KEYS: Field required" in complaint


async def test_clients_may_be_served_over_tls(rest_world: World, tmp_path: Path) -> None:
    authority = trustme.CA()
    made = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    made.private_key_pem.write_to_path(key)
    tls = HttpTlsSettings(certificate=certificate, private_key=key)
    settings = rest_world.settings(http_tls=tls)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with (
        build(settings) as app,
        serving_http(settings, app) as address,
        httpx.AsyncClient(base_url=f"https://{address}", verify=trusting) as client,
    ):
        assert (await client.get("/v1/instruments")).status_code == 200
        with pytest.raises(httpx.HTTPError):
            await httpx.AsyncClient().get(f"http://{address}/v1/instruments")
