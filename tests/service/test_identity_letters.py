"""Letters: addresses confirmed, passwords chosen anew, and nothing told to strangers."""

import asyncio
from datetime import timedelta

import pytest

from services.identity.hashing import PasswordHasher
from services.kit.reason import Reason
from tests.service.identity_server import (
    PASSWORD,
    Identity,
    StartIdentity,
    Trading,
    bearer,
    refused,
)
from veritick.identity.v1.auth_service_pb2 import (
    ChangePasswordRequest,
    RegisterRequest,
    RequestEmailVerificationRequest,
    RequestPasswordResetRequest,
    ResetPasswordRequest,
    VerifyEmailRequest,
)
from veritick.identity.v1.mailbox_service_pb2 import ListMailsRequest
from veritick.identity.v1.mailbox_service_pb2_grpc import MailboxServiceStub
from veritick.identity.v1.profile_service_pb2 import (
    AcceptAgreementRequest,
    GetProfileRequest,
    UpdateProfileRequest,
)
from veritick.identity.v1.user_pb2 import Requirement, User

pytest_plugins = ["tests.service.identity_fixtures"]
pytestmark = pytest.mark.security

CONFIRM, RESET, CHANGED = (
    "Confirm your mail address",
    "Choose a new password",
    "Your password was changed",
)
NEW = "quite another passphrase"
REAL = {"real_countries": frozenset({"DE"}), "agreement_version": "v7"}


async def verify(identity: Identity, token: str) -> None:
    await identity.auth.VerifyEmail(VerifyEmailRequest(token=token))


async def ask_reset(identity: Identity, email: str) -> None:
    await identity.auth.RequestPasswordReset(RequestPasswordResetRequest(email=email))


async def reset(identity: Identity, token: str, password: str = NEW) -> None:
    await identity.auth.ResetPassword(ResetPasswordRequest(token=token, new_password=password))


async def test_a_link_in_a_letter_confirms_an_address_once(identity: Identity) -> None:
    user = await identity.register()
    assert not user.email_confirmed
    token = await identity.token_in(user.email, CONFIRM)
    assert "http://127.0.0.1:8080/confirm-email#token=" in await identity.letter(
        user.email, CONFIRM
    )
    await verify(identity, token)
    session = await identity.log_in(user.email)
    assert (await identity.get_profile(session.access_token)).email_confirmed
    with refused(Reason.LINK_INVALID):
        await verify(identity, token)


async def test_demo_needs_no_confirmation(identity: Identity) -> None:
    user = await identity.register()
    assert (await identity.log_in(user.email)).user_id == user.user_id


async def test_a_link_expires_and_another_can_be_asked_for(identity: Identity) -> None:
    user = await identity.register()
    stale = await identity.token_in(user.email, CONFIRM)
    identity.clock.advance(timedelta(days=3))
    with refused(Reason.LINK_INVALID):
        await verify(identity, stale)
    session = await identity.log_in(user.email)
    metadata = bearer(session.access_token)
    await identity.auth.RequestEmailVerification(
        RequestEmailVerificationRequest(), metadata=metadata
    )
    await verify(identity, await identity.token_in(user.email, CONFIRM, 2))


@pytest.mark.parametrize("token", ["x", "A" * 43])
async def test_a_made_up_link_is_refused(identity: Identity, token: str) -> None:
    await identity.register()
    with refused(Reason.LINK_INVALID):
        await verify(identity, token)
    with refused(Reason.LINK_INVALID):
        await reset(identity, token)


async def test_a_link_serves_only_what_it_was_sent_for(identity: Identity) -> None:
    user = await identity.register()
    with refused(Reason.LINK_INVALID):
        await reset(identity, await identity.token_in(user.email, CONFIRM))
    await ask_reset(identity, user.email)
    with refused(Reason.LINK_INVALID):
        await verify(identity, await identity.token_in(user.email, RESET))


async def test_a_forgotten_password_is_replaced_and_every_session_ends(identity: Identity) -> None:
    user = await identity.register("ana@example.com")
    thief = await identity.log_in(user.email)
    await ask_reset(identity, "ANA@example.com")
    token = await identity.token_in(user.email, RESET)
    await reset(identity, token)
    with refused(Reason.SESSION_ENDED):
        await identity.refresh(thief.refresh_token)
    with refused(Reason.INVALID_CREDENTIALS):
        await identity.log_in(user.email, PASSWORD)
    session = await identity.log_in(user.email, NEW)
    assert (await identity.get_profile(session.access_token)).email_confirmed
    with refused(Reason.LINK_INVALID):
        await reset(identity, token, "yet another passphrase")
    assert "was changed" in await identity.letter(user.email, CHANGED)


