"""Who may open a socket, what it may ask, and what becomes of those who misbehave."""

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from edge.stream.app import running
from services.kit.tokens import Keyring
from tests.service.edge_stream_world import Client, Frame, World, balance, client, signed_in

pytest_plugins = ["tests.service.edge_stream_fixtures"]


def reason(frame: Frame) -> str:
    assert frame["type"] == "error"
    assert frame["data"]["message"]
    return str(frame["data"]["reason"])


# ---- who -----------------------------------------------------------------------------------------


async def refusal_of(edge: str, ticket: str) -> str:
    async with client(edge) as reader:
        await reader.say(op="authenticate", ticket=ticket)
        return reason(await reader.next())


async def test_a_ticket_works_once(world: World, edge: str) -> None:
    ticket = world.ticket(world.user())
    async with client(edge) as reader:
        await reader.say(op="authenticate", ticket=ticket)
        assert (await reader.next())["type"] == "authenticated"
    assert await refusal_of(edge, ticket) == "TICKET_INVALID"


async def test_a_ticket_works_once_at_all_processes_together(world: World, edge: str) -> None:
    ticket = world.ticket(world.user())
    async with running(world.settings()) as other, client(other.address) as reader:
        await reader.say(op="authenticate", ticket=ticket)
        assert (await reader.next())["type"] == "authenticated"
    assert await refusal_of(edge, ticket) == "TICKET_INVALID"


async def test_a_ticket_works_and_works_once_while_redis_is_dead(world: World, edge: str) -> None:
    await world.store.kill()
    ticket = world.ticket(world.user())
    async with client(edge) as reader:
        await reader.say(op="authenticate", ticket=ticket)
        assert (await reader.next())["type"] == "authenticated"
    assert await refusal_of(edge, ticket) == "TICKET_INVALID"


async def test_forged_foreign_and_old_tickets_are_refused(world: World, edge: str) -> None:
    user_id = world.user()
    good = world.ticket(user_id)
    head, body, signature = good.split(".")
    identity = Keyring.load(world.keys, "identity")
    claims = {"sub": user_id, "sid": "s1", "aud": "stream"}
    long_ago = datetime.now(UTC) - timedelta(minutes=2)
    life = timedelta(seconds=30)
    none = "eyJhbGciOiJub25lIiwia2lkIjoiaWRlbnRpdHkifQ"
    bad = {
        "altered": f"{head}.{body}.{signature[:-4]}AAAA",
        "unsigned": f"{none}.{body}.",
        "by another service": world.ticket(user_id, issuer="trading"),
        "for another purpose": world.ticket(user_id, aud="veritick"),
        "too old": identity.sign({**claims, "jti": str(uuid4())}, life, long_ago),
        "without an id": identity.sign(claims, life, datetime.now(UTC)),
        "for nobody": world.ticket("nobody"),
        "empty": "",
        "noise": "a.b.c",
    }
    found = {what: await refusal_of(edge, ticket) for what, ticket in bad.items()}
    assert found == dict.fromkeys(bad, "TICKET_INVALID")


async def test_a_socket_stays_with_whom_it_was_opened_by(world: World, edge: str) -> None:
    user_id = world.user()
    async with signed_in(world, edge, user_id) as reader:
        await reader.say(op="authenticate", ticket=world.ticket(user_id))
        assert (await reader.next())["type"] == "authenticated"
        await reader.say(op="authenticate", ticket=world.ticket(world.user()))
        assert reason(await reader.next()) == "TICKET_INVALID"


async def test_foreign_and_unknown_channels_get_the_same_answer(world: World, edge: str) -> None:
    mine, other = world.user(), world.user()
    foreign = world.account(other)
    await world.happen(foreign, times=3)
    channels = [
        foreign,
        f"account:demo_{uuid4()}",
        f"account:nowhere_{uuid4()}",
        f"user:{other}",
        "account:demo_x",
        "payouts:identity",
        "ticks:NOSUCH",
        "candles:NOSUCH:60s",
        "candles:EURUSD:61s",
        "admin:all",
        "",
        "x" * 5000,
    ]
    world.tick("EURUSD", 112146)
    async with signed_in(world, edge, mine) as reader:
        answers = [(await reader.subscribe(channel))["data"] for channel in channels]
    assert [answer.pop("metadata") for answer in answers] == [
        {"channel": channel[:100]} for channel in channels
    ]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["reason"] == "UNKNOWN_CHANNEL"
    async with client(edge) as stranger:
        assert reason(await stranger.subscribe(foreign)) == "UNKNOWN_CHANNEL"


