"""Signing in from a page: tokens in cookies, and changes only from our own pages."""

import asyncio
import re
from datetime import timedelta
from http.cookies import Morsel, SimpleCookie

import httpx
import pytest

from services.kit.origin import Origin
from services.kit.tokens import Keyring
from tests.service.edge_rest_rpc import KEY, PASSWORD
from tests.service.edge_rest_world import ACCOUNT, COOKIES, USER, World, order, running_edge
from tests.service.test_edge_rest_calls import ORDERS, reason_of
from tests.waiting import PATIENCE_SECONDS

pytest_plugins = ["tests.service.edge_rest_fixtures"]
pytestmark = pytest.mark.security

CREDENTIALS = {"email": "ana@example.com", "password": PASSWORD}
ACCESS, REFRESH, DEVICE = "veritick_access", "veritick_refresh", "veritick_device"


def cookies_of(response: httpx.Response) -> dict[str, Morsel[str]]:
    """Return the cookies that an answer sets."""
    jar: SimpleCookie = SimpleCookie()
    for header in response.headers.get_list("set-cookie"):
        jar.load(header)
    return dict(jar)


async def signed_in(rest: httpx.AsyncClient) -> httpx.Response:
    """Register and sign in as a page; the client keeps the cookies."""
    assert (await rest.post("/v1/users", json=CREDENTIALS)).status_code == 200
    response = await rest.post("/v1/sessions", json=CREDENTIALS, headers=COOKIES)
    assert response.status_code == 200, response.text
    return response


async def test_a_page_gets_its_tokens_in_cookies_that_scripts_cannot_read(
    rest: httpx.AsyncClient,
) -> None:
    response = await signed_in(rest)
    session, cookies = response.json(), cookies_of(response)
    assert (session["accessToken"], session["refreshToken"]) == ("", "")
    assert session["sessionId"]
    assert set(cookies) == {ACCESS, REFRESH, DEVICE}
    for cookie in cookies.values():
        assert cookie["httponly"]
        assert cookie["samesite"] == "Strict"
        assert not cookie["secure"]
        assert cookie.value not in response.text
    assert cookies[ACCESS]["path"] == "/"
    assert 890 <= int(cookies[ACCESS]["max-age"]) <= 900
    assert cookies[REFRESH]["path"] == "/v1/sessions:refresh"


async def test_a_program_never_gets_cookies(rest: httpx.AsyncClient) -> None:
    await rest.post("/v1/users", json=CREDENTIALS)
    response = await rest.post("/v1/sessions", json=CREDENTIALS)
    assert cookies_of(response) == {}
    assert response.json()["accessToken"]


