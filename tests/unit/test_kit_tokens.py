"""Tokens: who signed them is who may be believed about what, and for how long."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.exceptions import InvalidSignature

from services.kit.clock import utc
from services.kit.errors import Failure
from services.kit.principal import Principal
from services.kit.reason import Reason
from services.kit.tokens import SERVICE_TOKEN_LIFETIME, USER_AUDIENCE, Keyring
from services.local.keys import ensure_keys

pytestmark = pytest.mark.security

NOON = utc(2026, 11, 23, 12)
MINUTE = timedelta(minutes=1)
USER = "01a209d1-efa8-70a2-9430-cb29a9d3bcb3"
CLAIMS = {"sub": USER, "aud": USER_AUDIENCE, "sid": "session", "perm": ["terms.write"]}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    ensure_keys(folder)
    return folder


@pytest.fixture
def identity(keys: Path) -> Keyring:
    return Keyring.load(keys, "identity")


@pytest.fixture
def trading(keys: Path) -> Keyring:
    return Keyring.load(keys, "trading")


def refused(
    keyring: Keyring, token: str, audience: str = "trading", after: timedelta = MINUTE
) -> Reason:
    with pytest.raises(Failure) as refusal:
        keyring.verify(token, audience, NOON + after)
    return refusal.value.reason


def test_identity_speaks_for_users(identity: Keyring, trading: Keyring) -> None:
    token = identity.sign(CLAIMS, 15 * MINUTE, NOON)
    principal = trading.verify(token, "trading", NOON)
    assert principal == Principal(
        "user", USER, frozenset({"terms.write"}), "session", issued_at=NOON
    )
    assert principal.user_id == UUID(USER)


def test_a_service_speaks_for_itself_to_one_other(identity: Keyring, trading: Keyring) -> None:
    token = identity.service_token("trading", NOON)
    assert trading.verify(token, "trading", NOON) == Principal("service", "identity")
    assert refused(trading, token, "quotes") is Reason.UNAUTHENTICATED


@pytest.mark.parametrize("issuer", ["trading", "quotes", "edge", "operator", "settlement"])
def test_nobody_but_identity_speaks_for_users(keys: Path, trading: Keyring, issuer: str) -> None:
    for claims in (CLAIMS, CLAIMS | {"aud": "trading"}, CLAIMS | {"aud": ["veritick", "trading"]}):
        token = Keyring.load(keys, issuer).sign(claims, MINUTE, NOON)
        assert refused(trading, token) is Reason.UNAUTHENTICATED


def altered(keys: Path, issuer: str = "identity", kid: str | None = None, **claims: Any) -> str:
    """Return a token signed by one who claims to be another, or with claims missing (None)."""
    key = Keyring.load(keys, issuer)
    full: dict[str, Any] = CLAIMS | {"iss": issuer, "iat": NOON, "exp": NOON + MINUTE} | claims
    present = {name: value for name, value in full.items() if value is not None}
    private = key._private
    assert private
    return jwt.encode(present, private, algorithm="EdDSA", headers={"kid": kid or issuer})


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "quotes", "iss": "identity"},
        {"issuer": "quotes", "kid": "identity", "iss": "identity"},
        {"issuer": "quotes", "kid": "identity"},
        {"kid": "stranger"},
        {"kid": "../private/identity"},
        {"sub": None},
        {"aud": None},
        {"iat": None},
        {"exp": None},
        {"iss": None},
        {"exp": "soon"},
        {"exp": 2**62},
        {"iat": 2**62},
        {"ver": "2"},
        {"auth_time": "now"},
        {"aud": "stream"},
    ],
    ids=str,
)
def test_a_token_that_is_not_whole_and_true_is_refused(
    keys: Path, trading: Keyring, change: dict[str, Any]
) -> None:
    assert refused(trading, altered(keys, **change)) is Reason.UNAUTHENTICATED


def test_an_unaltered_one_is_believed(keys: Path, trading: Keyring) -> None:
    assert trading.verify(altered(keys), "trading", NOON).id == USER


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_no_other_algorithm_is_believed(keys: Path, trading: Keyring, algorithm: str) -> None:
    # With HS256 the public key, which everybody has, would be the secret.
    public = (keys / "public" / "identity.pem").read_bytes().replace(b"-----", b"")
    claims = CLAIMS | {"iss": "identity", "iat": NOON, "exp": NOON + MINUTE}
    secret = "" if algorithm == "none" else public
    token = jwt.encode(claims, secret, algorithm=algorithm, headers={"kid": "identity"})
    assert refused(trading, token) is Reason.UNAUTHENTICATED


@pytest.mark.parametrize("token", ["", ".", "a.b.c", "é.é.é", "e30.e30.", "{}", "x" * 10_000])
def test_garbage_is_refused(trading: Keyring, token: str) -> None:
    assert refused(trading, token) is Reason.UNAUTHENTICATED


@pytest.mark.parametrize("seen_before", [False, True])
@pytest.mark.parametrize(
    ("after", "reason"),
    [(timedelta(seconds=62), None), (timedelta(seconds=62, microseconds=1), Reason.TOKEN_EXPIRED)],
)
def test_a_token_is_good_until_two_seconds_after_its_end(
    identity: Keyring,
    trading: Keyring,
    after: timedelta,
    reason: Reason | None,
    seen_before: bool,
) -> None:
    token = identity.sign(CLAIMS, MINUTE, NOON)
    if seen_before:
        trading.verify(token, "trading", NOON)
    if reason is None:
        assert trading.verify(token, "trading", NOON + after).id == USER
    else:
        assert refused(trading, token, after=after) is reason


def test_a_token_from_the_future_is_refused(identity: Keyring, trading: Keyring) -> None:
    token = identity.sign(CLAIMS, MINUTE, NOON + 2 * MINUTE)
    assert refused(trading, token, after=timedelta(0)) is Reason.UNAUTHENTICATED


def test_a_service_token_is_used_again_until_it_grows_old(identity: Keyring) -> None:
    first = identity.service_token("trading", NOON)
    soon = NOON + SERVICE_TOKEN_LIFETIME / 2
    assert identity.service_token("trading", soon) == first
    assert identity.service_token("quotes", soon) != first
    late = NOON + SERVICE_TOKEN_LIFETIME - timedelta(seconds=19)
    assert identity.service_token("trading", late) != first


def test_a_keyring_without_a_private_key_signs_nothing(keys: Path) -> None:
    with pytest.raises(ValueError, match="no private key"):
        Keyring.load(keys, None).sign(CLAIMS, MINUTE, NOON)


def test_a_keyring_wants_the_key_it_is_told_of(keys: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Keyring.load(keys, "nobody")


def test_a_process_signs_texts_with_its_own_key(identity: Keyring, trading: Keyring) -> None:
    text = b"veritick checkpoint 1\n"
    key = trading.public_key("identity")
    assert identity.own_public_key() == key.public_bytes_raw()
    key.verify(identity.signature(text), text)
    with pytest.raises(InvalidSignature):
        key.verify(trading.signature(text), text)


def test_who_has_no_key_signs_nothing(keys: Path) -> None:
    with pytest.raises(ValueError, match="no private key"):
        Keyring.load(keys, None).signature(b"text")
