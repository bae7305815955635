"""Every id of somebody's, asked for by somebody else: as if there were no such thing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest

from edge.contract import bindings
from edge.rest.routes import Route, Routes
from tests.platform import BUSY
from tests.security.actors import signed_in
from tests.waiting import PATIENCE_SECONDS, until

pytestmark = [pytest.mark.platform, pytest.mark.security]

ELSEWHERE = {"DELETE /v1/passkeys/{passkey_id}"}
"""Tried in tests/service/test_identity_passkeys.py, which has an authenticator."""

STAKE = {"currencyCode": "USD", "minorUnits": "100"}
ORDER = {"instrument": "BTCUSD", "direction": "UP", "stake": STAKE, "durationSeconds": 3600}
PROPOSAL = {
    "instrument": "BTCUSD",
    "direction": "UP",
    "stake.currencyCode": "USD",
    "stake.minorUnits": "100",
    "durationSeconds": "3600",
}
FILE = {"content-type": "application/octet-stream"}


def name_of(route: Route) -> str:
    return f"{route.binding.verb} {route.binding.template}"


def routes_of_ones_own() -> Iterator[Route]:
    """Yield the routes that name something of the caller's."""
    for route in Routes(bindings()).all:
        of_users = route.rpc.access.WhichOneof("people") == "user"
        if of_users and route.template.fields and name_of(route) not in ELSEWHERE:
            yield route


ROUTES = sorted(routes_of_ones_own(), key=name_of)


@dataclass
class Person:
    """Somebody signed in, and what is his."""

    http: httpx.Client
    session: dict[str, Any]
    ids: dict[str, str] = field(default_factory=dict)
    """By the names that fields of requests have."""

    def get(self, path: str) -> Any:
        answer = self.http.get(path)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, json: dict[str, Any]) -> Any:
        answer = self.http.post(path, json=json)
        answer.raise_for_status()
        return answer.json()

    def state(self) -> list[Any]:
        """Return all that an attacker could have changed, or added to."""
        account = self.ids["account_id"]
        return [
            self.get(path)
            for path in (
                "/v1/accounts",
                f"/v1/accounts/{account}/entries",
                f"/v1/accounts/{account}/orders/{self.ids['order_id']}",
                f"/v1/kycDocuments/{self.ids['document_id']}",
                "/v1/apiKeys",
            )
        ]


def bought(person: Person, account: str) -> dict[str, Any]:
    """Buy, as soon as the market lets one."""
    order = {**ORDER, "requestId": str(uuid4())}
    answers: list[httpx.Response] = []

    def accepted() -> bool:
        answers.append(person.http.post(f"/v1/accounts/{account}/orders", json=order))
        return answers[-1].is_success

    until(accepted)
    placed: dict[str, Any] = answers[-1].json()
    return placed


@pytest.fixture(scope="module")
def victim(edge: str) -> Iterator[Person]:
    """Somebody with one of everything."""
    with signed_in(edge) as (http, session):
        person = Person(http, session)
        account = person.get("/v1/accounts")["accounts"][0]["accountId"]
        order = bought(person, account)
        document = person.post("/v1/kycDocuments", {"kind": "IDENTITY", "size": 100})
        key = person.post("/v1/apiKeys", {"name": "bot", "scopes": ["READ"]})["key"]
        person.ids = {
            "account_id": account,
            "order_id": order["orderId"],
            "document_id": document["documentId"],
            "key_id": key["keyId"],
            "session_id": next(
                found["sessionId"] for found in person.get("/v1/sessions")["sessions"]
            ),
        }
        yield person


@pytest.fixture(scope="module")
def attacker(edge: str) -> Iterator[Person]:
    """Somebody else."""
    with signed_in(edge) as (http, session):
        yield Person(http, session)


def asked(attacker: Person, route: Route, ids: dict[str, str]) -> tuple[int, str]:
    """Ask for something as the attacker; return status and reason."""
    path = route.binding.template
    for name in route.template.fields:
        path = path.replace(f"{{{name}}}", ids[name])
    extras: dict[str, Any] = {}
    if route.takes_file:
        extras = {"content": b"part", "headers": FILE}
    elif route.has_body:
        order = ORDER if path.endswith("/orders") else {}
        wants_id = "request_id" in route.request.fields_by_name
        extras = {"json": {**order, **({"requestId": str(uuid4())} if wants_id else {})}}
    elif path.endswith("/proposal"):
        extras = {"params": PROPOSAL}
    answers: list[tuple[int, str]] = []

    def judged() -> bool:
        answer = attacker.http.request(route.binding.verb, path, **extras)
        answers.append((answer.status_code, answer.json().get("reason", "")))
        return answers[-1][1] not in BUSY

    until(judged)
    return answers[-1]


def test_there_is_something_to_ask_for() -> None:
    assert len(ROUTES) > 12


def test_what_is_somebodys_does_not_exist_for_others(victim: Person, attacker: Person) -> None:
    before = victim.state()
    for route in ROUTES:
        nobodys = {name: made_up(value) for name, value in victim.ids.items()}
        of_the_victim = asked(attacker, route, victim.ids)
        assert of_the_victim == asked(attacker, route, nobodys), name_of(route)
        assert of_the_victim[0] == 404, (name_of(route), of_the_victim)
        assert of_the_victim[1].endswith("_NOT_FOUND"), (name_of(route), of_the_victim)
    assert victim.state() == before


def test_nor_as_an_item_of_many(victim: Person, attacker: Person) -> None:
    before = victim.state()
    account = victim.ids["account_id"]
    orders = [
        {**ORDER, "accountId": of, "requestId": str(uuid4())} for of in (account, made_up(account))
    ]
    refusals: list[str] = []

    def judged() -> bool:
        answer = attacker.post("/v1/orders:batch", {"orders": orders})
        refusals[:] = [result["refused"]["reason"] for result in answer["results"]]
        return BUSY.isdisjoint(refusals)

    until(judged)
    assert refusals == ["ACCOUNT_NOT_FOUND", "ACCOUNT_NOT_FOUND"]
    assert victim.state() == before


def test_nor_with_a_key_that_claims_the_account(victim: Person, attacker: Person) -> None:
    account = victim.ids["account_id"]
    wanted = {"name": "thief", "scopes": ["READ", "TRADE"], "accountIds": [account]}
    bearer = {"authorization": f"Bearer {attacker.post('/v1/apiKeys', wanted)['secret']}"}
    for path in (f"/v1/accounts/{account}", f"/v1/accounts/{account}/orders"):
        answer = httpx.get(
            f"{attacker.http.base_url}{path}", headers=bearer, timeout=PATIENCE_SECONDS
        )
        assert (answer.status_code, answer.json()["reason"]) == (404, "ACCOUNT_NOT_FOUND")


def made_up(identifier: str) -> str:
    """Return an id of the same form that nobody has."""
    book, separator, _ = identifier.rpartition("_")
    return f"{book}{separator}{uuid4()}"
