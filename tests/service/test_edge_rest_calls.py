"""Calls of the contract over HTTP: what goes through, and how each refusal looks."""

import gzip
import json
from typing import Any

import httpx
import pytest

from services.kit.origin import Origin
from tests.service.edge_rest_rpc import BROKEN, PASSWORD, SHUT, SLOW
from tests.service.edge_rest_world import ACCOUNT, NOWHERE, World, order, running_edge
from veritick.trading.v1.order_pb2 import Direction

pytest_plugins = ["tests.service.edge_rest_fixtures"]

ORDERS = f"/v1/accounts/{ACCOUNT}/orders"


def reason_of(response: httpx.Response) -> tuple[int, str]:
    """Return what a problem document says, after checking that it is one."""
    document = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert document["status"] == response.status_code
    assert document["type"] == f"/docs/errors#{document['reason']}"
    assert document["requestId"] == response.headers["x-request-id"]
    return response.status_code, document["reason"]


async def test_a_program_registers_logs_in_and_reads_its_profile(rest: httpx.AsyncClient) -> None:
    credentials = {"email": "ana@example.com", "password": PASSWORD}
    user = (await rest.post("/v1/users", json=credentials)).json()
    session = (await rest.post("/v1/sessions", json=credentials)).json()
    bearer = {"Authorization": f"Bearer {session['accessToken']}"}
    profile = await rest.get("/v1/users/me", headers=bearer)
    assert profile.status_code == 200
    assert profile.json()["userId"] == user["userId"] == session["userId"]
    assert session["refreshToken"]


