"""Letters in the language of who is written to, and about what happens to an account."""

from datetime import timedelta

import pyotp
import pytest

from services.kit.reason import Reason
from services.kit.tokens import Keyring
from services.kit.wire import to_timestamp
from tests.service.identity_authenticator import Authenticator
from tests.service.identity_server import PASSWORD, Identity, bearer, refused
from veritick.identity.v1.api_key_service_pb2 import CreateApiKeyRequest
from veritick.identity.v1.api_key_service_pb2_grpc import ApiKeyServiceStub
from veritick.identity.v1.auth_service_pb2 import (
    ConfirmTotpRequest,
    DisableTotpRequest,
    EnrolTotpRequest,
    LogInRequest,
    RegisterRequest,
    RenewRecoveryCodesRequest,
    RequestPasswordResetRequest,
)
from veritick.identity.v1.passkey_service_pb2 import (
    BeginPasskeyEnrolmentRequest,
    DeletePasskeyRequest,
    FinishPasskeyEnrolmentRequest,
)
from veritick.identity.v1.passkey_service_pb2_grpc import PasskeyServiceStub
from veritick.identity.v1.profile_service_pb2 import UpdateProfileRequest
from veritick.identity.v1.user_admin_service_pb2 import BanUserRequest, LiftBanRequest
from veritick.identity.v1.user_admin_service_pb2_grpc import UserAdminServiceStub
from veritick.option.v1.access_pb2 import Access

pytest_plugins = ["tests.service.identity_fixtures"]
pytestmark = pytest.mark.security

NEW_DEVICE = "A sign-in from a new device"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; win.example) Gecko/20100101 Firefox/141.0"
HOME, OFFICE = "192.0.2.7", "198.51.100.9"


async def sign_in(identity: Identity, email: str, device: str, address: str = HOME) -> None:
    """Sign in with a browser, or with a program where the device has no name."""
    keys = identity.settings.required("keys")
    proof = Keyring.load(keys, "edge").service_token("identity", identity.clock.now())
    where = (
        ("x-origin-address", address),
        ("x-origin-agent", FIREFOX),
        ("x-origin-device", device),
        ("x-origin-proof", proof),
    )
    request = LogInRequest(email=email, password=PASSWORD, device_name="win.example")
    await identity.auth.LogIn(request, metadata=where)


def written(identity: Identity) -> list[str]:
    """Return the kinds of the letters so far, but for those of the beginning."""
    query = "SELECT kind FROM letters WHERE kind <> 'CONFIRM_EMAIL' ORDER BY letter_id"
    return [kind for (kind,) in identity.rows(query)]


async def test_a_letter_is_written_in_the_language_of_its_user(identity: Identity) -> None:
    request = RegisterRequest(email="ana@example.com", password=PASSWORD, language_code="ru")
    user = (await identity.auth.Register(request)).user
    assert user.language_code == "ru"
    assert "/confirm-email#" in await identity.letter(user.email, "Подтвердите адрес почты")
    metadata = bearer((await identity.log_in(user.email)).access_token)
    told = UpdateProfileRequest(language_code="es")
    answer = await identity.profile.UpdateProfile(told, metadata=metadata)
    assert answer.user.language_code == "es"
    await identity.auth.RequestPasswordReset(RequestPasswordResetRequest(email=user.email))
    assert "/reset-password#" in await identity.letter(user.email, "Elija una contraseña nueva")


async def test_who_says_nothing_is_written_to_in_english(identity: Identity) -> None:
    assert (await identity.register()).language_code == "en"
    with refused(Reason.INVALID_REQUEST) as refusal:
        await identity.auth.Register(
            RegisterRequest(email="ana@example.com", password=PASSWORD, language_code="xx")
        )
    assert refusal.fields == ["language_code"]