async def status_of(edge: str, path: str = "/v1/stream", **options: Any) -> int:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws://{edge}{path}", **options):
            pass
    return refused.value.response.status_code


async def test_pages_of_others_and_other_paths_are_turned_away(world: World) -> None:
    async with running(world.settings(origins=("https://trade.example",))) as process:
        edge = process.address
        assert await status_of(edge, origin="https://evil.example") == HTTPStatus.FORBIDDEN
        assert await status_of(edge, origin="null") == HTTPStatus.FORBIDDEN
        assert await status_of(edge, path="/v1/other") == HTTPStatus.NOT_FOUND
        for origin in ("https://trade.example", "http://127.0.0.1:8080", None):
            async with client(edge, origin=origin) as reader:
                await reader.say(op="ping")
                assert (await reader.next())["type"] == "pong"


async def test_an_address_and_a_user_have_so_many_sockets_and_no_more(world: World) -> None:
    user_id = world.user()
    settings = world.settings(address_sockets_max=3, user_sockets_max=2)
    async with running(settings) as process:
        edge = process.address
        async with signed_in(world, edge, user_id), signed_in(world, edge, user_id):
            assert await refusal_of(edge, world.ticket(user_id)) == "RATE_LIMITED"
            async with client(edge):
                assert await status_of(edge) == HTTPStatus.TOO_MANY_REQUESTS
        async with signed_in(world, edge, user_id) as again:
            await again.say(op="ping")
            assert (await again.next())["type"] == "pong"


async def test_behind_our_proxy_sockets_are_counted_by_the_client_it_saw(world: World) -> None:
    settings = world.settings(address_sockets_max=1, trusted_proxies=("127.0.0.0/8",))
    one, other = ({"X-Forwarded-For": address} for address in ("1.1.1.1", "2.2.2.2"))
    async with running(settings) as process:
        edge = process.address
        async with client(edge, additional_headers=one), client(edge, additional_headers=other):
            full = await status_of(edge, additional_headers=one)
            assert full == HTTPStatus.TOO_MANY_REQUESTS


# ---- what ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 3000,
        '"ping"',
        "{}",
        '{"op":"fly"}',
        '{"op":"ping","extra":1}',
        '{"op":"subscribe"}',
        '{"op":"subscribe","channel":7}',
        '{"op":"subscribe","channel":"instruments","after":3}',
        '{"op":"subscribe","channel":"instruments","after":"-1"}',
        '{"op":"subscribe","channel":"instruments","after":"99999999999999999999"}',
        '{"op":"subscribe","channel":"instruments","after":"01"}',
        '{"op":"authenticate"}',
        '{"op":"authenticate","ticket":{}}',
        '{"op":"ping","op2":NaN}',
        b'{"op":"ping"}',
    ],
)
async def test_a_malformed_frame_is_answered_and_the_socket_goes_on(
    edge: str, text: str | bytes
) -> None:
    async with client(edge) as reader:
        await reader.connection.send(text)
        assert reason(await reader.next()) == "MALFORMED_FRAME"
        await reader.say(op="ping")
        assert (await reader.next())["type"] == "pong"


async def test_who_sends_nothing_but_nonsense_is_shown_out(edge: str) -> None:
    async with client(edge) as reader:
        for _ in range(40):
            await reader.connection.send("nonsense")
        assert await reader.closed() == 1008
        assert 20 <= len(reader.seen) <= 22


async def test_who_sends_too_many_frames_is_shown_out(edge: str) -> None:
    async with client(edge) as reader:
        for _ in range(400):
            await reader.say(op="ping")
        assert await reader.closed() == 1008
        assert reason(reader.seen[-1]) == "RATE_LIMITED"


async def test_a_frame_that_is_too_large_closes_the_socket(edge: str) -> None:
    async with client(edge) as reader:
        await reader.connection.send("x" * 20_000)
        assert await reader.closed() == 1009