async def test_the_cookie_signs_calls_until_the_page_signs_out(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    session = (await signed_in(rest)).json()
    assert (await rest.get("/v1/users/me")).json()["userId"] == session["userId"]
    placed = await rest.post(ORDERS, json=order(), headers=COOKIES)
    assert placed.status_code == 200, placed.text
    out = await rest.delete("/v1/sessions/current", headers=COOKIES)
    assert out.json() == {}
    assert {cookie["max-age"] for cookie in cookies_of(out).values()} == {"0"}
    assert rest_world.identity.ended == [session["userId"]]
    assert reason_of(await rest.get("/v1/users/me")) == (401, "UNAUTHENTICATED")


async def test_refreshing_takes_the_token_from_its_cookie_and_replaces_both(
    rest: httpx.AsyncClient,
) -> None:
    before = cookies_of(await signed_in(rest))
    response = await rest.post("/v1/sessions:refresh", headers=COOKIES)
    after = cookies_of(response)
    assert response.json()["refreshToken"] == ""
    assert after[REFRESH].value != before[REFRESH].value
    assert (await rest.get("/v1/users/me")).status_code == 200


async def test_a_refresh_that_ends_the_session_clears_the_cookies(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    await signed_in(rest)
    rest_world.identity.refreshes.clear()
    response = await rest.post("/v1/sessions:refresh", headers=COOKIES)
    assert reason_of(response) == (401, "REFRESH_TOKEN_REUSED")
    assert {cookie["max-age"] for cookie in cookies_of(response).values()} == {"0"}


async def test_a_page_without_a_session_cannot_refresh(rest: httpx.AsyncClient) -> None:
    response = await rest.post("/v1/sessions:refresh", headers=COOKIES)
    assert reason_of(response) == (401, "UNAUTHENTICATED")


async def test_a_program_refreshes_with_the_token_in_the_body(rest: httpx.AsyncClient) -> None:
    await rest.post("/v1/users", json=CREDENTIALS)
    session = (await rest.post("/v1/sessions", json=CREDENTIALS)).json()
    body = {"refreshToken": session["refreshToken"]}
    again = await rest.post("/v1/sessions:refresh", json=body)
    assert again.json()["accessToken"]
    assert (
        reason_of(await rest.post("/v1/sessions:refresh", json=body))[1] == "REFRESH_TOKEN_REUSED"
    )


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Veritick-Session": "cookie"},
        {"Veritick-Session": "cookie", "Sec-Fetch-Site": "cross-site"},
        {"Veritick-Session": "cookie", "Sec-Fetch-Site": "same-site"},
        {"Veritick-Session": "cookie", "Origin": "https://evil.example"},
        {"Veritick-Session": "cookie", "Origin": "null"},
        {"Veritick-Session": "cookie", "Origin": "http://["},
        {"Veritick-Session": "yes", "Sec-Fetch-Site": "same-origin"},
    ],
)
async def test_a_change_with_a_cookie_needs_our_own_page(
    rest: httpx.AsyncClient, rest_world: World, headers: dict[str, str]
) -> None:
    await signed_in(rest)
    response = await rest.post(ORDERS, json=order(), headers=headers)
    assert reason_of(response) == (403, "CSRF_REJECTED")
    assert rest_world.trading.orders == {}


async def test_a_foreign_page_cannot_sign_its_visitor_in(rest: httpx.AsyncClient) -> None:
    headers = {"Veritick-Session": "cookie", "Sec-Fetch-Site": "cross-site"}
    response = await rest.post("/v1/sessions", json=CREDENTIALS, headers=headers)
    assert reason_of(response) == (403, "CSRF_REJECTED")


