"""What identity signs, and what it refuses to believe."""

import base64
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.kit.reason import Reason
from services.kit.tokens import Keyring
from services.kit.wire import to_datetime
from tests.service.identity_server import Identity, StartIdentity, bearer, refused
from veritick.identity.v1.auth_service_pb2 import (
    CreateStreamTicketRequest,
    CreateStreamTicketResponse,
    ListSigningKeysRequest,
    LogOutRequest,
    SigningKey,
)
from veritick.identity.v1.profile_service_pb2 import GetProfileRequest
from veritick.identity.v1.user_pb2 import Session

pytest_plugins = ["tests.service.identity_fixtures"]
pytestmark = pytest.mark.security

QUARTER = timedelta(minutes=15)


def _claims(identity: Identity, session: Session, **changes: object) -> dict[str, Any]:
    return {
        "iss": "identity",
        "aud": "veritick",
        "sub": session.user_id,
        "sid": session.session_id,
        "perm": [],
        "iat": identity.clock.now(),
        "exp": identity.clock.now() + QUARTER,
        **changes,
    }


def _unsigned(claims: Mapping[str, Any], header: Mapping[str, str]) -> str:
    """Return a token without a signature, as a forger who trusts in `alg: none` would."""
    times = {key: int(claims[key].timestamp()) for key in ("iat", "exp")}
    parts = (json.dumps(dict(header)), json.dumps({**claims, **times}))
    encoded = [base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts]
    return ".".join((*encoded, ""))


async def test_the_published_key_verifies_an_access_token(identity: Identity) -> None:
    session = await identity.signed_in()
    (key,) = (await identity.auth.ListSigningKeys(ListSigningKeysRequest())).keys
    assert (key.kty, key.crv, key.alg, key.use) == ("OKP", "Ed25519", "EdDSA", "sig")
    assert jwt.get_unverified_header(session.access_token)["kid"] == key.kid
    claims = _verified(session.access_token, key, "veritick")
    assert claims["sub"] == session.user_id
    assert claims["sid"] == session.session_id
    assert claims["perm"] == []
    assert claims["exp"] - claims["iat"] == QUARTER.total_seconds()


async def test_a_stream_ticket_names_the_caller_lives_30_seconds_and_is_unlike_any_other(
    start_identity: StartIdentity,
) -> None:
    async with start_identity(stream_url="wss://example.com/v1/stream") as identity:
        session = await identity.signed_in()
        one, other = [await _ticket(identity, session) for _ in range(2)]
        (key,) = (await identity.auth.ListSigningKeys(ListSigningKeysRequest())).keys
        claims = _verified(one.ticket, key, "stream")
        assert (claims["sub"], claims["sid"]) == (session.user_id, session.session_id)
        assert claims["exp"] - claims["iat"] == 30
        assert to_datetime(one.expire_time) == identity.clock.now() + timedelta(seconds=30)
        assert one.url == "wss://example.com/v1/stream"
        assert UUID(claims["jti"]) != UUID(_verified(other.ticket, key, "stream")["jti"])


async def test_a_stream_ticket_is_no_access_token(identity: Identity) -> None:
    ticket = await _ticket(identity, await identity.signed_in())
    with refused(Reason.UNAUTHENTICATED):
        await identity.get_profile(ticket.ticket)


async def test_an_ended_session_gets_no_ticket(identity: Identity) -> None:
    session = await identity.signed_in()
    await identity.auth.LogOut(LogOutRequest(), metadata=bearer(session.access_token))
    with refused(Reason.SESSION_ENDED):
        await _ticket(identity, session)


async def test_an_access_token_expires(identity: Identity) -> None:
    session = await identity.signed_in()
    identity.clock.advance(QUARTER)
    await identity.get_profile(session.access_token)  # clocks may differ by two seconds
    identity.clock.advance(timedelta(seconds=3))
    with refused(Reason.TOKEN_EXPIRED):
        await identity.get_profile(session.access_token)


async def test_who_brings_no_token_is_not_signed_in(identity: Identity) -> None:
    with refused(Reason.UNAUTHENTICATED):
        await identity.profile.GetProfile(GetProfileRequest())
    with refused(Reason.UNAUTHENTICATED):
        await identity.auth.LogOut(LogOutRequest())


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer a.b.c",
        "Basic YW5hOnBhc3M=",
        "Bearer " + "A" * 4000,
    ],
)
async def test_what_is_no_bearer_token_is_refused(identity: Identity, header: str) -> None:
    with refused(Reason.UNAUTHENTICATED):
        await identity.profile.GetProfile(
            GetProfileRequest(), metadata=(("authorization", header),)
        )