async def test_a_socket_carries_so_many_channels_and_no_more(world: World) -> None:
    async with (
        running(world.settings(subscriptions_max=3)) as process,
        client(process.address) as reader,
    ):
        for book in ("a", "b", "c"):
            assert (await reader.subscribe(f"payouts:{book}"))["type"] == "subscribed"
        refused = await reader.subscribe("payouts:d")
        assert reason(refused) == "TOO_MANY_SUBSCRIPTIONS"
        assert refused["data"]["metadata"]["max"] == "3"
        await reader.say(op="unsubscribe", channel="payouts:a")
        assert (await reader.next())["type"] == "unsubscribed"
        assert (await reader.subscribe("payouts:d"))["type"] == "subscribed"


async def test_subscribing_twice_is_harmless(world: World, edge: str) -> None:
    user_id = world.user()
    channel = world.account(user_id)
    async with signed_in(world, edge, user_id) as reader:
        for _ in range(3):
            assert (await reader.subscribe(channel))["sequence"] == "0"
        await world.happen(channel, times=2)
        assert await reader.events(2) == [1, 2]
        assert (await reader.subscribe(channel, after=0))["sequence"] == "2"
        await world.happen(channel)
        assert await reader.events(1) == [3]


async def test_after_unsubscribing_nothing_comes_and_nothing_is_forgotten(
    world: World, edge: str
) -> None:
    user_id = world.user()
    channel = world.account(user_id)
    async with signed_in(world, edge, user_id) as reader:
        await reader.subscribe(channel)
        await reader.say(op="unsubscribe", channel=channel)
        assert await reader.next() == {"channel": channel, "type": "unsubscribed"}
        await world.happen(channel, times=2)
        await reader.say(op="ping")
        assert (await reader.next())["type"] == "pong"
        assert (await reader.subscribe(channel, after=1))["sequence"] == "2"
        assert await reader.events(1) == [2]


async def test_every_channel_has_a_heartbeat(world: World, edge: str) -> None:
    user_id = world.user()
    channel = world.account(user_id)
    world.tick("EURUSD", 112146)
    feed_time = datetime(2026, 11, 23, 12, tzinfo=UTC)
    async with signed_in(world, edge, user_id) as reader:
        await reader.subscribe(channel)
        await reader.subscribe("ticks:EURUSD")
        await world.happen(channel, times=2)
        await world.publish_watermark(feed_time)
        assert await reader.next("heartbeat", channel="ticks:EURUSD")
        beat = await reader.next("heartbeat", channel=channel)
        assert beat["sequence"] == "2"
        assert beat["data"]["feedTime"] == "2026-11-23T12:00:00.000000Z"
        assert beat["data"]["time"].endswith("Z")


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


def read_all(raw: socket.socket) -> bytes:
    """Read what has been sent, until the server's farewell or its cutting the connection."""
    heard = bytearray()
    with raw, suppress(ConnectionResetError):
        raw.settimeout(10)
        while FAREWELL not in heard[-200:] and (chunk := raw.recv(1 << 16)):
            heard += chunk
    return bytes(heard)


FAREWELL = b"reads too slowly"


async def test_who_does_not_read_private_events_is_closed_while_others_go_on(world: World) -> None:
    user_id = world.user()
    channel = world.account(user_id)
    total, wide = 1_500, balance(1)
    wide.balance_changed.account.account_id = "demo_" + "x" * 2_000

    async def trade() -> None:
        for _ in range(total):
            await world.publish(world.trading.append("demo", channel, wide))

    async with (
        running(world.settings(queue_frames_max=200, slow_reader_seconds=60)) as process,
        signed_in(world, process.address, user_id) as reader,
    ):
        raw = await asyncio.to_thread(never_reads, process.address)
        raw.sendall(masked({"op": "authenticate", "ticket": world.ticket(user_id)}))
        raw.sendall(masked({"op": "subscribe", "channel": channel}))
        await reader.subscribe(channel)
        await asyncio.sleep(0.2)
        _, seen = await asyncio.gather(trade(), reader.events(total))
        assert seen == list(range(1, total + 1))
        heard = await asyncio.to_thread(read_all, raw)
        assert FAREWELL in heard[-200:]
        assert len(heard) < total * 2_000 / 2


async def publish_much(world: World) -> None:
    for _ in range(60):
        await world.publish_ticks("EURUSD", *[world.tick("EURUSD", 7) for _ in range(100)])


