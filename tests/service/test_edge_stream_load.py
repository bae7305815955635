"""Sockets under load: slow readers, many readers, and a process that stops."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from contextlib import suppress
from pathlib import Path

import httpx
from prometheus_client import REGISTRY

from edge.stream.app import running
from services.local.ports import Ports
from tests.platform import free_base
from tests.service.edge_stream_world import Client, World, balance, client, signed_in
from tests.waiting import PATIENCE_SECONDS, eventually

pytest_plugins = ["tests.service.edge_stream_fixtures"]

# ---- slow ones -----------------------------------------------------------------------------------


def narrow(edge: str) -> socket.socket:
    """Connect with a small buffer, so that a reader that stops is noticed soon."""
    host, _, port = edge.rpartition(":")
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 * 1024)
    raw.connect((host, int(port)))
    return raw


def never_reads(edge: str) -> socket.socket:
    """Open a socket by hand, for a client library would read ahead."""
    raw = narrow(edge)
    raw.sendall(
        b"GET /v1/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    return raw


def masked(request: dict[str, object]) -> bytes:
    text = json.dumps(request).encode()
    return bytes([0x81, 0x80 | 126]) + len(text).to_bytes(2, "big") + bytes(4) + text


def measured(metric: str, **labels: str) -> float:
    """Return what the server, which runs in this process, measures right now."""
    return REGISTRY.get_sample_value(f"veritick_stream_{metric}", labels) or 0.0


def read_all(raw: socket.socket) -> bytes:
    """Read what has been sent, until the server's farewell or its cutting the connection."""
    heard = bytearray()
    with raw, suppress(ConnectionResetError):
        raw.settimeout(PATIENCE_SECONDS)
        while FAREWELL not in heard[-200:] and (chunk := raw.recv(1 << 16)):
            heard += chunk
    return bytes(heard)


FAREWELL = b"reads too slowly"
SEQUENCE = re.compile(rb'"sequence":"([0-9]+)","type":"balance')


async def test_who_does_not_read_private_events_is_closed_and_hears_the_rest_when_he_comes_back(
    stage: World,
) -> None:
    """Others, who have the same account open elsewhere, go on all the while."""
    user_id = stage.user()
    channel = stage.account(user_id)
    total, wide = 1_500, balance(1)
    wide.balance_changed.account.account_id = "demo_" + "x" * 2_000

    async def trade() -> None:
        for _ in range(total):
            await stage.publish(stage.trading.append("demo", channel, wide))

    async with (
        running(stage.settings(queue_frames_max=200, slow_reader_seconds=60)) as process,
        signed_in(stage, process.address, user_id) as reader,
    ):
        raw = await asyncio.to_thread(never_reads, process.address)
        raw.sendall(masked({"op": "authenticate", "ticket": stage.ticket(user_id)}))
        raw.sendall(masked({"op": "subscribe", "channel": channel, "after": "0"}))
        await reader.subscribe(channel, after=0)
        await eventually(lambda: measured("subscriptions") == 2)
        _, seen = await asyncio.gather(trade(), reader.events(total))
        assert seen == list(range(1, total + 1))
        heard = await asyncio.to_thread(read_all, raw)
        assert FAREWELL in heard[-200:]
        assert len(heard) < total * 2_000 / 2
        told = [int(place) for place in re.findall(SEQUENCE, heard)]
        assert told == list(range(1, len(told) + 1))
        async with signed_in(stage, process.address, user_id) as back:
            await back.subscribe(channel, after=len(told))
            assert told + await back.events(total - len(told)) == seen


async def publish_much(stage: World) -> None:
    for _ in range(60):
        await stage.publish_ticks("EURUSD", *[stage.tick("EURUSD", 7) for _ in range(100)])


async def test_a_slow_reader_of_ticks_skips_to_the_latest(stage: World) -> None:
    stage.tick("EURUSD", 1)
    async with running(stage.settings(slow_reader_seconds=60)) as process:
        raw = await asyncio.to_thread(narrow, process.address)
        async with (
            client(process.address, sock=raw, max_queue=1) as reader,
            client(process.address) as other,
        ):
            await reader.subscribe("ticks:EURUSD")
            await other.subscribe("ticks:EURUSD")
            await publish_much(stage)
            last = str(stage.quotes.last["EURUSD"].number)
            while (await other.next())["sequence"] != last:
                pass  # until all has been told
            frames = 0
            while (await reader.next())["sequence"] != last:
                frames += 1
            assert frames < 50