async def test_a_page_is_ours_by_its_origin_where_the_browser_says_no_more(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    await signed_in(rest)
    headers = {"Veritick-Session": "cookie", "Origin": str(rest.base_url).rstrip("/")}
    assert (await rest.post(ORDERS, json=order(), headers=headers)).status_code == 200
    async with running_edge(rest_world.settings(origins=("https://app.example",))) as other:
        elsewhere = headers | {"Origin": "https://app.example"}
        response = await other.post("/v1/sessions", json=CREDENTIALS, headers=elsewhere)
        assert cookies_of(response)


async def test_the_bearer_token_wins_over_the_cookie(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    await signed_in(rest)
    other = await rest.get("/v1/users/me", headers=rest_world.bearer())
    assert other.json()["userId"] == USER
    placed = await rest.post(ORDERS, json=order(), headers=rest_world.bearer())
    assert placed.status_code == 200


async def test_a_bad_token_is_refused_at_once(rest: httpx.AsyncClient, rest_world: World) -> None:
    old = rest_world.identity.token(USER, age=timedelta(hours=1))
    expired = await rest.get("/v1/users/me", headers={"Authorization": f"Bearer {old}"})
    assert reason_of(expired) == (401, "TOKEN_EXPIRED")
    assert 'error="invalid_token"' in expired.headers["www-authenticate"]
    service = Keyring.load(rest_world.keys, "trading").service_token(
        "edge", rest_world.identity.clock.now()
    )
    for bad in ("Bearer x.y.z", "Basic YTpi", f"Bearer {service}", "Bearer"):
        response = await rest.get("/v1/instruments", headers={"Authorization": bad})
        assert reason_of(response) == (401, "UNAUTHENTICATED")


async def test_an_old_cookie_does_not_stand_in_the_way_of_public_calls(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    await rest.post("/v1/users", json=CREDENTIALS)
    old = rest_world.identity.token(USER, age=timedelta(hours=1))
    rest.cookies.set(ACCESS, old)
    assert (await rest.get("/v1/instruments")).status_code == 200
    assert reason_of(await rest.get("/v1/users/me")) == (401, "TOKEN_EXPIRED")
    again = await rest.post("/v1/sessions", json=CREDENTIALS, headers=COOKIES)
    assert again.status_code == 200


async def test_strange_cookies_of_neighbours_do_no_harm(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    token = rest_world.identity.token(USER)
    header = f'other={{"a": [1]}}; =; x; {ACCESS}={token}'
    assert (await rest.get("/v1/users/me", headers={"Cookie": header})).status_code == 200


async def test_production_hardens_cookies_and_transport(rest_world: World) -> None:
    async with running_edge(rest_world.settings(mode="production")) as rest:
        response = await signed_in(rest)
        cookies = cookies_of(response)
        assert set(cookies) == {f"__Host-{ACCESS}", f"__Secure-{REFRESH}", f"__Host-{DEVICE}"}
        assert all(cookie["secure"] for cookie in cookies.values())
        assert cookies[f"__Host-{ACCESS}"]["path"] == "/"
        assert re.match(r"max-age=\d{8}", response.headers["strict-transport-security"])
        header = {"Cookie": f"__Host-{ACCESS}={cookies[f'__Host-{ACCESS}'].value}"}
        assert (await rest.get(f"/v1/accounts/{ACCOUNT}", headers=header)).status_code == 200
        plain = {"Cookie": f"{ACCESS}={cookies[f'__Host-{ACCESS}'].value}"}
        assert reason_of(await rest.get("/v1/users/me", headers=plain))[0] == 401


async def test_a_browser_is_known_again_by_a_cookie_of_its_own(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    first = cookies_of(await signed_in(rest))[DEVICE]
    assert (len(first.value), first["path"]) == (22, "/")
    assert int(first["max-age"]) == 400 * 24 * 3600
    await rest.delete("/v1/sessions/current", headers=COOKIES)
    again = await rest.post("/v1/sessions", json=CREDENTIALS, headers=COOKIES)
    assert DEVICE not in cookies_of(again)
    assert [origin.device for origin in rest_world.identity.origins] == [first.value] * 2


async def test_a_device_cookie_that_we_did_not_make_is_replaced(rest: httpx.AsyncClient) -> None:
    await rest.post("/v1/users", json=CREDENTIALS)
    for bad in ("", "x" * 65, "a b", "a!"):
        headers = COOKIES | {"Cookie": f"{DEVICE}={bad}"}
        made = await rest.post("/v1/sessions", json=CREDENTIALS, headers=headers)
        assert len(cookies_of(made)[DEVICE].value) == 22


async def test_a_cookie_of_an_ended_session_counts_nowhere_and_is_no_obstacle(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    session = (await signed_in(rest)).json()
    rest_world.revoked.end(session["sessionId"])
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (answer := await rest.get("/v1/users/me")).status_code == 200:
            await asyncio.sleep(0.02)
    assert reason_of(answer) == (401, "SESSION_ENDED")
    again = await rest.post("/v1/sessions", json=CREDENTIALS, headers=COOKIES)
    assert again.status_code == 200
    assert (await rest.get("/v1/users/me")).status_code == 200


async def test_a_program_brings_its_key_as_it_is(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    for _ in range(3):
        placed = await rest.post(ORDERS, json=order(), headers=headers)
        assert placed.status_code == 200, placed.text
    assert rest_world.api_keys.exchanged == [Origin("127.0.0.1")]
    assert reason_of(await rest.get("/v1/users/me", headers=headers)) == (403, "PERMISSION_DENIED")


async def test_a_key_whose_token_was_taken_back_is_exchanged_anew(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    await rest.post(ORDERS, json=order(), headers=headers)
    rest_world.revoked.end(rest_world.api_keys.grants[0])
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(rest_world.api_keys.grants) == 1:
            placed = await rest.post(ORDERS, json=order(), headers=headers)
            assert placed.status_code == 200, placed.text
            await asyncio.sleep(0.06)  # slower than the limit on orders


async def test_a_key_that_is_none_is_refused_and_not_remembered(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    headers = {"Authorization": "Bearer vtk_bad"}
    for count in (1, 2):
        refused = await rest.post(ORDERS, json=order(), headers=headers)
        assert reason_of(refused) == (401, "KEY_INVALID")
        assert len(rest_world.api_keys.exchanged) == count