async def test_a_slow_reader_of_ticks_skips_to_the_latest(world: World) -> None:
    world.tick("EURUSD", 1)
    async with running(world.settings(slow_reader_seconds=60)) as process:
        raw = await asyncio.to_thread(narrow, process.address)
        async with client(process.address, sock=raw, max_queue=1) as reader:
            await reader.subscribe("ticks:EURUSD")
            await publish_much(world)
            await asyncio.sleep(0.2)
            last = str(world.quotes.last["EURUSD"].number)
            frames = 0
            while (await reader.next())["sequence"] != last:
                frames += 1
            assert frames < 50


async def test_who_takes_nothing_for_long_is_gone(world: World) -> None:
    world.tick("EURUSD", 1)
    async with running(world.settings(slow_reader_seconds=0.3)) as process:
        raw = await asyncio.to_thread(never_reads, process.address)
        raw.sendall(masked({"op": "subscribe", "channel": "ticks:EURUSD"}))
        await asyncio.sleep(0.2)
        await publish_much(world)
        await asyncio.sleep(1)
        assert FAREWELL in (await asyncio.to_thread(read_all, raw))[-200:]


# ---- many ----------------------------------------------------------------------------------------


async def test_three_hundred_sockets_all_get_everything(world: World, edge: str) -> None:
    world.tick("EURUSD", 1)
    user_id = world.user()
    clients = [client(edge) for _ in range(300)]
    readers = await asyncio.gather(*(opened.__aenter__() for opened in clients))
    try:
        for reader in readers:
            await reader.say(op="subscribe", channel="ticks:EURUSD")
            await reader.say(op="subscribe", channel="payouts:demo")
        for reader in readers:
            await reader.next("subscribed", channel="payouts:demo")
        for number in range(20):
            await world.publish_ticks("EURUSD", world.tick("EURUSD", number))
            await world.publish(world.trading.append("demo", "payouts", balance(number)))

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
        assert world.trading.asked
        assert user_id
    finally:
        await asyncio.gather(*(opened.__aexit__(None, None, None) for opened in clients))


# ---- the process ---------------------------------------------------------------------------------


def environment(world: World, **changes: str) -> dict[str, str]:
    return {
        **os.environ,
        "VERITICK_MODE": "development",
        "VERITICK_KEYS": str(world.keys),
        "VERITICK_REDIS_URL": world.store.valkey.url,
        "VERITICK_STREAM_LISTEN": "127.0.0.1:0",
        **{f"VERITICK_{name.upper()}_ADDRESS": where for name, where in world.addresses.items()},
        **changes,
    }


async def started(**variables: str) -> tuple[asyncio.subprocess.Process, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edge", "stream", stdout=PIPE, env=variables,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout
    async with asyncio.timeout(20):
        async for line in process.stdout:
            said = json.loads(line)
            if said["event"] == "serving":
                return process, said["address"]
    raise AssertionError("it did not serve")


async def test_the_process_tells_its_clients_to_come_back_when_it_is_stopped(world: World) -> None:
    process, address = await started(**environment(world))
    user_id = world.user()
    channel = world.account(user_id)
    async with signed_in(world, address, user_id) as reader, client(address):
        await reader.subscribe(channel)
        await world.happen(channel)
        assert await reader.events(1) == [1]
        process.send_signal(signal.SIGTERM)
        assert await reader.closed() == 1012
    assert await process.wait() == 0


async def test_the_process_starts_and_is_healthy_with_nothing_around_it(world: World) -> None:
    await world.store.kill()
    nowhere = {f"VERITICK_{name}_ADDRESS": "127.0.0.1:1" for name in ("QUOTES", "TRADING")}
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    process, address = await started(
        **environment(world, VERITICK_METRICS_LISTEN=listen, **nowhere)
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://{listen}") as http, client(address):
            assert (await http.get("/healthz")).status_code == 200
            assert (await http.get("/readyz")).status_code == 200
            assert (await http.get("/else")).status_code == 404
            metrics = await http.get("/metrics")
            assert "veritick_stream_sockets 1.0" in metrics.text
            assert metrics.headers["content-type"].startswith("text/plain")
    finally:
        process.terminate()
        assert await process.wait() == 0
