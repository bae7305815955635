"""Forged tokens, from `vectors/tokens.json`, shown to servers as they run.

A vector says how its token differs from an honest one: in its `header`, in its `claims` (times are
seconds from now; null leaves one out), by whose `key` it is signed and with which `algorithm`, or
how it was `mangle`d afterwards.
"""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from services.kit.channels import failure_of
from tests.platform import Platform
from tests.security.actors import Actors
from veritick.identity.v1.profile_service_pb2 import GetProfileRequest
from veritick.identity.v1.profile_service_pb2_grpc import ProfileServiceStub
from veritick.trading.v1.account_service_pb2 import ListAccountsRequest
from veritick.trading.v1.account_service_pb2_grpc import AccountServiceStub

pytestmark = [pytest.mark.platform, pytest.mark.security]

VECTORS = json.loads((Path(__file__).parent / "vectors" / "tokens.json").read_text())
TIMES = ("iat", "exp", "nbf")
SOON = 100_000
"""Times in a vector are from now, unless they are beyond this."""


def private_key(keys: Path, name: str) -> Ed25519PrivateKey:
    if name == "stranger":
        return Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    key = load_pem_private_key((keys / "private" / f"{name}.pem").read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def forged(vector: dict[str, Any], keys: Path, user: str) -> str:
    """Return the token of a vector."""
    claims: dict[str, Any] = {
        "iss": "identity",
        "aud": "veritick",
        "sub": user,
        "sid": str(uuid4()),
        "perm": [],
        "iat": 0,
        "exp": 600,
        **vector.get("claims", {}),
    }
    for name in TIMES:
        if isinstance(claims.get(name), int) and abs(claims[name]) < SOON:
            claims[name] += int(time.time())
    header = {"alg": "EdDSA", "typ": "JWT", "kid": "identity", **vector.get("header", {})}
    key = private_key(keys, vector.get("key", "identity"))
    if header.get("jwk") == "own":
        header["jwk"] = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key()))
    token = signed(_present(header), _present(claims), key, vector.get("algorithm", "EdDSA"), keys)
    return mangled(token, vector.get("mangle"))


def signed(
    header: dict[str, Any], claims: dict[str, Any], key: Ed25519PrivateKey, how: str, keys: Path
) -> str:
    """Sign by hand, as a library would refuse to."""
    if how == "EdDSA":
        text = f"{_encoded(header)}.{_encoded(claims)}"
        return f"{text}.{_base64(key.sign(text.encode()))}"
    text = f"{_encoded({**header, 'alg': how})}.{_encoded(claims)}"
    if how == "HS256":
        public = (keys / "public" / "identity.pem").read_bytes()
        return f"{text}.{_base64(hmac.digest(public, text.encode(), 'sha256'))}"
    return f"{text}."


def mangled(token: str, how: str | None) -> str:
    head, body, signature = token.split(".")
    promoted = json.loads(base64.urlsafe_b64decode(body + "==")) | {"perm": ["roles.grant"]}
    turned = bytearray(base64.urlsafe_b64decode(signature + "=="))
    if turned:
        turned[0] ^= 1
    return {
        None: token,
        "without signature": f"{head}.{body}.",
        "signature cut": f"{head}.{body}.{signature[:-10]}",
        "signature turned": f"{head}.{body}.{_base64(bytes(turned))}",
        "payload swapped": f"{head}.{_encoded(promoted)}.{signature}",
        "doubled": f"{token}.{token}",
        "a word": "veritick",
    }[how]


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _encoded(fields: dict[str, Any]) -> str:
    return _base64(json.dumps(fields).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Doors:
    """Where a token may be shown, and what is said to it."""

    def __init__(
        self, http: httpx.AsyncClient, identity: grpc.aio.Channel, trading: grpc.aio.Channel
    ) -> None:
        self._http = http
        self._profile: Any = ProfileServiceStub(identity)
        self._accounts: Any = AccountServiceStub(trading)

    async def say(self, token: str) -> dict[str, str | None]:
        """Return the reason of each refusal; None where the token was believed.

        That its session is unknown is found out only by who believes it.
        """
        bearer = {"authorization": f"Bearer {token}"}
        cookie = {"cookie": f"__Host-veritick_access={token}"}
        metadata = (("authorization", f"Bearer {token}"),)
        return {
            "a header": _of_http(await self._http.get("/v1/accounts", headers=bearer)),
            "a cookie": _of_http(await self._http.get("/v1/accounts", headers=cookie)),
            "identity": await _of_grpc(
                self._profile.GetProfile(GetProfileRequest(), metadata=metadata)
            ),
            "trading": await _of_grpc(
                self._accounts.ListAccounts(ListAccountsRequest(), metadata=metadata)
            ),
        }


@pytest.fixture
async def doors(platform: Platform, edge: str) -> AsyncIterator[Doors]:
    """Everywhere a token may be shown."""
    ports = platform.ports
    async with (
        httpx.AsyncClient(base_url=edge, timeout=60) as http,
        grpc.aio.insecure_channel(ports.address("identity")) as identity,
        grpc.aio.insecure_channel(ports.address("trading")) as trading,
    ):
        yield Doors(http, identity, trading)


def _of_http(answer: httpx.Response) -> str | None:
    return str(answer.json()["reason"]) if answer.is_error else None


async def _of_grpc(call: Any) -> str | None:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        reason = failure_of(error).reason.value
        return None if reason == "SESSION_ENDED" else reason
    return None


def test_there_are_vectors_enough() -> None:
    assert len({vector["name"] for vector in VECTORS}) == len(VECTORS) > 20


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
async def test_a_token_is_believed_only_as_identity_made_it(
    doors: Doors, actors: Actors, vector: dict[str, Any]
) -> None:
    token = forged(vector, actors.keys, actors.users["trader"])
    assert await doors.say(token) == dict.fromkeys(
        ("a header", "a cookie", "identity", "trading"), vector["reason"]
    )
