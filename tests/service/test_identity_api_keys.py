"""API keys: shown once, confined to what they are for, ended at once."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.kit.access import check_access, confine
from services.kit.errors import Failure
from services.kit.principal import KeyUse, Principal
from services.kit.reason import Reason
from services.kit.wire import to_timestamp
from tests.service.identity_server import Identity, bearer, refused
from veritick.identity.v1.api_key_service_pb2 import (
    CreateApiKeyRequest,
    CreateApiKeyResponse,
    ExchangeApiKeyRequest,
    ExchangeApiKeyResponse,
    ListApiKeysRequest,
    RevokeApiKeyRequest,
)
from veritick.identity.v1.api_key_service_pb2_grpc import ApiKeyServiceStub
from veritick.identity.v1.auth_service_pb2 import CreateStreamTicketRequest, ListSessionsRequest
from veritick.identity.v1.user_pb2 import Session
from veritick.option.v1.access_pb2 import Access
from veritick.trading.v1.account_service_pb2 import GetAccountRequest, ListAccountsRequest
from veritick.trading.v1.order_service_pb2 import PlaceOrderRequest, PlaceOrdersRequest

if TYPE_CHECKING:
    from veritick.identity.v1.api_key_service_pb2_grpc import ApiKeyServiceAsyncStub

pytest_plugins = ["tests.service.identity_fixtures"]
pytestmark = pytest.mark.security

MINUTE = timedelta(minutes=1)
MINE, OTHER = f"demo_{uuid4()}", f"demo_{uuid4()}"


@dataclass
class Keys:
    """A user and his keys."""

    identity: Identity
    session: Session
    stub: "ApiKeyServiceAsyncStub"

    async def make(self, *scopes: Access.Scope.ValueType, **wanted: Any) -> CreateApiKeyResponse:
        """Make a key, by default one that reads."""
        request = CreateApiKeyRequest(name="bot", scopes=scopes or [Access.READ], **wanted)
        return await self.stub.CreateApiKey(request, metadata=bearer(self.session.access_token))

    async def exchange(self, **proof: str) -> ExchangeApiKeyResponse:
        """Exchange a key, or an assertion."""
        return await self.stub.ExchangeApiKey(ExchangeApiKeyRequest(**proof))


@pytest.fixture
async def keys(identity: Identity) -> AsyncIterator[Keys]:
    async with identity.anybody() as channel:
        yield Keys(identity, await identity.signed_in(), ApiKeyServiceStub(channel))


def claims_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


async def test_a_key_is_exchanged_for_a_token_that_is_confined_as_the_key_is(keys: Keys) -> None:
    made = await keys.make(
        Access.READ, Access.TRADE, account_ids=[MINE], networks=["203.0.113.9", "10.0.0.7/8"]
    )
    claims = claims_of((await keys.exchange(secret=made.secret)).access_token)
    assert claims["sub"] == keys.session.user_id
    assert claims["key"] == made.key.key_id
    assert (claims["scope"], claims["acc"]) == (["READ", "TRADE"], [MINE])
    assert claims["net"] == ["203.0.113.9/32", "10.0.0.0/8"]
    assert "perm" not in claims
    assert "sid" not in claims


async def test_a_secret_is_shown_once_and_stored_as_a_digest(
    keys: Keys, capfd: pytest.CaptureFixture[str]
) -> None:
    made = await keys.make()
    await keys.exchange(secret=made.secret)
    metadata = bearer(keys.session.access_token)
    listed = await keys.stub.ListApiKeys(ListApiKeysRequest(), metadata=metadata)
    assert list(listed.keys) == [made.key]
    stored = str(keys.identity.rows("SELECT k::text FROM api_keys k"))
    out, err = capfd.readouterr()
    assert made.secret not in stored + out + err + str(listed)
    assert made.secret.split("_", 2)[2] not in stored + out + err


@pytest.mark.parametrize(
    "written", ["vtk_", "x", "vtk_" + "0" * 32 + "_" + "A" * 43, "", "vtk_" + "g" * 80]
)
async def test_what_is_no_key_is_refused(keys: Keys, written: str) -> None:
    await keys.make()
    with refused(Reason.KEY_INVALID):
        await keys.exchange(secret=written)


async def test_a_wrong_secret_is_refused(keys: Keys) -> None:
    made, other = await keys.make(), await keys.make()
    forged = "_".join([*made.secret.split("_", 2)[:2], other.secret.split("_", 2)[2]])
    with refused(Reason.KEY_INVALID):
        await keys.exchange(secret=forged)


async def test_an_ended_key_ends_its_tokens_and_is_no_one_elses_to_end(keys: Keys) -> None:
    made = await keys.make()
    token = (await keys.exchange(secret=made.secret)).access_token
    identity = keys.identity
    await identity.auth.CreateStreamTicket(CreateStreamTicketRequest(), metadata=bearer(token))
    stranger = await identity.signed_in()
    request = RevokeApiKeyRequest(key_id=made.key.key_id)
    with refused(Reason.KEY_NOT_FOUND):
        await keys.stub.RevokeApiKey(request, metadata=bearer(stranger.access_token))
    for _ in range(2):
        await keys.stub.RevokeApiKey(request, metadata=bearer(keys.session.access_token))
    with refused(Reason.KEY_INVALID):
        await keys.exchange(secret=made.secret)
    assert [e.type for e in await identity.events("api.key.ended.v1")] == ["api.key.ended.v1"]
    revocations = identity.revocations
    with revocations.watched(made.key.key_id) as over:
        await over
    with refused(Reason.SESSION_ENDED):
        await identity.auth.CreateStreamTicket(CreateStreamTicketRequest(), metadata=bearer(token))


async def test_a_key_expires(keys: Keys) -> None:
    now = keys.identity.clock.now()
    made = await keys.make(expire_time=to_timestamp(now + 5 * MINUTE))
    answer = await keys.exchange(secret=made.secret)
    assert answer.expire_time == to_timestamp(now + 5 * MINUTE)
    keys.identity.clock.advance(5 * MINUTE)
    with refused(Reason.KEY_INVALID):
        await keys.exchange(secret=made.secret)
    with refused(Reason.INVALID_REQUEST) as refusal:
        await keys.make(expire_time=to_timestamp(now))
    assert refusal.fields == ["expire_time"]


async def test_making_a_key_asks_for_a_proof_that_is_not_old(keys: Keys) -> None:
    keys.identity.clock.advance(11 * MINUTE)
    with refused(Reason.CONFIRMATION_REQUIRED):
        await keys.make()


async def test_a_key_may_not_touch_who_it_belongs_to(keys: Keys) -> None:
    made = await keys.make(Access.READ, Access.TRADE, Access.WITHDRAW)
    token = (await keys.exchange(secret=made.secret)).access_token
    for call in (
        keys.identity.auth.ListSessions(ListSessionsRequest(), metadata=bearer(token)),
        keys.stub.ListApiKeys(ListApiKeysRequest(), metadata=bearer(token)),
        keys.identity.get_profile(token),
    ):
        with refused(Reason.PERMISSION_DENIED):
            await call


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"networks": ["here"]}, "networks[0]"),
        ({"networks": ["1.2.3.4", "1.2.3.4/40"]}, "networks[1]"),
        ({"public_key": b"short"}, "public_key"),
        ({"account_ids": ["mine"]}, "account_ids[0]"),
    ],
)
async def test_a_key_that_cannot_be_is_refused(
    keys: Keys, wanted: dict[str, Any], field: str
) -> None:
    with refused(Reason.INVALID_REQUEST) as refusal:
        await keys.make(**wanted)
    assert refusal.fields == [field]


class Signer:
    """A program that keeps a private key to itself."""

    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.key_id = ""

    def assertion(self, now: datetime, key: Ed25519PrivateKey | None = None, **changes: Any) -> str:
        """Sign an assertion, with some claims changed."""
        claims = {
            "iss": self.key_id,
            "sub": self.key_id,
            "aud": "veritick",
            "iat": now,
            "exp": now + timedelta(seconds=60),
            "jti": uuid4().hex,
        } | changes
        present = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(present, key or self.key, algorithm="EdDSA")


@pytest.fixture
async def signer(keys: Keys) -> Signer:
    signer = Signer()
    made = await keys.make(public_key=signer.key.public_key().public_bytes_raw())
    assert (made.secret, made.key.by_signature) == ("", True)
    signer.key_id = made.key.key_id
    return signer


async def test_a_signed_assertion_is_exchanged_once(keys: Keys, signer: Signer) -> None:
    assertion = signer.assertion(keys.identity.clock.now())
    token = (await keys.exchange(assertion=assertion)).access_token
    assert claims_of(token)["key"] == signer.key_id
    for written in (assertion, assertion + "=="):
        with refused(Reason.KEY_INVALID):
            await keys.exchange(assertion=written)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": str(uuid4())},
        {"sub": str(uuid4())},
        {"aud": "trading"},
        {"jti": None},
        {"exp": None},
        {"iss": None},
        {"iss": "x"},
        {"exp": 1},
        {"exp": 2**62},
        {"key": Ed25519PrivateKey.generate()},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_an_assertion_that_is_not_whole_and_true_is_refused(
    keys: Keys, signer: Signer, changes: dict[str, Any]
) -> None:
    with refused(Reason.KEY_INVALID):
        await keys.exchange(assertion=signer.assertion(keys.identity.clock.now(), **changes))


async def test_an_assertion_lives_a_minute_at_most(keys: Keys, signer: Signer) -> None:
    now = keys.identity.clock.now()
    with refused(Reason.KEY_INVALID):
        await keys.exchange(assertion=signer.assertion(now, exp=now + timedelta(seconds=90)))


KEY = KeyUse("k", frozenset({"READ"}), frozenset({MINE}), ("203.0.113.0/24", "2001:db8::/32"))
BOT = Principal("user", "u", key=KEY)


@pytest.mark.parametrize(
    ("rule", "admitted"),
    [
        (Access(public=True), True),
        (Access(user=True), False),
        (Access(user=True, scope=Access.READ), True),
        (Access(user=True, scope=Access.TRADE), False),
    ],
    ids=str,
)
def test_a_key_makes_the_calls_of_its_scopes_alone(rule: Access, *, admitted: bool) -> None:
    if admitted:
        check_access(rule, BOT)
        return
    with pytest.raises(Failure) as refusal:
        check_access(rule, BOT)
    assert refusal.value.reason is Reason.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("address", "admitted"),
    [
        ("203.0.113.77", True),
        ("2001:db8:1:2::/64", True),
        ("203.0.114.1", False),
        ("2001:db9::1", False),
        ("unknown", False),
    ],
)
def test_a_key_is_used_from_where_it_may(address: str, *, admitted: bool) -> None:
    if admitted:
        confine(KEY, ListAccountsRequest(), address)
        return
    with pytest.raises(Failure) as refusal:
        confine(KEY, ListAccountsRequest(), address)
    assert refusal.value.reason is Reason.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("request_", "admitted"),
    [
        (GetAccountRequest(account_id=MINE), True),
        (GetAccountRequest(account_id=OTHER), False),
        (PlaceOrdersRequest(orders=[PlaceOrderRequest(account_id=MINE)]), True),
        (
            PlaceOrdersRequest(
                orders=[PlaceOrderRequest(account_id=MINE), PlaceOrderRequest(account_id=OTHER)]
            ),
            False,
        ),
    ],
    ids=["own", "other", "own order", "other order among own"],
)
def test_a_bound_key_finds_no_other_account(request_: Any, *, admitted: bool) -> None:
    if admitted:
        confine(KEY, request_, "203.0.113.1")
        return
    with pytest.raises(Failure) as refusal:
        confine(KEY, request_, "203.0.113.1")
    assert refusal.value.reason is Reason.ACCOUNT_NOT_FOUND
