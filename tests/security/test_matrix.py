"""Every call, by everybody: in by rule, or turned away before anything else is looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from edge.contract import bindings
from edge.rest.routes import Route, Routes
from services.kit.channels import failure_of, services_of
from services.kit.contract import rpc_of
from tests.platform import Platform
from tests.security.actors import ELSEWHERE, EVERYBODY, ROLES, STRANGER, Actors, refusal_of

pytestmark = [pytest.mark.platform, pytest.mark.security]

TARGETS = ("identity", "quotes", "trading", "settlement")
JOURNALS = {
    "JournalService": TARGETS,
    "AccountEventService": ("trading",),
}
"""The services of the contract that are not named after the one who serves them."""

TURNED_AWAY = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})
PATIENCE_SECONDS = 60
AT_ONCE = 16
ROUTES = Routes(bindings()).all


def served_by(target: str) -> Iterator[MethodDescriptor]:
    """Yield every RPC that a service has to answer."""
    for service in services_of(target):
        yield from service.methods
    for service in services_of("journal"):
        if target in JOURNALS[service.name]:
            yield from service.methods


async def outcome(
    channel: grpc.aio.Channel,
    rpc: MethodDescriptor,
    token: str | None,
    elsewhere: tuple[tuple[str, str], ...],
) -> str:
    """Call with an empty message; return the reason of the refusal, or what else came of it."""
    metadata = (*elsewhere, *((("authorization", f"Bearer {token}"),) if token else ()))
    path = rpc_of(rpc).path
    request = GetMessageClass(rpc.input_type)()
    serialize, parse = type(request).SerializeToString, GetMessageClass(rpc.output_type).FromString
    try:
        if rpc.server_streaming:
            stream = channel.unary_stream(path, serialize, parse)
            call: Any = stream(request, metadata=metadata, timeout=PATIENCE_SECONDS)
            await call.read()
            call.cancel()
        else:
            unary: Any = channel.unary_unary(path, serialize, parse)
            await unary(request, metadata=metadata, timeout=PATIENCE_SECONDS)
    except grpc.aio.AioRpcError as error:
        return failure_of(error).reason.value
    return "ANSWERED"


@pytest.mark.parametrize("target", TARGETS)
async def test_every_rpc_lets_in_whom_its_rule_names_and_nobody_else(
    platform: Platform, actors: Actors, target: str
) -> None:
    limit, wrong = asyncio.Semaphore(AT_ONCE), list[str]()
    async with grpc.aio.insecure_channel(platform.ports.address(target)) as channel:

        async def check(rpc: MethodDescriptor, who: str) -> None:
            expected = refusal_of(rpc_of(rpc).access, who)
            async with limit:
                token = actors.token(who, target)
                found = await outcome(channel, rpc, token, actors.elsewhere(target))
            turned_away = found if found in TURNED_AWAY else None
            if turned_away != expected or found in {"UNIMPLEMENTED", "INTERNAL"}:
                wrong.append(f"{rpc.full_name} by {who}: {found}, not {expected or 'let in'}")

        await asyncio.gather(*(check(rpc, who) for rpc in served_by(target) for who in EVERYBODY))
    assert wrong == []


def path_of(route: Route) -> str:
    """Return a path of the route: well-formed, and about things that there are not."""
    path = route.binding.template
    for field in route.template.fields:
        path = path.replace(f"{{{field}}}", "nothing")
    return path


@pytest.mark.parametrize("who", [STRANGER, *ROLES])
async def test_every_route_lets_in_whom_its_rule_names_and_nobody_else(
    edge: str, actors: Actors, who: str
) -> None:
    limit, wrong = asyncio.Semaphore(AT_ONCE), list[str]()
    async with httpx.AsyncClient(base_url=edge, timeout=60, headers=ELSEWHERE) as client:

        async def check(route: Route) -> None:
            async with limit:
                # A token lasts for minutes, and the queue may last as long.
                token = actors.token(who, route.binding.target)
                headers = {"authorization": f"Bearer {token}"} if token else {}
                answer = await client.request(route.binding.verb, path_of(route), headers=headers)
            name = f"{route.binding.verb} {route.binding.template}"
            found = answer.json()["reason"] if answer.is_error else "ANSWERED"
            expected = refusal_of(route.rpc.access, who)
            if (found if found in TURNED_AWAY else None) != expected:
                wrong.append(f"{name}: {found}, not {expected or 'let in'}")
            wrong.extend(f"{name}: {flaw}" for flaw in flaws(answer))

        await asyncio.gather(*map(check, ROUTES))
    assert wrong == []


def flaws(answer: httpx.Response) -> Iterator[str]:
    """Yield what no answer may lack, or say."""
    expected = {
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "strict-transport-security": "max-age=63072000; includeSubDomains",
        "cache-control": "no-store",
    }
    for name, value in expected.items():
        if answer.headers.get(name) != value:
            yield f"{name} is {answer.headers.get(name)}"
    for name in ("server", "x-powered-by", "access-control-allow-origin"):
        if name in answer.headers:
            yield f"tells {name}"
    if answer.status_code >= 500:
        yield f"answered {answer.status_code}: {answer.text[:200]}"
    if answer.is_error and answer.headers["content-type"] != "application/problem+json":
        yield f"refused as {answer.headers['content-type']}"
    if any(word in answer.text for word in ("Traceback", "psycopg", "site-packages", ".py")):
        yield f"tells of its inside: {answer.text[:200]}"


@pytest.mark.parametrize("variant", ["a foreign page", "a page that says nothing", "a form"])
async def test_no_change_is_made_for_a_page_that_is_not_ours(
    edge: str, actors: Actors, variant: str
) -> None:
    headers = {
        "a foreign page": {
            "veritick-session": "cookie",
            "origin": "https://evil.example",
            "sec-fetch-site": "cross-site",
        },
        "a page that says nothing": {"sec-fetch-site": "same-origin"},
        "a form": {
            "origin": "https://evil.example",
            "content-type": "application/x-www-form-urlencoded",
        },
    }[variant]
    changing = [route for route in ROUTES if route.binding.verb != "GET"]
    async with httpx.AsyncClient(base_url=edge, timeout=60) as client:
        for route in changing:
            cookie = f"__Host-veritick_access={actors.token('admin', route.binding.target)}"
            answer = await client.request(
                route.binding.verb, path_of(route), headers={**headers, "cookie": cookie}
            )
            assert (answer.status_code, answer.json()["reason"]) == (403, "CSRF_REJECTED"), (
                route.binding.template
            )


async def test_nothing_is_taken_that_the_contract_does_not_name(edge: str, actors: Actors) -> None:
    with_body = [route for route in ROUTES if route.has_body and not route.takes_file]
    async with httpx.AsyncClient(base_url=edge, timeout=60) as client:
        for route in with_body:
            token = actors.token("admin", route.binding.target)
            answer = await client.request(
                route.binding.verb,
                path_of(route),
                json={"isAdmin": True, "constructor": {"roles": ["admin"]}},
                headers={"authorization": f"Bearer {token}"},
            )
            named = {fault["field"] for fault in answer.json().get("violations", ())}
            assert answer.json()["reason"] == "INVALID_REQUEST", route.binding.template
            assert {"isAdmin", "constructor"} <= named, route.binding.template
