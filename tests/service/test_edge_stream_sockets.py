"""Who may open a socket, what it may ask, and what becomes of those who misbehave."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import trustme
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from edge.stream.app import running
from services.kit.tls import HttpTlsSettings
from services.kit.tokens import Keyring
from tests.service.edge_stream_world import Frame, World, client, signed_in
from tests.waiting import PATIENCE_SECONDS

pytest_plugins = ["tests.service.edge_stream_fixtures"]
pytestmark = pytest.mark.security


def reason(frame: Frame) -> str:
    assert frame["type"] == "error"
    assert frame["data"]["message"]
    return str(frame["data"]["reason"])


# ---- who -----------------------------------------------------------------------------------------


async def refusal_of(edge: str, ticket: str) -> str:
    async with client(edge) as reader:
        await reader.say(op="authenticate", ticket=ticket)
        return reason(await reader.next())


async def test_a_ticket_works_once(stage: World, edge: str) -> None:
    ticket = stage.ticket(stage.user())
    async with client(edge) as reader:
        await reader.say(op="authenticate", ticket=ticket)
        assert (await reader.next())["type"] == "authenticated"
    assert await refusal_of(edge, ticket) == "TICKET_INVALID"


async def test_a_ticket_works_once_at_all_processes_together(stage: World, edge: str) -> None:
    ticket = stage.ticket(stage.user())
    async with running(stage.settings()) as other, client(other.address) as reader:
        await reader.say(op="authenticate", ticket=ticket)
        assert (await reader.next())["type"] == "authenticated"
    assert await refusal_of(edge, ticket) == "TICKET_INVALID"


async def test_a_ticket_works_and_works_once_while_redis_is_dead(stage: World, edge: str) -> None:
    await stage.store.kill()
    ticket = stage.ticket(stage.user())
    async with client(edge) as reader:
        await reader.say(op="authenticate", ticket=ticket)
        assert (await reader.next())["type"] == "authenticated"
    assert await refusal_of(edge, ticket) == "TICKET_INVALID"


async def test_forged_foreign_and_old_tickets_are_refused(stage: World, edge: str) -> None:
    user_id = stage.user()
    good = stage.ticket(user_id)
    head, body, signature = good.split(".")
    identity = Keyring.load(stage.keys, "identity")
    claims = {"sub": user_id, "sid": "s1", "aud": "stream"}
    long_ago = datetime.now(UTC) - timedelta(minutes=2)
    life = timedelta(seconds=30)
    none = "eyJhbGciOiJub25lIiwia2lkIjoiaWRlbnRpdHkifQ"
    bad = {
        "altered": f"{head}.{body}.{signature[::-1]}",
        "unsigned": f"{none}.{body}.",
        "by another service": stage.ticket(user_id, issuer="trading"),
        "for another purpose": stage.ticket(user_id, aud="veritick"),
        "too old": identity.sign({**claims, "jti": str(uuid4())}, life, long_ago),
        "without an id": identity.sign(claims, life, datetime.now(UTC)),
        "for nobody": stage.ticket("nobody"),
        "empty": "",
        "noise": "a.b.c",
    }
    found = {what: await refusal_of(edge, ticket) for what, ticket in bad.items()}
    assert found == dict.fromkeys(bad, "TICKET_INVALID")


async def test_a_socket_stays_with_whom_it_was_opened_by(stage: World, edge: str) -> None:
    user_id = stage.user()
    async with signed_in(stage, edge, user_id) as reader:
        await reader.say(op="authenticate", ticket=stage.ticket(user_id))
        assert (await reader.next())["type"] == "authenticated"
        await reader.say(op="authenticate", ticket=stage.ticket(stage.user()))
        assert reason(await reader.next()) == "TICKET_INVALID"


async def test_foreign_and_unknown_channels_get_the_same_answer(stage: World, edge: str) -> None:
    mine, other = stage.user(), stage.user()
    foreign = stage.account(other)
    await stage.happen(foreign, times=3)
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
    stage.tick("EURUSD", 112146)
    async with signed_in(stage, edge, mine) as reader:
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


async def test_pages_of_others_and_other_paths_are_turned_away(stage: World) -> None:
    async with running(stage.settings(origins=("https://trade.example",))) as process:
        edge = process.address
        assert await status_of(edge, origin="https://evil.example") == HTTPStatus.FORBIDDEN
        assert await status_of(edge, origin="null") == HTTPStatus.FORBIDDEN
        assert await status_of(edge, path="/v1/other") == HTTPStatus.NOT_FOUND
        for origin in ("https://trade.example", "http://127.0.0.1:8080", None):
            async with client(edge, origin=origin) as reader:
                await reader.say(op="ping")
                assert (await reader.next())["type"] == "pong"


async def test_an_address_and_a_user_have_so_many_sockets_and_no_more(stage: World) -> None:
    user_id = stage.user()
    settings = stage.settings(address_sockets_max=3, user_sockets_max=2)
    async with running(settings) as process:
        edge = process.address
        async with signed_in(stage, edge, user_id), signed_in(stage, edge, user_id):
            assert await refusal_of(edge, stage.ticket(user_id)) == "RATE_LIMITED"
            async with client(edge):
                assert await status_of(edge) == HTTPStatus.TOO_MANY_REQUESTS
        async with signed_in(stage, edge, user_id) as again:
            await again.say(op="ping")
            assert (await again.next())["type"] == "pong"


async def test_behind_our_proxy_sockets_are_counted_by_the_client_it_saw(stage: World) -> None:
    settings = stage.settings(address_sockets_max=1, trusted_proxies=("127.0.0.0/8",))
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


async def test_a_socket_carries_so_many_channels_and_no_more(stage: World) -> None:
    async with (
        running(stage.settings(subscriptions_max=3)) as process,
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


async def test_subscribing_twice_is_harmless(stage: World, edge: str) -> None:
    user_id = stage.user()
    channel = stage.account(user_id)
    async with signed_in(stage, edge, user_id) as reader:
        for _ in range(3):
            assert (await reader.subscribe(channel))["sequence"] == "0"
        await stage.happen(channel, times=2)
        assert await reader.events(2) == [1, 2]
        assert (await reader.subscribe(channel, after=0))["sequence"] == "2"
        await stage.happen(channel)
        assert await reader.events(1) == [3]


async def test_after_unsubscribing_nothing_comes_and_nothing_is_forgotten(
    stage: World, edge: str
) -> None:
    user_id = stage.user()
    channel = stage.account(user_id)
    async with signed_in(stage, edge, user_id) as reader:
        await reader.subscribe(channel)
        await reader.say(op="unsubscribe", channel=channel)
        assert await reader.next() == {"channel": channel, "type": "unsubscribed"}
        await stage.happen(channel, times=2)
        await reader.say(op="ping")
        assert (await reader.next())["type"] == "pong"
        assert (await reader.subscribe(channel, after=1))["sequence"] == "2"
        assert await reader.events(1) == [2]


async def test_every_channel_has_a_heartbeat(stage: World, edge: str) -> None:
    user_id = stage.user()
    channel = stage.account(user_id)
    stage.tick("EURUSD", 112146)
    feed_time = datetime(2026, 11, 23, 12, tzinfo=UTC)
    async with signed_in(stage, edge, user_id) as reader:
        await reader.subscribe(channel)
        await reader.subscribe("ticks:EURUSD")
        await stage.happen(channel, times=2)
        await stage.publish_watermark(feed_time)
        assert await reader.next("heartbeat", channel="ticks:EURUSD")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                beat = await reader.next("heartbeat", channel=channel)
                if (beat["sequence"], "feedTime" in beat["data"]) == ("2", True):
                    break
        assert beat["data"]["feedTime"] == "2026-11-23T12:00:00.000000Z"
        assert beat["data"]["time"].endswith("Z")


async def test_a_key_opens_the_channels_of_its_accounts_and_no_others(
    stage: World, edge: str
) -> None:
    user_id = stage.user()
    bound, other = stage.account(user_id), stage.account(user_id)
    accounts = [bound.partition(":")[2]]
    async with client(edge) as program:
        ticket = stage.ticket(user_id, session="key", key=True, acc=accounts)
        await program.say(op="authenticate", ticket=ticket)
        await program.next("authenticated")
        assert (await program.subscribe(bound))["type"] == "subscribed"
        for channel in (other, f"user:{user_id}"):
            assert (await program.subscribe(channel))["data"]["reason"] == "UNKNOWN_CHANNEL"
        stage.revoked.end("key")
        assert await program.closed() == 4001


async def test_sockets_may_be_served_over_tls(stage: World, tmp_path: Path) -> None:
    authority = trustme.CA()
    made = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    made.private_key_pem.write_to_path(key)
    tls = HttpTlsSettings(certificate=certificate, private_key=key)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with running(stage.settings(http_tls=tls)) as process:
        url = f"wss://{process.address}/v1/stream"
        async with connect(url, ssl=trusting) as connection:
            await connection.send('{"op":"ping"}')
            assert "pong" in str(await connection.recv())