async def test_a_password_is_reset_by_one_link_only(identity: Identity) -> None:
    user = await identity.register()
    for _ in range(2):
        await ask_reset(identity, user.email)
    first, second = [await identity.token_in(user.email, RESET, n) for n in (1, 2)]
    answers = await asyncio.gather(
        reset(identity, first), reset(identity, second), return_exceptions=True
    )
    assert sum(answer is None for answer in answers) == 1


async def test_a_link_leads_nowhere_once_the_password_was_changed(identity: Identity) -> None:
    user = await identity.register()
    session = await identity.log_in(user.email)
    await ask_reset(identity, user.email)
    token = await identity.token_in(user.email, RESET)
    change = ChangePasswordRequest(current_password=PASSWORD, new_password=NEW)
    await identity.auth.ChangePassword(change, metadata=bearer(session.access_token))
    with refused(Reason.LINK_INVALID):
        await reset(identity, token, "yet another passphrase")


async def test_a_link_does_not_excuse_a_weak_password(identity: Identity) -> None:
    user = await identity.register()
    await ask_reset(identity, user.email)
    token = await identity.token_in(user.email, RESET)
    with refused(Reason.PASSWORD_TOO_WEAK) as refusal:
        await reset(identity, token, "password123")
    assert refusal.fields == ["new_password"]
    await reset(identity, token)


async def test_asking_for_a_stranger_does_exactly_what_asking_for_a_user_does(
    identity: Identity,
) -> None:
    user = await identity.register()
    await identity.letter(user.email, CONFIRM)
    for address in (user.email, "nobody@example.com", "no address"):
        await ask_reset(identity, address)
        ((rows,),) = identity.rows("SELECT count(*) FROM letters WHERE kind = 'RESET_PASSWORD'")
        assert rows == 1, address
        identity.rows("DELETE FROM letters WHERE kind = 'RESET_PASSWORD' RETURNING 1")
    for address in (user.email, "nobody@example.com"):
        for _ in range(2):
            await ask_reset(identity, address)
        with refused(Reason.RATE_LIMITED):
            await ask_reset(identity, address)


