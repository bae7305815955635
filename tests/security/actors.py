"""Who may try to call: strangers, people in every role, and services; and what the rules allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg

from services.identity.permission import PERMISSIONS
from services.kit.clock import SystemClock
from services.kit.origin import ADDRESS_KEY, PROOF_KEY
from services.kit.tokens import USER_AUDIENCE, Keyring
from services.local.databases import Passwords
from services.local.home import Home
from tests.platform import Platform
from veritick.option.v1.access_pb2 import Access

STRANGER = "stranger"
BY_ROLE = {str(role): permissions for role, permissions in PERMISSIONS.items()}
ROLES = tuple(BY_ROLE)
SERVICES = ("operator", "edge", "quotes", "trading", "settlement")
"""Services that call others; each speaks for itself with its own key."""

EVERYBODY = (STRANGER, *ROLES, *SERVICES)
ADDRESS = "203.0.113.7"
ELSEWHERE = {"x-forwarded-for": ADDRESS}
"""Where attacks come from: what they use up of this machine's own limits others would miss."""

PASSWORD = "analytical engine"
MINUTES = timedelta(minutes=10)


@dataclass(frozen=True)
class Actors:
    """Makes the tokens of everybody, with the keys of a platform."""

    keys: Path
    users: Mapping[str, str]
    """A registered user for each role. No session of theirs is known to anybody."""

    def elsewhere(self, target: str) -> tuple[tuple[str, str], ...]:
        """Return the metadata by which the edge tells a service that a call is from there."""
        proof = Keyring.load(self.keys, "edge").service_token(target, SystemClock().now())
        return ((ADDRESS_KEY, ADDRESS), (PROOF_KEY, proof))

    def token(self, who: str, target: str) -> str | None:
        """Return the token with which somebody calls a service."""
        now = SystemClock().now()
        if who == STRANGER:
            return None
        if who in SERVICES:
            return Keyring.load(self.keys, who).service_token(target, now)
        claims = {
            "aud": USER_AUDIENCE,
            "sub": self.users[who],
            "sid": str(uuid4()),
            "perm": sorted(BY_ROLE[who]),
            "auth_time": int(now.timestamp()),
        }
        return Keyring.load(self.keys, "identity").sign(claims, MINUTES, now)


def registered(platform: Platform, edge: str) -> dict[str, str]:
    """Register somebody for each role, and return the ids of the users."""
    with httpx.Client(base_url=edge, timeout=60) as client:
        users = {role: _register(client)["userId"] for role in ROLES}
    _employ(platform, users.values())
    return users


def _employ(platform: Platform, users: Iterable[str]) -> None:
    """Let them work here: whoever may call everything also asks to be erased, and staff are not."""
    home = Home(platform.home)
    password = Passwords(home.passwords).of("identity_owner")
    with psycopg.connect(
        host=str(home.sockets), dbname="identity", user="identity_owner", password=password
    ) as connection:
        connection.execute(
            "UPDATE users SET roles = '{support}' WHERE user_id = ANY (%s::uuid[])", [list(users)]
        )


@contextmanager
def signed_in(edge: str) -> Iterator[tuple[httpx.Client, dict[str, Any]]]:
    """Register somebody and sign him in; lend a client with his token, and the session."""
    with httpx.Client(base_url=edge, timeout=60) as client:
        credentials = {"email": _register(client)["email"], "password": PASSWORD}
        session = client.post("/v1/sessions", json=credentials).raise_for_status().json()
        client.headers["authorization"] = f"Bearer {session['accessToken']}"
        yield client, session


def _register(client: httpx.Client) -> dict[str, Any]:
    credentials = {"email": f"somebody-{uuid4()}@example.com", "password": PASSWORD}
    user: dict[str, Any] = client.post("/v1/users", json=credentials).raise_for_status().json()
    return user


def refusal_of(rule: Access, who: str) -> str | None:
    """Return with which reason the contract turns somebody away; None when it lets him in."""
    people = rule.WhichOneof("people")
    if people == "public" or who in rule.services:
        return None
    if who == STRANGER:
        return "PERMISSION_DENIED" if people is None else "UNAUTHENTICATED"
    if who in ROLES and people == "user":
        return None
    if who in ROLES and rule.permission in BY_ROLE[who]:
        return None
    return "PERMISSION_DENIED"