async def test_a_sign_in_from_a_new_device_is_written_about(identity: Identity) -> None:
    email = (await identity.register()).email
    for device, address, letters in (
        ("laptop", HOME, 0),  # the first session is the user's own
        ("laptop", OFFICE, 0),
        ("phone", HOME, 1),
        ("phone", OFFICE, 1),
        ("", HOME, 1),  # a program where he was before
        ("", "203.0.113.5", 2),
    ):
        await sign_in(identity, email, device, address)
        assert written(identity) == ["NEW_DEVICE"] * letters, (device, address)
    # Two are on their way, and either may arrive first.
    both = [await identity.letter(email, NEW_DEVICE, number) for number in (1, 2)]
    [letter] = [text for text in both if HOME in text]
    for told in ("Firefox, Linux", HOME, "Country: –", "2026-11-23 12:00 UTC"):
        assert told in letter
    assert "http://127.0.0.1:8080/account/security\n" in letter
    assert "win.example" not in letter


async def test_a_first_session_long_after_the_registration_is_written_about(
    identity: Identity,
) -> None:
    email = (await identity.register()).email
    identity.clock.advance(timedelta(days=1))
    await sign_in(identity, email, "laptop")
    assert written(identity) == ["NEW_DEVICE"]


async def test_notices_of_a_kind_are_few_in_an_hour(identity: Identity) -> None:
    email = (await identity.register()).email
    for number in range(8):
        await sign_in(identity, email, f"device-{number}")
    assert written(identity) == ["NEW_DEVICE"] * 5
    identity.clock.advance(timedelta(hours=1))
    await sign_in(identity, email, "another")
    assert written(identity) == ["NEW_DEVICE"] * 6


async def test_changes_of_what_one_signs_in_with_are_written_about(identity: Identity) -> None:
    session, device = await identity.signed_in(), Authenticator()
    who, auth = bearer(session.access_token), identity.auth
    secret = (await auth.EnrolTotp(EnrolTotpRequest(), metadata=who)).secret
    code = pyotp.TOTP(secret).at(identity.clock.now())
    await auth.ConfirmTotp(ConfirmTotpRequest(code=code), metadata=who)
    await auth.RenewRecoveryCodes(RenewRecoveryCodesRequest(), metadata=who)
    for _ in range(2):
        await auth.DisableTotp(DisableTotpRequest(), metadata=who)
    async with identity.anybody() as channel:
        passkeys = PasskeyServiceStub(channel)
        begun = await passkeys.BeginPasskeyEnrolment(BeginPasskeyEnrolmentRequest(), metadata=who)
        made = FinishPasskeyEnrolmentRequest(
            challenge=begun.challenge, credential=device.create(begun.options), name="phone"
        )
        passkey = (await passkeys.FinishPasskeyEnrolment(made, metadata=who)).passkey
        gone = DeletePasskeyRequest(passkey_id=passkey.passkey_id)
        for _ in range(2):
            await passkeys.DeletePasskey(gone, metadata=who)
        wish = CreateApiKeyRequest(name="bot", scopes=[Access.READ])
        await ApiKeyServiceStub(channel).CreateApiKey(wish, metadata=who)
    assert written(identity) == [
        "SECOND_FACTOR_ON",
        "RECOVERY_CODES_RENEWED",
        "SECOND_FACTOR_OFF",
        "PASSKEY_ADDED",
        "PASSKEY_REMOVED",
        "KEY_CREATED",
    ]


async def test_bans_are_written_about_without_their_reason(identity: Identity) -> None:
    officer, user = await identity.register(), await identity.register()
    hire = "UPDATE users SET roles = '{compliance}' WHERE user_id = %s RETURNING 1"
    identity.rows(hire, officer.user_id)
    who = bearer((await identity.log_in(officer.email)).access_token)
    until = to_timestamp(identity.clock.now() + timedelta(days=1))
    whom, why = user.user_id, "a hunch"
    async with identity.anybody() as channel:
        staff = UserAdminServiceStub(channel)
        await staff.BanUser(BanUserRequest(user_id=whom, reason=why), metadata=who)
        until_then = BanUserRequest(user_id=whom, reason=why, until_time=until)
        await staff.BanUser(until_then, metadata=who)
        for _ in range(2):
            await staff.LiftBan(LiftBanRequest(user_id=whom, reason=why), metadata=who)
    assert written(identity) == ["BANNED", "SUSPENDED", "BAN_LIFTED"]
    suspended = await identity.letter(user.email, "Your account is suspended")
    assert "until 2026-11-24 12:00 UTC" in suspended
    assert why not in suspended
