"""Second factors: codes that work once, recovery codes, and proving once more who one is."""

import asyncio
from datetime import timedelta

import jwt
import pyotp
import pytest

from services.identity.second_factors import accepted_step
from services.identity.vault import Vault
from services.kit.clock import utc
from services.kit.reason import Reason
from tests.service.identity_server import PASSWORD, Identity, bearer, refused
from veritick.identity.v1.auth_service_pb2 import (
    ConfirmIdentityRequest,
    ConfirmTotpRequest,
    DisableTotpRequest,
    EnrolTotpRequest,
    LogInRequest,
    RenewRecoveryCodesRequest,
)
from veritick.identity.v1.user_pb2 import Session

pytest_plugins = ["tests.service.identity_fixtures"]
pytestmark = pytest.mark.security

STEP = timedelta(seconds=30)
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NOON = utc(2026, 11, 23, 12)


def code_at(secret: str, moment: object) -> str:
    return pyotp.TOTP(secret).at(moment)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("steps", "last", "accepted"),
    [(0, 0, True), (-1, 0, True), (1, 0, True), (-2, 0, False), (2, 0, False)],
)
def test_a_code_counts_in_its_step_and_beside_it(steps: int, last: int, *, accepted: bool) -> None:
    code = code_at(SECRET, NOON + steps * STEP)
    step = int(NOON.timestamp()) // 30 + steps
    assert accepted_step(SECRET, code, NOON, last) == (step if accepted else None)


def test_a_step_counts_once_and_those_before_it_no_more() -> None:
    now = int(NOON.timestamp()) // 30
    for steps in (0, -1):
        assert accepted_step(SECRET, code_at(SECRET, NOON + steps * STEP), NOON, now) is None
    assert accepted_step(SECRET, code_at(SECRET, NOON + STEP), NOON, now) == now + 1


@pytest.mark.parametrize("code", ["", "12345", "abcdef", "\uff11\uff12\uff13456", "0" * 40])
def test_what_is_no_code_is_refused(code: str) -> None:
    assert accepted_step(SECRET, code, NOON, 0) is None


def test_a_vault_opens_only_for_the_owner_and_by_a_key_it_has() -> None:
    old, new = b"o" * 32, b"n" * 32
    sealed = Vault([old]).seal(b"secret", b"ana")
    assert Vault([new, old]).open(sealed, b"ana") == b"secret"
    for vault, owner in ((Vault([old]), b"ben"), (Vault([new]), b"ana")):
        with pytest.raises(ValueError, match="no key"):
            vault.open(sealed, owner)
    with pytest.raises(ValueError, match="no key"):
        Vault([old]).open(sealed[:-1] + b"x", b"ana")


async def enrolled(identity: Identity, session: Session) -> tuple[str, list[str]]:
    """Give a user a second factor; return its secret and the recovery codes."""
    metadata = bearer(session.access_token)
    answer = await identity.auth.EnrolTotp(EnrolTotpRequest(), metadata=metadata)
    assert answer.uri.startswith("otpauth://totp/Veritick")
    assert answer.secret in answer.uri
    request = ConfirmTotpRequest(code=code_at(answer.secret, identity.clock.now()))
    confirmed = await identity.auth.ConfirmTotp(request, metadata=metadata)
    identity.clock.advance(STEP)
    return answer.secret, list(confirmed.recovery_codes)


async def log_in(
    identity: Identity, email: str, code: str = "", password: str = PASSWORD
) -> Session:
    request = LogInRequest(email=email, password=password, code=code)
    return (await identity.auth.LogIn(request)).session


async def test_who_has_a_second_factor_signs_in_with_its_code_once(identity: Identity) -> None:
    user = await identity.register()
    secret, _ = await enrolled(identity, await identity.log_in(user.email))
    with refused(Reason.SECOND_FACTOR_REQUIRED):
        await log_in(identity, user.email)
    with refused(Reason.CODE_INVALID):
        await log_in(identity, user.email, "000000")
    code = code_at(secret, identity.clock.now())
    with refused(Reason.INVALID_CREDENTIALS):
        await log_in(identity, user.email, code, "not the password")
    assert (await log_in(identity, user.email, code)).user_id == user.user_id
    with refused(Reason.CODE_INVALID):
        await log_in(identity, user.email, code)


