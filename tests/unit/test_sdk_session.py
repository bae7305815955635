"""The Python client's session: tokens that stay fresh."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.unit.sdk_edge import (
    Edge,
    answer,
    client,
    refusal,
)
from veritick import VeritickError
from veritick.identity.v1.auth_service_pb2 import EnrolTotpRequest, EnrolTotpResponse

SESSION = {"accessToken": "a", "refreshToken": "r", "expireTime": "2099-01-01T00:00:00Z"}


class Door(Edge):
    """Signs in with tokens numbered from 1, and takes only the newest."""

    def __init__(self, lifetime: timedelta) -> None:
        super().__init__()
        self.issued = 0
        self.refreshed = 0
        self.lifetime = lifetime

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await asyncio.sleep(0)
        if request.url.path == "/v1/sessions":
            return self._session()
        if request.url.path == "/v1/sessions:refresh":
            if json.loads(request.content)["refreshToken"] != f"refresh-{self.issued}":
                return refusal("REFRESH_TOKEN_REUSED", 401)(request)
            self.refreshed += 1
            return self._session()
        if request.headers.get("authorization") != f"Bearer access-{self.issued}":
            return refusal("TOKEN_EXPIRED", 401)(request)
        return httpx.Response(200, json={"accounts": []})

    def _session(self) -> httpx.Response:
        self.issued += 1
        end = datetime.now(UTC) + self.lifetime
        body = {
            "accessToken": f"access-{self.issued}",
            "refreshToken": f"refresh-{self.issued}",
            "expireTime": end.isoformat(),
        }
        return httpx.Response(200, json=body)


async def test_many_calls_with_an_expired_token_refresh_it_once() -> None:
    door = Door(timedelta(hours=1))
    veritick = client(door)
    await veritick.log_in("ada@example.com", "analytical engine")
    door.issued += 1  # as if the token had been replaced behind the client's back …
    assert veritick.session is not None
    veritick.session.refresh_token = "refresh-2"  # … and the client knew its successor

    await asyncio.gather(*(veritick.accounts() for _ in range(10)))

    assert door.refreshed == 1


async def test_a_token_about_to_end_is_renewed_before_it_is_used() -> None:
    door = Door(timedelta(seconds=20))
    veritick = client(door)
    await veritick.log_in("ada@example.com", "analytical engine")

    await asyncio.gather(*(veritick.accounts() for _ in range(5)))

    authorized = [r for r in door.requests if r.url.path == "/v1/accounts"]
    assert "Bearer access-1" not in {r.headers["authorization"] for r in authorized}


async def test_a_session_that_is_over_says_so_and_is_forgotten() -> None:
    door = Door(timedelta(hours=1))
    veritick = client(door)
    await veritick.log_in("ada@example.com", "analytical engine")
    door.issued += 1

    with pytest.raises(VeritickError, match="REFRESH_TOKEN_REUSED"):
        await veritick.accounts()

    assert veritick.session is None


async def test_credentials_travel_without_a_token_and_cookies_are_not_kept() -> None:
    door = Door(timedelta(hours=1))
    veritick = client(door)

    await veritick.log_in("ada@example.com", "analytical engine")
    await veritick.log_in("ada@example.com", "analytical engine")

    assert all("authorization" not in request.headers for request in door.requests)
    assert all("cookie" not in request.headers for request in door.requests)


async def test_a_change_of_the_own_credentials_travels_with_the_token() -> None:
    edge = Edge(answer(SESSION), answer({"secret": "s"}))
    veritick = client(edge)
    await veritick.log_in("ada@example.com", "analytical engine")

    await veritick.call(EnrolTotpRequest(), EnrolTotpResponse)

    assert edge.requests[-1].headers["authorization"] == "Bearer a"


async def test_log_in_registers_an_address_that_is_taken_without_complaint() -> None:
    edge = Edge(refusal("EMAIL_TAKEN", 409), answer(SESSION, set_cookie="session=1; Path=/"))

    await client(edge).log_in("ada@example.com", "analytical engine", register=True)

    assert [r.url.path for r in edge.requests] == ["/v1/users", "/v1/sessions"]
