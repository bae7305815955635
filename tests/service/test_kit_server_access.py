"""Who may call what, by the access rules of real contracts over a real server."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from services.kit.channels import failure_of
from services.kit.clock import ManualClock, utc
from services.kit.origin import Origin, origin
from services.kit.principal import caller
from services.kit.reason import Reason
from services.kit.revocations import Revocations
from services.local.keys import ensure_keys
from tests.service.kit_rpc import USER, Server, bearer, refusal, running_server
from tests.waiting import PATIENCE_SECONDS
from veritick.journal.v1.account_event_service_pb2 import (
    WatchAccountEventsRequest,
    WatchAccountEventsResponse,
)
from veritick.trading.v1.account_service_pb2 import ListAccountsRequest, OpenAccountsRequest
from veritick.trading.v1.terms_pb2 import Terms
from veritick.trading.v1.terms_service_pb2 import ListTermsRequest, UpdateTermsRequest
from veritick.type.v1.money_pb2 import Money

pytestmark = pytest.mark.security

NOON = utc(2026, 11, 23, 12)
DEMO = ListTermsRequest(book="demo")
UNAUTHENTICATED, DENIED = Reason.UNAUTHENTICATED, Reason.PERMISSION_DENIED
SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    ensure_keys(folder)
    return folder


@pytest.fixture
async def server(keys: Path) -> AsyncIterator[Server]:
    async with running_server(keys, ManualClock(NOON)) as server:
        yield server


@pytest.fixture
def tokens(server: Server) -> dict[str, str]:
    """Everybody who may come to the door, and who only pretends."""
    forged = server.user_token().rsplit(".", 1)[0] + "." + "A" * 86
    return {
        "user": server.user_token(),
        "staff": server.user_token("terms.write"),
        "other staff": server.user_token("users.write"),
        "identity": server.service_token("identity"),
        "operator": server.service_token("operator"),
        "edge": server.service_token("edge"),
        "quotes": server.service_token("quotes"),
        "to another service": server.service_token("identity", audience="quotes"),
        "to all services": server.service_token("quotes", audience="veritick"),
        "for another service": server.service_token("quotes", sub="identity"),
        "user by a service": server.user_token("terms.write", issuer="quotes"),
        "user by a service, to it": server.user_token(issuer="edge", aud="trading"),
        "stream ticket": server.user_token(aud="stream"),
        "forged": forged,
        "unsigned": unsigned(server.user_token("terms.write")),
        "no token": "not.a.token",
        "from the future": future(server),
    }


def unsigned(token: str) -> str:
    """Return a token that says `alg: none`."""
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": "identity"}).encode())
    return f"{header.decode().rstrip('=')}.{token.split('.')[1]}."


def future(server: Server) -> str:
    later = server.clock.now() + timedelta(minutes=5)
    claims = {"sub": str(USER), "aud": "veritick"}
    return server.keyring("identity").sign(claims, timedelta(minutes=15), later)


TERMS = UpdateTermsRequest(
    book="demo",
    terms=Terms(
        instrument="BTCUSD",
        stake_min=Money(currency_code="USD", minor_units=100),
        stake_max=Money(currency_code="USD", minor_units=100_000),
        exposure_max=Money(currency_code="USD", minor_units=100_000),
        duration_seconds_min=5,
        duration_seconds_max=86_400,
        payout_bp=8_500,
        payout_fixed_bp=8_500,
        payout_min_bp=6_500,
        payout_max_bp=9_000,
        open_orders_max=200,
    ),
)
CALLS = ("ListTerms", "UpdateTerms", "ListAccounts", "OpenAccounts")
OK = None


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        #                     public           permission       user             services
        ("nobody", (OK, UNAUTHENTICATED, UNAUTHENTICATED, DENIED)),
        ("user", (OK, DENIED, OK, DENIED)),
        ("staff", (OK, OK, OK, DENIED)),
        ("other staff", (OK, DENIED, OK, DENIED)),
        ("identity", (OK, DENIED, DENIED, OK)),
        ("operator", (OK, OK, DENIED, OK)),
        ("edge", (OK, DENIED, DENIED, DENIED)),
        ("quotes", (OK, DENIED, DENIED, DENIED)),
        ("to another service", (UNAUTHENTICATED,) * 4),
        ("to all services", (UNAUTHENTICATED,) * 4),
        ("for another service", (UNAUTHENTICATED,) * 4),
        ("user by a service", (UNAUTHENTICATED,) * 4),
        ("user by a service, to it", (UNAUTHENTICATED,) * 4),
        ("stream ticket", (UNAUTHENTICATED,) * 4),
        ("forged", (UNAUTHENTICATED,) * 4),
        ("unsigned", (UNAUTHENTICATED,) * 4),
        ("no token", (UNAUTHENTICATED,) * 4),
        ("from the future", (UNAUTHENTICATED,) * 4),
    ],
)
async def test_who_may_call_what(
    server: Server, tokens: dict[str, str], who: str, expected: tuple[Reason | None, ...]
) -> None:
    reached = 0

    async def reach() -> None:
        nonlocal reached
        reached += 1

    server.behave = reach
    metadata = bearer(tokens[who]) if who != "nobody" else ()
    found = [await outcome(server, name, metadata) for name in CALLS]
    assert tuple(found) == expected
    assert reached == expected.count(OK)


async def outcome(
    server: Server, name: str, metadata: tuple[tuple[str, str], ...]
) -> Reason | None:
    """Make a call, and return why it was refused; None when it was answered."""
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "ListTerms": lambda: server.terms.ListTerms(DEMO, metadata=metadata),
        "UpdateTerms": lambda: server.terms.UpdateTerms(TERMS, metadata=metadata),
        "ListAccounts": lambda: server.accounts.ListAccounts(
            ListAccountsRequest(), metadata=metadata
        ),
        "OpenAccounts": lambda: server.accounts.OpenAccounts(
            OpenAccountsRequest(user_id=str(USER)), metadata=metadata
        ),
    }
    try:
        await calls[name]()
    except grpc.aio.AioRpcError as error:
        return failure_of(error).reason
    return None


@pytest.mark.parametrize("authorization", ["Basic YTpi", "bearer x", "Bearer", ""])
async def test_an_authorization_that_is_no_bearer_token_is_refused(
    server: Server, authorization: str
) -> None:
    metadata = (("authorization", authorization),)
    failure = await refusal(server.terms.ListTerms(DEMO, metadata=metadata))
    assert failure.reason is UNAUTHENTICATED


@pytest.mark.parametrize(
    ("after", "reason"),
    [(timedelta(minutes=15), None), (timedelta(minutes=15, seconds=3), Reason.TOKEN_EXPIRED)],
)
@pytest.mark.parametrize("seen_before", [False, True])
async def test_a_token_expires_whether_it_was_seen_before_or_not(
    server: Server, after: timedelta, reason: Reason | None, seen_before: bool
) -> None:
    metadata = bearer(server.user_token())
    if seen_before:
        await server.accounts.ListAccounts(ListAccountsRequest(), metadata=metadata)
    server.clock.advance(after)
    assert await outcome(server, "ListAccounts", metadata) is reason


@pytest.mark.parametrize(
    ("proof", "believed"),
    [
        ("edge", True),
        ("operator", False),
        ("user", False),
        ("forged", False),
        ("unsigned", False),
        ("", False),
    ],
)
async def test_only_the_edge_is_believed_about_where_others_are(
    server: Server, tokens: dict[str, str], proof: str, *, believed: bool
) -> None:
    found: list[Origin] = []

    async def look() -> None:
        found.append(origin())

    server.behave = look
    told = (
        ("x-origin-address", "203.0.113.9"),
        ("x-origin-agent", "Firefox"),
        ("x-origin-proof", tokens.get(proof, "")),
    )
    await server.terms.ListTerms(DEMO, metadata=told)
    stated = Origin("203.0.113.9", "Firefox")
    assert found == [stated if believed else Origin("127.0.0.1")]


@pytest.fixture
async def revocations(keys: Path) -> Revocations:
    heard = Revocations(ManualClock(NOON))
    heard.heard()
    return heard


@pytest.fixture
async def hearing(keys: Path, revocations: Revocations) -> AsyncIterator[Server]:
    """A server that hears what is taken back."""
    async with running_server(keys, ManualClock(NOON), revocations=revocations) as server:
        yield server


async def test_a_token_stops_working_when_its_session_ends(
    hearing: Server, revocations: Revocations
) -> None:
    ana, ben = (bearer(hearing.user_token(sid=session)) for session in ("ana", "ben"))
    assert await outcome(hearing, "ListAccounts", ana) is OK
    revocations.end("ana", NOON + timedelta(minutes=16))
    for name in CALLS[:1] + CALLS[2:3]:
        assert await outcome(hearing, name, ana) is Reason.SESSION_ENDED
    assert await outcome(hearing, "ListAccounts", ben) is OK


async def test_permissions_that_were_taken_back_are_not_believed(
    hearing: Server, revocations: Revocations
) -> None:
    before = bearer(hearing.user_token("terms.write", ver=1))
    assert await outcome(hearing, "UpdateTerms", before) is OK
    revocations.outdate(str(USER), 2, NOON + timedelta(minutes=16))
    assert await outcome(hearing, "UpdateTerms", before) is Reason.TOKEN_EXPIRED
    after = bearer(hearing.user_token(ver=2))
    assert await outcome(hearing, "UpdateTerms", after) is DENIED


async def test_a_server_that_has_heard_nothing_yet_is_not_ready_and_believes_no_user(
    keys: Path,
) -> None:
    unheard = Revocations(ManualClock(NOON))
    async with running_server(keys, ManualClock(NOON), revocations=unheard) as server:
        user = bearer(server.user_token())
        assert await outcome(server, "ListAccounts", user) is Reason.UNAVAILABLE
        assert await outcome(server, "ListTerms", ()) is OK
        assert await outcome(server, "OpenAccounts", bearer(server.service_token("identity"))) is OK
        check: Any = HealthStub(server.channel)
        assert (await check.Check(HealthCheckRequest())).status == NOT_SERVING


async def test_a_stream_ends_with_the_session_that_opened_it_even_while_nothing_happens(
    hearing: Server, revocations: Revocations
) -> None:
    happening: dict[str, asyncio.Queue[bool]] = {"ana": asyncio.Queue(), "ben": asyncio.Queue()}

    async def next_of_caller() -> bool:
        return await happening[caller().session_id or ""].get()

    hearing.behave = next_of_caller
    request = WatchAccountEventsRequest(account_id=f"demo_{USER}")
    ana, ben = (
        hearing.events.WatchAccountEvents(request, metadata=bearer(hearing.user_token(sid=sid)))
        for sid in ("ana", "ben")
    )
    for name, stream in (("ana", ana), ("ben", ben)):
        happening[name].put_nowait(True)
        assert isinstance(await stream.read(), WatchAccountEventsResponse)
    revocations.end("ana", NOON + timedelta(minutes=16))
    async with asyncio.timeout(PATIENCE_SECONDS):
        failure = await refusal(ana.read())
    assert failure.reason is Reason.SESSION_ENDED
    happening["ben"].put_nowait(True)
    assert isinstance(await ben.read(), WatchAccountEventsResponse)
    happening["ben"].put_nowait(False)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert not isinstance(await ben.read(), WatchAccountEventsResponse)