async def test_signing_in_hashes_once_whoever_tries(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await identity.register()
    hashed: list[str | None] = []
    check = PasswordHasher._check

    def counted(hasher: PasswordHasher, password: str, stored: str | None) -> object:
        hashed.append(stored)
        return check(hasher, password, stored)

    monkeypatch.setattr(PasswordHasher, "_check", counted)
    for address in (user.email, "nobody@example.com", "no address"):
        hashed.clear()
        with refused(Reason.INVALID_CREDENTIALS) as refusal:
            await identity.log_in(address, "not the password")
        assert len(hashed) == 1
        assert refusal.message == "Mail address and password do not belong together."


async def test_no_secret_of_a_letter_is_stored_or_logged(
    identity: Identity, capfd: pytest.CaptureFixture[str]
) -> None:
    user = await identity.register()
    await ask_reset(identity, user.email)
    tokens = [await identity.token_in(user.email, subject) for subject in (CONFIRM, RESET)]
    await reset(identity, tokens[1])
    stored = str(identity.rows("SELECT t::text FROM mail_tokens t"))
    stored += str(identity.rows("SELECT l::text FROM letters l"))
    out, err = capfd.readouterr()
    for secret in (*tokens, NEW):
        assert secret not in stored + out + err


async def test_only_staff_read_the_mailbox(identity: Identity) -> None:
    session = await identity.signed_in()
    async with identity.anybody() as channel:
        stub = MailboxServiceStub(channel)
        with refused(Reason.PERMISSION_DENIED):
            await stub.ListMails(ListMailsRequest(), metadata=bearer(session.access_token))
        with refused(Reason.UNAUTHENTICATED):
            await stub.ListMails(ListMailsRequest())


async def test_the_mailbox_has_pages(identity: Identity) -> None:
    users = [await identity.register() for _ in range(3)]
    for user in users:
        await identity.letter(user.email, CONFIRM)
    seen, token = list[str](), ""
    for _ in range(4):
        page = await identity.mailbox.ListMails(ListMailsRequest(page_size=1, page_token=token))
        seen += [mail.recipient for mail in page.mails]
        token = page.next_page_token
    assert sorted(seen) == sorted(user.email for user in users)


async def test_what_a_newer_build_knows_of_letters_is_left_to_it(identity: Identity) -> None:
    user = await identity.register()
    await identity.letter(user.email, CONFIRM)
    identity.rows("UPDATE users SET language = 'tlh' RETURNING 1")
    identity.rows(
        "INSERT INTO letters (letter_id, kind, address_key, created_at, due_at, attempts) "
        "VALUES (gen_random_uuid(), 'HAPPY_BIRTHDAY', %s, '2020-01-01Z', '2020-01-01Z', 0) "
        "RETURNING 1",
        user.email,
    )
    await ask_reset(identity, user.email)
    await identity.letter(user.email, RESET)
    waiting = "SELECT attempts, outcome FROM letters WHERE kind = 'HAPPY_BIRTHDAY'"
    assert identity.rows(waiting) == [(0, None)]


async def profile(identity: Identity, email: str) -> tuple[tuple[tuple[str, str], ...], User]:
    """Sign in and return the metadata to call with, and the profile."""
    metadata = bearer((await identity.log_in(email)).access_token)
    found = await identity.profile.GetProfile(GetProfileRequest(), metadata=metadata)
    return metadata, found.user


async def test_real_money_needs_all_that_the_rules_ask_for(
    start_identity: StartIdentity, identity_trading: Trading
) -> None:
    async with start_identity(trading_address=identity_trading.address, **REAL) as identity:
        user = await identity.register()
        metadata, before = await profile(identity, user.email)
        assert list(before.missing_requirements) == [
            Requirement.EMAIL_CONFIRMED,
            Requirement.COUNTRY,
            Requirement.BIRTH_DATE,
            Requirement.AGREEMENT,
        ]
        await identity.profile.AcceptAgreement(
            AcceptAgreementRequest(agreement_version="v7"), metadata=metadata
        )
        await identity.profile.UpdateProfile(
            UpdateProfileRequest(country_code="DE", birth_date="2008-11-23"), metadata=metadata
        )
        assert identity_trading.real_for == []
        await verify(identity, await identity.token_in(user.email, CONFIRM))
        assert identity_trading.real_for == [user.user_id]
        _, after = await profile(identity, user.email)
        assert (after.real_accounts, list(after.missing_requirements)) == (True, [])
        last = (await identity.events("user.changed.v1"))[-1].event.user_changed.user
        assert last.real_accounts
        personal = (last.country_code, last.birth_date, last.email, last.agreement_version)
        assert personal == ("", "", "", "")


@pytest.mark.parametrize(
    ("country", "birth_date", "lacks"),
    [
        ("FR", "1990-01-01", Requirement.COUNTRY_ALLOWED),
        ("DE", "2008-11-24", Requirement.AGE),
    ],
)
async def test_the_wrong_country_or_age_opens_nothing(
    start_identity: StartIdentity, country: str, birth_date: str, lacks: Requirement.ValueType
) -> None:
    async with start_identity(**REAL) as identity:
        email = "ana@example.com"
        request = RegisterRequest(
            email=email,
            password=PASSWORD,
            country_code=country,
            birth_date=birth_date,
            agreement_version="v7",
        )
        await identity.auth.Register(request)
        await verify(identity, await identity.token_in(email, CONFIRM))
        _, user = await profile(identity, email)
        assert (user.real_accounts, list(user.missing_requirements)) == (False, [lacks])


async def test_by_default_no_country_is_allowed(identity: Identity) -> None:
    request = RegisterRequest(email="ana@example.com", password=PASSWORD, country_code="DE")
    user = (await identity.auth.Register(request)).user
    assert Requirement.COUNTRY_ALLOWED in user.missing_requirements


async def test_what_was_told_once_stays(identity: Identity) -> None:
    user = await identity.register()
    metadata, _ = await profile(identity, user.email)

    async def tell(**fields: str) -> User:
        request = UpdateProfileRequest(**fields)
        return (await identity.profile.UpdateProfile(request, metadata=metadata)).user

    await tell(country_code="DE")
    assert (await tell(birth_date="1990-02-28")).country_code == "DE"
    await tell(country_code="DE", birth_date="1990-02-28")
    for field, value in (("country_code", "FR"), ("birth_date", "1990-02-27")):
        with refused(Reason.PROFILE_LOCKED) as refusal:
            await tell(**{field: value})
        assert refusal.metadata == {"field": field}


@pytest.mark.parametrize("written", ["1990-02-30", "2026-11-24", "1890-01-01", "0000-00-00"])
async def test_nobody_is_born_on_a_day_that_is_none(identity: Identity, written: str) -> None:
    with refused(Reason.INVALID_REQUEST) as refusal:
        await identity.auth.Register(
            RegisterRequest(email="ana@example.com", password=PASSWORD, birth_date=written)
        )
    assert refusal.fields == ["birth_date"]


async def test_only_the_agreement_that_counts_is_accepted(identity: Identity) -> None:
    with refused(Reason.AGREEMENT_OUTDATED) as refusal:
        await identity.auth.Register(
            RegisterRequest(email="ana@example.com", password=PASSWORD, agreement_version="v0")
        )
    assert refusal.metadata == {"version": "2026-11"}