async def test_an_order_is_placed_and_answered_as_the_resource_itself(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    placed = await rest.post(ORDERS, json=order(), headers=rest_world.bearer())
    assert placed.status_code == 200, placed.text
    shown = placed.json()
    assert shown["accountId"] == ACCOUNT
    assert shown["stake"] == {"currencyCode": "USD", "minorUnits": "1000"}
    assert (shown["direction"], shown["state"], shown["payoutBp"]) == ("UP", "OPEN", 0)
    assert "outcome" not in shown
    assert "idempotent-replayed" not in placed.headers


async def test_the_same_order_again_is_marked_as_a_replay(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    body, headers = order(), rest_world.bearer()
    first = await rest.post(ORDERS, json=body, headers=headers)
    again = await rest.post(ORDERS, json=body, headers=headers)
    other = await rest.post(ORDERS, json=body | {"direction": "DOWN"}, headers=headers)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert reason_of(other) == (409, "REQUEST_ID_REUSED")


async def test_a_custom_verb_and_a_nested_field_find_their_calls(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    refilled = await rest.post(
        f"/v1/accounts/{ACCOUNT}:refill",
        json={"requestId": "0199a1b2-0000-7000-8000-0000000000ff"},
        headers=rest_world.bearer(),
    )
    assert refilled.json()["posted"]["minorUnits"] == "1000000"
    updated = await rest.put(
        "/v1/instruments/EURUSD",
        json={
            "displayName": "EUR/USD",
            "assetClass": "FX",
            "feedSymbol": "eurusd",
            "maxTickAgeSeconds": 5,
            "feedSilenceMaxSeconds": 5,
        },
        headers=rest_world.bearer("instruments.write"),
    )
    assert updated.status_code == 200, updated.text
    assert rest_world.quotes.updated[0].symbol == "EURUSD"


async def test_queries_carry_nested_fields_enums_and_numbers(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    query = {
        "instrument": "BTCUSD",
        "direction": "DOWN",
        "stake.currencyCode": "USD",
        "stake.minorUnits": "1000",
        "expireTime": "2026-11-23T12:00:00.5Z",
    }
    proposal = await rest.get(
        f"/v1/accounts/{ACCOUNT}/proposal", params=query, headers=rest_world.bearer()
    )
    assert proposal.json()["payoutBp"] == 8500
    asked = rest_world.trading.proposals[0]
    assert (asked.direction, asked.stake.minor_units) == (Direction.DOWN, 1000)
    assert asked.expire_time.nanos == 500_000_000


@pytest.mark.parametrize(
    ("body", "violations"),
    [
        (order(colour="red"), ["colour"]),
        (order(stake={"currencyCode": "USD", "minorUnits": 1.5}), ["stake.minorUnits"]),
        (order(stake={"currencyCode": "USD", "minorUnits": 10**30}), ["stake.minorUnits"]),
        (order(stake={"currencyCode": "dollars"}), ["stake.currencyCode"]),
        (order(stake="10"), ["stake"]),
        (order(direction="SIDEWAYS", requestId=7), ["direction", "requestId"]),
        (order(expireTime="2026-11-23T12:00:00Z"), ["expireTime"]),
        (order(accountId="demo_0199a1b2-0000-7000-8000-00000000000b"), ["accountId"]),
        (order(requestId="not-a-uuid"), ["requestId"]),
        ([], [""]),
        ({}, ["requestId", "instrument", "direction", "stake"]),
    ],
)
async def test_a_request_that_breaks_the_contract_is_told_which_fields(
    rest: httpx.AsyncClient, rest_world: World, body: Any, violations: list[str]
) -> None:
    refused = await rest.post(ORDERS, json=body, headers=rest_world.bearer())
    assert reason_of(refused) == (400, "INVALID_REQUEST")
    fields = [violation["field"] for violation in refused.json()["violations"]]
    assert sorted(fields) == sorted(violations)
    assert rest_world.trading.orders == {}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe{}",
        b'{"requestId": NaN}',
        b"[" * 30_000,
        b'{"stake": {}, "stake": {}}',
        b"9" * 6_000,
        b'{"requestId": "\\ud800"}',
    ],
)
async def test_a_body_that_is_not_json_is_refused_and_the_server_goes_on(
    rest: httpx.AsyncClient, rest_world: World, body: bytes
) -> None:
    headers = rest_world.bearer() | {"Content-Type": "application/json"}
    refused = await rest.post(ORDERS, content=body, headers=headers)
    assert reason_of(refused) == (400, "INVALID_REQUEST")
    assert (await rest.get("/healthz")).status_code == 200


async def test_a_body_of_another_kind_or_too_large_is_refused(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    bearer = rest_world.bearer()
    form = await rest.post(ORDERS, data={"stake": "10"}, headers=bearer)
    assert reason_of(form) == (415, "INVALID_REQUEST")
    packed = gzip.compress(json.dumps(order()).encode())
    compressed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    zipped = await rest.post(ORDERS, content=packed, headers=bearer | compressed)
    assert reason_of(zipped) == (415, "INVALID_REQUEST")
    large = await rest.post(ORDERS, json={"requestId": "x" * 70_000}, headers=bearer)
    assert reason_of(large) == (413, "REQUEST_TOO_LARGE")


async def test_a_large_body_without_a_length_is_refused_as_well(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    async def chunks() -> Any:
        for _ in range(100):
            yield b" " * 1_000

    headers = rest_world.bearer() | {"Content-Type": "application/json"}
    large = await rest.post(ORDERS, content=chunks(), headers=headers)
    assert reason_of(large) == (413, "REQUEST_TOO_LARGE")


@pytest.mark.parametrize(
    ("verb", "path", "status", "allow"),
    [
        ("GET", "/v1/nothing", 404, None),
        ("GET", "/v1/accounts/a/b/c/d", 404, None),
        ("PATCH", f"/v1/accounts/{ACCOUNT}", 405, "GET, HEAD, OPTIONS"),
        ("GET", f"/v1/accounts/{ACCOUNT}:refill", 405, "POST, OPTIONS"),
        ("DELETE", "/v1/instruments/EURUSD", 405, "GET, PUT, HEAD, OPTIONS"),
        ("POST", "/docs", 405, "GET, HEAD"),
    ],
)
async def test_unknown_paths_and_verbs_are_problems_too(
    rest: httpx.AsyncClient, verb: str, path: str, status: int, allow: str | None
) -> None:
    refused = await rest.request(verb, path)
    assert reason_of(refused) == (status, "UNIMPLEMENTED")
    named = refused.headers.get("allow")
    assert (set(named.split(", ")) if named else None) == (
        set(allow.split(", ")) if allow else None
    )


async def test_head_and_options_are_answered(rest: httpx.AsyncClient, rest_world: World) -> None:
    head = await rest.head("/v1/instruments")
    assert (head.status_code, head.content) == (200, b"")
    options = await rest.options(ORDERS)
    assert (options.status_code, options.headers["allow"]) == (204, "POST, GET, HEAD, OPTIONS")


async def test_unknown_and_repeated_parameters_are_refused(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    unknown = await rest.get("/v1/instruments?colour=red&pageSize=x")
    assert reason_of(unknown) == (400, "INVALID_REQUEST")
    assert [item["field"] for item in unknown.json()["violations"]] == ["colour", "pageSize"]
    unstorable = await rest.get("/v1/instruments?filter=%00")
    assert reason_of(unstorable) == (400, "INVALID_REQUEST")
    twice = await rest.get("/v1/instruments?pageSize=1&pageSize=2")
    assert reason_of(twice) == (400, "INVALID_REQUEST")
    with_body = await rest.post(f"{ORDERS}?instrument=X", json=order(), headers=rest_world.bearer())
    assert reason_of(with_body) == (400, "INVALID_REQUEST")


async def test_refusals_keep_their_reason_and_metadata(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    shut = await rest.post(ORDERS, json=order(instrument=SHUT), headers=rest_world.bearer())
    assert reason_of(shut) == (409, "MARKET_CLOSED")
    assert shut.json()["metadata"] == {"next_open_time": "2026-11-24T00:00:00Z"}
    assert shut.json()["title"] == "Market closed"
    assert shut.json()["retryable"] is False
    missing = await rest.get("/v1/instruments/EURUSD")
    assert reason_of(missing) == (404, "INSTRUMENT_NOT_FOUND")


async def test_an_unexpected_fault_tells_nothing_of_itself(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    broken = await rest.post(ORDERS, json=order(instrument=BROKEN), headers=rest_world.bearer())
    assert reason_of(broken) == (500, "INTERNAL")
    assert "secret" not in broken.text
    assert "ValueError" not in broken.text


async def test_a_service_that_is_away_or_slow_is_named_as_such(rest_world: World) -> None:
    settings = rest_world.settings(quotes_address=NOWHERE, call_seconds_max=0.3)
    async with running_edge(settings) as rest:
        away = await rest.get("/v1/instruments")
        assert reason_of(away) == (503, "UNAVAILABLE")
        assert int(away.headers["retry-after"]) >= 1
        assert away.json()["retryable"] is True
        slow = await rest.post(ORDERS, json=order(instrument=SLOW), headers=rest_world.bearer())
        assert reason_of(slow) == (504, "DEADLINE_EXCEEDED")
        ready = await rest.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["services"]["quotes"] == "UNREACHABLE"
        assert (await rest.get("/healthz")).status_code == 200


async def test_an_rpc_that_its_service_does_not_know_yet_is_not_found(
    rest: httpx.AsyncClient,
) -> None:
    assert reason_of(await rest.get("/v1/books/demo/terms")) == (404, "UNIMPLEMENTED")


async def test_who_may_call_is_judged_by_the_service(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    anonymous = await rest.get("/v1/users/me")
    assert reason_of(anonymous) == (401, "UNAUTHENTICATED")
    assert anonymous.headers["www-authenticate"] == 'Bearer realm="veritick"'
    unpermitted = await rest.put("/v1/instruments/X", json={}, headers=rest_world.bearer())
    assert reason_of(unpermitted) == (403, "PERMISSION_DENIED")


async def test_the_request_id_travels_to_the_service_and_back(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    given = {"X-Request-Id": "trace-me-0001"}
    answer = await rest.get("/v1/users/me", headers=rest_world.bearer() | given)
    assert answer.headers["x-request-id"] == "trace-me-0001"
    assert rest_world.identity.request_ids == ["trace-me-0001"]
    made_up = {"X-Request-Id": "<script>"}
    other = await rest.get("/v1/users/me", headers=rest_world.bearer() | made_up)
    assert other.headers["x-request-id"] == rest_world.identity.request_ids[1] != "<script>"


async def test_large_answers_are_compressed_for_those_who_ask(rest: httpx.AsyncClient) -> None:
    small = await rest.get("/healthz")
    large = await rest.get("/v1/instruments")
    plain = await rest.get("/v1/instruments", headers={"Accept-Encoding": "identity"})
    assert large.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in {*plain.headers, *small.headers}
    assert large.json() == plain.json()
    assert large.headers["cache-control"] == "no-store"


async def test_the_edge_is_ready_when_its_services_are(rest: httpx.AsyncClient) -> None:
    ready = await rest.get("/readyz")
    while ready.status_code != 200:  # the whole test has a time limit
        ready = await rest.get("/readyz")
    assert ready.json()["status"] == "ready"
    assert set(ready.json()["services"]) == {"identity", "quotes", "trading", "settlement"}
    metrics = (await rest.get("/metrics")).text
    assert "veritick_edge_request_seconds" in metrics


async def test_the_service_learns_where_the_person_is(
    rest: httpx.AsyncClient, rest_world: World
) -> None:
    claimed = {"User-Agent": "Firefox/200", "X-Forwarded-For": "198.51.100.7"}
    claimed |= {"X-Origin-Address": "198.51.100.7"}
    await rest.get("/v1/users/me", headers=rest_world.bearer() | claimed)
    assert rest_world.identity.origins == [Origin("127.0.0.1", "Firefox/200")]


async def test_a_proxy_of_ours_is_believed_about_where_the_person_is(rest_world: World) -> None:
    settings = rest_world.settings(trusted_proxies=("127.0.0.0/8",))
    told = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
    async with running_edge(settings) as rest:
        await rest.get("/v1/users/me", headers=rest_world.bearer() | told)
    assert [origin.address for origin in rest_world.identity.origins] == ["198.51.100.7"]