async def test_of_sign_ins_at_once_with_one_code_exactly_one_succeeds(identity: Identity) -> None:
    user = await identity.register()
    secret, _ = await enrolled(identity, await identity.log_in(user.email))
    code = code_at(secret, identity.clock.now())
    tries = [log_in(identity, user.email, code) for _ in range(5)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(answer, Session) for answer in answers) == 1


async def test_a_recovery_code_signs_in_once(identity: Identity) -> None:
    user = await identity.register()
    _, codes = await enrolled(identity, await identity.log_in(user.email))
    assert len(set(codes)) == 10
    session = await log_in(identity, user.email, codes[0].upper())
    with refused(Reason.CODE_INVALID):
        await log_in(identity, user.email, codes[0])
    metadata = bearer(session.access_token)
    renewed = await identity.auth.RenewRecoveryCodes(RenewRecoveryCodesRequest(), metadata=metadata)
    with refused(Reason.CODE_INVALID):
        await log_in(identity, user.email, codes[1])
    await log_in(identity, user.email, renewed.recovery_codes[0])


async def test_guessing_codes_runs_dry(identity: Identity) -> None:
    user = await identity.register()
    await enrolled(identity, await identity.log_in(user.email))
    for number in range(11):
        with refused(Reason.RATE_LIMITED if number == 10 else Reason.CODE_INVALID):
            await log_in(identity, user.email, f"{number:06}")


async def test_a_factor_is_in_force_only_when_a_code_of_it_was_seen(identity: Identity) -> None:
    user = await identity.register()
    session = await identity.log_in(user.email)
    metadata = bearer(session.access_token)
    for _ in range(2):
        await identity.auth.EnrolTotp(EnrolTotpRequest(), metadata=metadata)
    with refused(Reason.CODE_INVALID):
        await identity.auth.ConfirmTotp(ConfirmTotpRequest(code="000000"), metadata=metadata)
    await log_in(identity, user.email)
    await enrolled(identity, session)
    with refused(Reason.SECOND_FACTOR_EXISTS):
        await identity.auth.EnrolTotp(EnrolTotpRequest(), metadata=metadata)


async def test_sensitive_calls_ask_for_a_proof_that_is_not_old(identity: Identity) -> None:
    user = await identity.register()
    session = await identity.log_in(user.email)
    secret, _ = await enrolled(identity, session)
    identity.clock.advance(timedelta(minutes=10))
    session = await identity.refresh(session.refresh_token)
    with refused(Reason.CONFIRMATION_REQUIRED):
        await identity.auth.DisableTotp(DisableTotpRequest(), metadata=bearer(session.access_token))
    metadata = bearer(session.access_token)
    for wrong in (ConfirmIdentityRequest(password=PASSWORD), ConfirmIdentityRequest(code="000000")):
        with refused(Reason.CODE_INVALID):
            await identity.auth.ConfirmIdentity(wrong, metadata=metadata)
    code = code_at(secret, identity.clock.now())
    proven = (
        await identity.auth.ConfirmIdentity(ConfirmIdentityRequest(code=code), metadata=metadata)
    ).session
    assert (proven.session_id, proven.refresh_token) == (session.session_id, "")
    await identity.auth.DisableTotp(DisableTotpRequest(), metadata=bearer(proven.access_token))
    await log_in(identity, user.email)
    again = await identity.refresh(session.refresh_token)
    claims = jwt.decode(again.access_token, options={"verify_signature": False})
    assert claims["auth_time"] == int(identity.clock.now().timestamp())


async def test_who_has_no_second_factor_proves_it_by_the_password(identity: Identity) -> None:
    session = await identity.signed_in()
    metadata = bearer(session.access_token)
    with refused(Reason.INVALID_CREDENTIALS):
        await identity.auth.ConfirmIdentity(ConfirmIdentityRequest(password="x"), metadata=metadata)
    request = ConfirmIdentityRequest(password=PASSWORD)
    await identity.auth.ConfirmIdentity(request, metadata=metadata)


async def test_no_secret_of_a_second_factor_is_stored_or_logged(
    identity: Identity, capfd: pytest.CaptureFixture[str]
) -> None:
    user = await identity.register()
    secret, codes = await enrolled(identity, await identity.log_in(user.email))
    await log_in(identity, user.email, codes[0])
    stored = str(identity.rows("SELECT t::text FROM totp t"))
    stored += str(identity.rows("SELECT r::text FROM recovery_codes r"))
    out, err = capfd.readouterr()
    for text in (secret, *codes):
        assert text not in stored + out + err
