"""Which pages of others may call: none, but those that the settings name, and without cookies."""

from __future__ import annotations

import httpx
import pytest
from pydantic import ValidationError

from edge.settings import EdgeSettings
from tests.service.edge_rest_world import USER, World, running_edge

pytest_plugins = ["tests.service.edge_rest_fixtures"]
pytestmark = pytest.mark.security

FRIEND, STRANGER = "https://bots.example.com", "https://bots.example.com.evil.test"
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}


async def asked(rest: httpx.AsyncClient, origin: str, **changes: str) -> httpx.Response:
    """Ask as a browser does before a page's call."""
    headers = {**PREFLIGHT, "Origin": origin, **changes}
    return await rest.options("/v1/accounts", headers=headers)


def allowed(answer: httpx.Response) -> str | None:
    found = answer.headers.get_list("access-control-allow-origin")
    return ", ".join(found) or None


async def test_by_default_no_page_of_others_may_call(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    for origin in (FRIEND, "null", str(rest.base_url)):
        assert allowed(await asked(rest, origin)) is None
        headers = {**rest_world.bearer(), "Origin": origin}
        answer = await rest.get("/v1/users/me", headers=headers)
        assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_a_page_that_is_named_calls_with_a_token_of_its_own(rest_world: World) -> None:
    async with running_edge(rest_world.settings(cors_origins=[FRIEND])) as rest:
        before = await asked(rest, FRIEND)
        assert (before.status_code, allowed(before)) == (200, FRIEND)
        headers = {**rest_world.bearer(), "Origin": FRIEND}
        answer = await rest.get("/v1/users/me", headers=headers)
        assert answer.json()["userId"] == USER
        assert allowed(answer) == FRIEND
        assert "Origin" in answer.headers["vary"]
        assert "RateLimit" in answer.headers["access-control-expose-headers"]
        for found in (before, answer):
            assert "access-control-allow-credentials" not in found.headers
            assert found.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    "origin", [STRANGER, "http://bots.example.com", "https://bots.example.com:8443", "null"]
)
async def test_a_page_that_is_not_named_is_not_let_in(rest_world: World, origin: str) -> None:
    async with running_edge(rest_world.settings(cors_origins=[FRIEND])) as rest:
        before = await asked(rest, origin)
        assert (before.status_code, allowed(before)) == (400, None)
        assert allowed(await rest.get("/v1/instruments", headers={"Origin": origin})) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"Access-Control-Request-Method": "TRACE"},
        {"Access-Control-Request-Headers": "veritick-session"},
        {"Access-Control-Request-Private-Network": "true"},
    ],
    ids=["a strange verb", "the header that speaks for our own pages", "from the internet inwards"],
)
async def test_a_page_that_is_named_may_not_do_everything(
    rest_world: World, changes: dict[str, str]
) -> None:
    async with running_edge(rest_world.settings(cors_origins=[FRIEND])) as rest:
        assert (await asked(rest, FRIEND, **changes)).status_code == 400


@pytest.mark.parametrize("origin", ["*", "https://*.example.com", "null", "https://example.com/"])
def test_an_origin_is_one_origin(origin: str) -> None:
    with pytest.raises(ValidationError, match="cors_origins"):
        EdgeSettings(mode="development", cors_origins=(origin,))
