"""Secrets that people bring, and what the platform makes for them, are in no log."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from websockets.asyncio.client import connect

from services.kit.clock import SystemClock
from services.kit.tokens import USER_AUDIENCE, Keyring
from tests.platform import Platform
from tests.security.actors import MINUTES
from tests.waiting import until

pytestmark = [pytest.mark.platform, pytest.mark.security]

RESET_SUBJECT = "Choose a new password"


class Visitor:
    """Somebody whose every secret is remembered."""

    def __init__(self, http: httpx.Client, keyring: Keyring) -> None:
        self._http = http
        self._keyring = keyring
        self.email = f"planted-{uuid4()}@example.com"
        self.known: list[str] = [self.email]
        self.password = self.planted()

    def planted(self) -> str:
        """Return a secret that is found wherever it is written."""
        secret = f"planted-{secrets.token_hex(12)}"
        self.known.append(secret)
        return secret

    def post(self, path: str, body: dict[str, Any], **headers: str) -> Any:
        return self._http.post(path, json=body, headers=headers).json()

    def sign_up_and_in(self) -> dict[str, str]:
        """Register, fail to sign in, and sign in; return the header that says so."""
        credentials = {"email": self.email, "password": self.password}
        self.post("/v1/users", credentials)
        self.post("/v1/sessions", credentials | {"password": self.planted()})
        session = self.post("/v1/sessions", credentials)
        session = self.post("/v1/sessions:refresh", {"refreshToken": session["refreshToken"]})
        self.known += [session["accessToken"], session["refreshToken"]]
        return {"authorization": f"Bearer {session['accessToken']}"}

    def use_everything(self, bearer: dict[str, str]) -> str:
        """Make and show every other kind of secret; return a ticket for the socket."""
        key = self.post("/v1/apiKeys", {"name": "bot", "scopes": ["READ"]}, **bearer)
        self._http.get("/v1/accounts", headers={"authorization": f"Bearer {key['secret']}"})
        factor = self.post("/v1/users/me/totp", {}, **bearer)
        self.post("/v1/users/me/totp:confirm", {"code": "000000"}, **bearer)
        changed = {"currentPassword": self.password, "newPassword": self.planted()}
        self.post("/v1/users/me:changePassword", changed, **bearer)
        ticket = self.post("/v1/streamTickets", {}, **bearer)
        self.known += [key["secret"], factor["secret"], ticket["ticket"]]
        return str(ticket["ticket"])

    def reset_the_password(self) -> None:
        """Ask for a letter, and use the link in it."""
        self.post("/v1/users:requestPasswordReset", {"email": self.email})
        found: list[str] = []

        def delivered() -> bool:
            found[:] = list(self._tokens_in_letters())
            return bool(found)

        until(delivered)
        self.known += found
        self.post("/v1/users:resetPassword", {"token": found[0], "newPassword": self.planted()})

    def _tokens_in_letters(self) -> Iterator[str]:
        claims = {"aud": USER_AUDIENCE, "sub": str(uuid4()), "sid": "-", "perm": ["mails.read"]}
        staff = self._keyring.sign(claims, MINUTES, SystemClock().now())
        query = {"filter": f"recipient={self.email}"}
        headers = {"authorization": f"Bearer {staff}"}
        answer = self._http.get("/v1/mails", params=query, headers=headers)
        for mail in answer.raise_for_status().json()["mails"]:
            if "reset" in mail["body"]:
                yield mail["body"].partition("#token=")[2].split()[0]

    def misplace(self) -> None:
        """Bring secrets where none belong: in paths, queries, headers and broken bodies."""
        self._http.get(f"/v1/orders/{self.planted()}/receipt")
        self._http.get("/v1/instruments", params={"access_token": self.planted()})
        self._http.get("/v1/users/me", headers={"authorization": f"Basic {self.planted()}"})
        self._http.get("/v1/users/me", headers={"cookie": f"veritick_access={self.planted()}"})
        self._http.post("/v1/sessions", content=f'{{"password": "{self.planted()}"')
        self.post("/v1/sessions", {"email": self.planted(), "password": self.planted()})
        self.post("/v1/sessions", {"pasword": self.planted()})


async def open_sockets(url: str, *tickets: str) -> None:
    """Show these to the socket, where one of them opens it."""
    async with connect(url) as socket:
        for ticket in tickets:
            await socket.send(json.dumps({"op": "authenticate", "ticket": ticket}))
            await socket.recv()


def test_no_secret_is_in_any_log(platform: Platform) -> None:
    keyring = Keyring.load(platform.home / "keys", "identity")
    with httpx.Client(base_url=platform.url, timeout=60) as http:
        visitor = Visitor(http, keyring)
        ticket = visitor.use_everything(visitor.sign_up_and_in())
        visitor.reset_the_password()
        visitor.misplace()
    stream = f"ws://{platform.ports.address('stream')}/v1/stream"
    asyncio.run(open_sockets(stream, visitor.planted(), ticket, ticket))
    assert len(visitor.known) > 15
    logs = {path.name: path.read_text(errors="replace") for path in platform.logs.glob("*.log")}
    assert len(logs) > 6
    told = [
        (name, secret) for name, text in logs.items() for secret in visitor.known if secret in text
    ]
    assert told == []