async def test_forged_tokens_are_refused(identity: Identity) -> None:
    session = await identity.signed_in()
    claims = _claims(identity, session)
    stranger = Ed25519PrivateKey.generate()
    public = identity.keyring.public_key("identity").public_bytes_raw()
    head, body, signature = session.access_token.split(".")
    promoted = _unsigned({**claims, "perm": ["ledger.read"]}, {"alg": "EdDSA", "kid": "identity"})
    forgeries = {
        "another key": _signed(claims, stranger, "identity"),
        "a key that nobody knows": _signed(claims, stranger, "stranger"),
        "no kid": jwt.encode(claims, stranger, algorithm="EdDSA"),
        "alg none": _unsigned(claims, {"alg": "none", "kid": "identity"}),
        "alg none in capitals": _unsigned(claims, {"alg": "NONE", "kid": "identity"}),
        "the public key as an HMAC secret": jwt.encode(
            claims, public, algorithm="HS256", headers={"kid": "identity"}
        ),
        "the signature cut off": f"{head}.{body}.",
        "another signature": f"{head}.{body}.{signature[::-1]}",
        "another body under a true signature": ".".join((*promoted.split(".")[:2], signature)),
    }
    for forgery, token in forgeries.items():
        with refused(Reason.UNAUTHENTICATED):
            await identity.get_profile(token)
        assert forgery
    await identity.get_profile(session.access_token)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "trading"},
        {"aud": "identity"},
        {"aud": "stream"},
        {"iss": "edge"},
        {"iss": "nobody"},
        {"iat": None},
        {"exp": None},
        {"sub": None},
        {"aud": None},
        {"sid": None},
    ],
)
async def test_a_signed_token_with_other_claims_is_refused(
    identity: Identity, identity_keys: Any, changes: dict[str, Any]
) -> None:
    session = await identity.signed_in()
    claims = {**_claims(identity, session), **changes}
    full = {name: value for name, value in claims.items() if value is not None}
    with refused(Reason.UNAUTHENTICATED):
        await identity.get_profile(_signed(full, _private_key(identity_keys, "identity")))


async def test_no_other_service_can_speak_for_a_user(
    identity: Identity, identity_keys: Any
) -> None:
    session = await identity.signed_in()
    edge = Keyring.load(identity_keys, "edge")
    claims = {"aud": "veritick", "sub": session.user_id, "sid": session.session_id, "perm": []}
    with refused(Reason.UNAUTHENTICATED):
        await identity.get_profile(edge.sign(claims, QUARTER, identity.clock.now()))


async def test_a_service_is_no_user(identity: Identity, identity_keys: Any) -> None:
    edge = Keyring.load(identity_keys, "edge")
    with refused(Reason.PERMISSION_DENIED):
        await identity.get_profile(edge.service_token("identity", identity.clock.now()))


def _signed(claims: Mapping[str, Any], key: Ed25519PrivateKey, kid: str = "identity") -> str:
    return jwt.encode(dict(claims), key, algorithm="EdDSA", headers={"kid": kid})


def _private_key(folder: Any, name: str) -> Ed25519PrivateKey:
    key = jwt.algorithms.OKPAlgorithm().prepare_key(
        (folder / "private" / f"{name}.pem").read_text()
    )
    assert isinstance(key, Ed25519PrivateKey)
    return key


def _verified(token: str, key: SigningKey, audience: str) -> dict[str, Any]:
    raw = base64.urlsafe_b64decode(key.x + "=" * (-len(key.x) % 4))
    public = Ed25519PublicKey.from_public_bytes(raw)
    claims: dict[str, Any] = jwt.decode(
        token,
        public,
        algorithms=["EdDSA"],
        audience=audience,
        issuer="identity",
        options={"verify_exp": False, "verify_iat": False},
    )
    return claims


async def _ticket(identity: Identity, session: Session) -> CreateStreamTicketResponse:
    return await identity.auth.CreateStreamTicket(
        CreateStreamTicketRequest(), metadata=bearer(session.access_token)
    )