async def test_who_takes_nothing_for_long_is_gone(stage: World) -> None:
    stage.tick("EURUSD", 1)
    async with running(stage.settings(slow_reader_seconds=0.3)) as process:
        raw = await asyncio.to_thread(never_reads, process.address)
        raw.sendall(masked({"op": "subscribe", "channel": "ticks:EURUSD"}))
        await eventually(lambda: measured("subscriptions") == 1)
        before = measured("closed_total", code="4008")
        await publish_much(stage)
        await eventually(lambda: measured("closed_total", code="4008") > before)
        assert FAREWELL in (await asyncio.to_thread(read_all, raw))[-200:]


# ---- many ----------------------------------------------------------------------------------------


async def test_three_hundred_sockets_all_get_everything(stage: World, edge: str) -> None:
    stage.tick("EURUSD", 1)
    user_id = stage.user()
    clients = [client(edge) for _ in range(300)]
    readers = await asyncio.gather(*(opened.__aenter__() for opened in clients))
    try:
        for reader in readers:
            await reader.say(op="subscribe", channel="ticks:EURUSD")
            await reader.say(op="subscribe", channel="payouts:demo")
        for reader in readers:
            await reader.next("subscribed", channel="payouts:demo")
        for number in range(20):
            await stage.publish_ticks("EURUSD", stage.tick("EURUSD", number))
            await stage.publish(stage.trading.append("demo", "payouts", balance(number)))

        async def heard(reader: Client) -> list[str]:
            seen: list[str] = []
            while len(seen) < 20:
                frame = await reader.next("balance.changed.v1")
                seen.append(frame["sequence"])
            return seen

        found = await asyncio.gather(*(heard(reader) for reader in readers))
        assert found == [[str(number) for number in range(1, 21)]] * 300
        ticks = [frame for frame in readers[-1].seen if frame["type"] == "ticks.v1"]
        assert ticks[-1]["sequence"] >= "20"
        assert stage.trading.asked
        assert user_id
    finally:
        await asyncio.gather(*(opened.__aexit__(None, None, None) for opened in clients))


# ---- the process ---------------------------------------------------------------------------------


def environment(stage: World, **changes: str) -> dict[str, str]:
    return {
        **os.environ,
        "VERITICK_MODE": "development",
        "VERITICK_KEYS": str(stage.keys),
        "VERITICK_REDIS_URL": stage.store.valkey.url,
        "VERITICK_STREAM_LISTEN": "127.0.0.1:0",
        **{f"VERITICK_{name.upper()}_ADDRESS": where for name, where in stage.addresses.items()},
        **changes,
    }


async def started(**variables: str) -> tuple[asyncio.subprocess.Process, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edge", "stream", stdout=PIPE, env=variables,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for line in process.stdout:
            said = json.loads(line)
            if said["event"] == "serving":
                return process, said["address"]
    raise AssertionError("it did not serve")


async def test_the_process_tells_its_clients_to_come_back_when_it_is_stopped(stage: World) -> None:
    process, address = await started(**environment(stage))
    user_id = stage.user()
    channel = stage.account(user_id)
    async with signed_in(stage, address, user_id) as reader, client(address):
        await reader.subscribe(channel)
        await stage.happen(channel)
        assert await reader.events(1) == [1]
        process.send_signal(signal.SIGTERM)
        assert await reader.closed() == 1012
    assert await process.wait() == 0


async def test_the_process_starts_and_is_healthy_with_nothing_around_it(stage: World) -> None:
    await stage.store.kill()
    nowhere = {f"VERITICK_{name}_ADDRESS": "127.0.0.1:1" for name in ("QUOTES", "TRADING")}
    listen = Ports(free_base()).address("stream metrics")
    process, address = await started(
        **environment(stage, VERITICK_METRICS_LISTEN=listen, **nowhere)
    )
    try:
        async with (
            httpx.AsyncClient(base_url=f"http://{listen}", timeout=PATIENCE_SECONDS) as http,
            client(address),
        ):
            assert (await http.get("/healthz")).status_code == 200
            assert (await http.get("/readyz")).status_code == 200
            assert (await http.get("/else")).status_code == 404
            metrics = await http.get("/metrics")
            assert "veritick_stream_sockets 1.0" in metrics.text
            assert metrics.headers["content-type"].startswith("text/plain")
    finally:
        process.terminate()
        assert await process.wait() == 0
