"""Guessers run dry, and nobody is locked out by them."""

from datetime import timedelta

import grpc
import pytest

from services.kit.channels import failure_of
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.tokens import Keyring
from tests.service.identity_server import PASSWORD, Identity, bearer, refused
from veritick.identity.v1.auth_service_pb2 import ChangePasswordRequest, LogInRequest
from veritick.identity.v1.user_pb2 import Session

pytest_plugins = ["tests.service.identity_fixtures"]
pytestmark = pytest.mark.security

MINUTE = timedelta(minutes=1)
WRONG = "not the password"


def coming_from(identity: Identity, address: str, device: str = "") -> list[tuple[str, str]]:
    """Return the metadata with which the edge tells where a call comes from."""
    keys = identity.settings.required("keys")
    proof = Keyring.load(keys, "edge").service_token("identity", identity.clock.now())
    return [
        ("x-origin-address", address),
        ("x-origin-device", device),
        ("x-origin-proof", proof),
    ]


async def attempt(
    identity: Identity, email: str, password: str, address: str, device: str = ""
) -> Session | Failure:
    """Try to sign in."""
    try:
        answer = await identity.auth.LogIn(
            LogInRequest(email=email, password=password),
            metadata=coming_from(identity, address, device),
        )
    except grpc.aio.AioRpcError as error:
        return failure_of(error)
    return answer.session


async def tries_until_limited(identity: Identity, email: str, bound: int, **where: str) -> int:
    """Return how many wrong passwords were looked at before the next was not."""
    for number in range(bound):
        refusal = await attempt(identity, email, WRONG, **where)
        assert isinstance(refusal, Failure)
        if refusal.reason is Reason.RATE_LIMITED:
            return number
        assert refusal.reason is Reason.INVALID_CREDENTIALS
    return bound


async def test_guessing_from_one_place_runs_dry_and_goes_on_slowly(identity: Identity) -> None:
    user = await identity.register()
    assert await tries_until_limited(identity, user.email, 20, address="203.0.113.1") == 10
    refusal = await attempt(identity, user.email, PASSWORD, "203.0.113.1")
    assert isinstance(refusal, Failure)
    assert refusal.retry_after == MINUTE
    identity.clock.advance(MINUTE)
    assert isinstance(await attempt(identity, user.email, PASSWORD, "203.0.113.1"), Session)


async def test_an_account_that_does_not_exist_is_limited_alike(identity: Identity) -> None:
    found = await tries_until_limited(identity, "nobody@example.com", 20, address="203.0.113.1")
    assert found == 10


async def test_guessers_everywhere_cannot_lock_out_the_owner(identity: Identity) -> None:
    user = await identity.register()
    home, laptop = "198.51.100.7", "the-laptop"
    assert isinstance(await attempt(identity, user.email, PASSWORD, home, laptop), Session)
    tried = 0
    for host in range(1, 100):
        found = await tries_until_limited(identity, user.email, 2, address=f"203.0.113.{host}")
        tried += found
        if found < 2:
            break
    assert tried == 30
    stranger = await attempt(identity, user.email, PASSWORD, "203.0.113.200")
    assert isinstance(stranger, Failure)
    for address, device in ((home, ""), ("192.0.2.9", laptop)):
        assert isinstance(await attempt(identity, user.email, PASSWORD, address, device), Session)


async def test_who_knows_the_password_is_never_limited(identity: Identity) -> None:
    user = await identity.register()
    for _ in range(15):
        assert isinstance(await attempt(identity, user.email, PASSWORD, "203.0.113.1"), Session)


async def test_one_address_cannot_try_all_accounts(identity: Identity) -> None:
    tried = 0
    for number in range(60):
        email = f"user-{number}@example.com"
        found = await tries_until_limited(identity, email, 2, address="203.0.113.1")
        tried += found
        if found < 2:
            break
    assert tried == 100


async def test_a_made_up_address_changes_nothing(identity: Identity) -> None:
    user = await identity.register()
    for number in range(11):
        request = LogInRequest(email=user.email, password=WRONG)
        metadata = [("x-origin-address", f"203.0.113.{number}")]
        with refused(Reason.RATE_LIMITED if number == 10 else Reason.INVALID_CREDENTIALS):
            await identity.auth.LogIn(request, metadata=metadata)


async def test_a_thief_of_a_session_cannot_guess_the_password_through_it(
    identity: Identity,
) -> None:
    session = await identity.signed_in()
    request = ChangePasswordRequest(current_password=WRONG, new_password="a new passphrase")
    for number in range(11):
        with refused(Reason.RATE_LIMITED if number == 10 else Reason.INVALID_CREDENTIALS):
            await identity.auth.ChangePassword(request, metadata=bearer(session.access_token))
