"""Passkeys: made once, and sign in from our own pages, by the person, once a challenge."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from services.identity.api_key import LIVE_MAX
from services.kit.reason import Reason
from tests.service.identity_authenticator import PRESENT, Authenticator
from tests.service.identity_server import Identity, bearer, refused
from veritick.identity.v1.auth_service_pb2 import EnrolTotpRequest
from veritick.identity.v1.passkey_service_pb2 import (
    BeginPasskeyEnrolmentRequest,
    BeginPasskeyLogInRequest,
    BeginPasskeyLogInResponse,
    DeletePasskeyRequest,
    FinishPasskeyEnrolmentRequest,
    FinishPasskeyLogInRequest,
    ListPasskeysRequest,
    Passkey,
)
from veritick.identity.v1.passkey_service_pb2_grpc import PasskeyServiceStub
from veritick.identity.v1.user_pb2 import Session

if TYPE_CHECKING:
    from veritick.identity.v1.passkey_service_pb2_grpc import PasskeyServiceAsyncStub

pytest_plugins = ["tests.service.identity_fixtures"]
pytestmark = pytest.mark.security


@dataclass
class Page:
    """Our page in a browser, with a device."""

    identity: Identity
    stub: "PasskeyServiceAsyncStub"

    async def enrol(self, session: Session, device: Authenticator) -> Passkey:
        """Make a passkey."""
        metadata = bearer(session.access_token)
        begun = await self.stub.BeginPasskeyEnrolment(
            BeginPasskeyEnrolmentRequest(), metadata=metadata
        )
        request = FinishPasskeyEnrolmentRequest(
            challenge=begun.challenge, credential=device.create(begun.options), name="phone"
        )
        return (await self.stub.FinishPasskeyEnrolment(request, metadata=metadata)).passkey

    async def begin(self) -> BeginPasskeyLogInResponse:
        return await self.stub.BeginPasskeyLogIn(BeginPasskeyLogInRequest())

    async def finish(self, challenge: str, credential: str) -> Session:
        request = FinishPasskeyLogInRequest(challenge=challenge, credential=credential)
        return (await self.stub.FinishPasskeyLogIn(request)).session

    async def log_in(self, device: Authenticator) -> Session:
        begun = await self.begin()
        return await self.finish(begun.challenge, device.sign(begun.options))


@pytest.fixture
async def page(identity: Identity) -> AsyncIterator[Page]:
    async with identity.anybody() as channel:
        yield Page(identity, PasskeyServiceStub(channel))


async def test_a_passkey_signs_in_and_counts_as_proof(page: Page) -> None:
    session, device = await page.identity.signed_in(), Authenticator()
    made = await page.enrol(session, device)
    again = await page.log_in(device)
    assert again.user_id == session.user_id
    metadata = bearer(again.access_token)
    listed = (await page.stub.ListPasskeys(ListPasskeysRequest(), metadata=metadata)).passkeys
    assert [(key.passkey_id, key.name) for key in listed] == [(made.passkey_id, "phone")]
    assert listed[0].HasField("last_use_time")
    await page.identity.auth.EnrolTotp(EnrolTotpRequest(), metadata=metadata)


async def test_what_was_signed_works_once(page: Page) -> None:
    device = Authenticator(counts=False)
    await page.enrol(await page.identity.signed_in(), device)
    begun = await page.begin()
    signed = device.sign(begun.options)
    await page.finish(begun.challenge, signed)
    another = (await page.begin()).challenge
    for challenge in (begun.challenge, begun.challenge + "==", another):
        with refused(Reason.PASSKEY_INVALID):
            await page.finish(challenge, signed)


@pytest.mark.parametrize(
    "change",
    [
        {"origin": "http://127.0.0.1.evil.example:8080"},
        {"site": "evil.example"},
        {"flags": PRESENT},
        {"key": Authenticator().key},
        {"credential_id": b"unknown"},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_what_is_not_genuine_is_refused(page: Page, change: dict[str, Any]) -> None:
    device = Authenticator()
    await page.enrol(await page.identity.signed_in(), device)
    with refused(Reason.PASSKEY_INVALID):
        await page.log_in(replace(device, **change))
    await page.log_in(device)


async def test_a_copied_device_is_noticed_by_its_counter(page: Page) -> None:
    device = Authenticator()
    await page.enrol(await page.identity.signed_in(), device)
    copy = replace(device)
    await page.log_in(device)
    with refused(Reason.PASSKEY_INVALID):
        await page.log_in(copy)


async def test_a_challenge_grows_old(page: Page) -> None:
    device = Authenticator()
    await page.enrol(await page.identity.signed_in(), device)
    begun = await page.begin()
    page.identity.clock.advance(timedelta(minutes=6))
    with refused(Reason.PASSKEY_INVALID):
        await page.finish(begun.challenge, device.sign(begun.options))


async def test_a_challenge_serves_whom_and_what_it_was_made_for(page: Page) -> None:
    ana, ben = await page.identity.signed_in(), await page.identity.signed_in()
    device, begun = Authenticator(), await page.begin()
    asked = await page.stub.BeginPasskeyEnrolment(
        BeginPasskeyEnrolmentRequest(), metadata=bearer(ana.access_token)
    )
    request = FinishPasskeyEnrolmentRequest(
        challenge=asked.challenge, credential=device.create(asked.options), name="phone"
    )
    with refused(Reason.PASSKEY_INVALID):
        await page.stub.FinishPasskeyEnrolment(request, metadata=bearer(ben.access_token))
    request.challenge = begun.challenge
    with refused(Reason.PASSKEY_INVALID):
        await page.stub.FinishPasskeyEnrolment(request, metadata=bearer(ana.access_token))


async def test_challenges_asked_for_in_advance_make_no_more_passkeys_than_may_be(
    page: Page,
) -> None:
    session = await page.identity.signed_in()
    page.identity.rows(
        "INSERT INTO passkeys (passkey_id, user_id, credential_id, public_key, sign_count, name,"
        " created_at) SELECT gen_random_uuid(), %s, int4send(n), '', 0, 'old', now()"
        " FROM generate_series(1, %s) n RETURNING 1",
        session.user_id,
        LIVE_MAX - 1,
    )
    metadata = bearer(session.access_token)
    begun = [
        await page.stub.BeginPasskeyEnrolment(BeginPasskeyEnrolmentRequest(), metadata=metadata)
        for _ in range(2)
    ]
    requests = [
        FinishPasskeyEnrolmentRequest(
            challenge=asked.challenge,
            credential=Authenticator(credential_id=asked.challenge.encode()[-32:]).create(
                asked.options
            ),
            name="phone",
        )
        for asked in begun
    ]
    await page.stub.FinishPasskeyEnrolment(requests[0], metadata=metadata)
    with refused(Reason.TOO_MANY_KEYS):
        await page.stub.FinishPasskeyEnrolment(requests[1], metadata=metadata)


async def test_one_passkey_belongs_to_one_user(page: Page) -> None:
    device = Authenticator()
    await page.enrol(await page.identity.signed_in(), device)
    with refused(Reason.PASSKEY_INVALID):
        await page.enrol(await page.identity.signed_in(), device)


async def test_a_deleted_passkey_opens_nothing_and_is_no_one_elses_to_delete(page: Page) -> None:
    session, device = await page.identity.signed_in(), Authenticator()
    made = await page.enrol(session, device)
    request = DeletePasskeyRequest(passkey_id=made.passkey_id)
    stranger = await page.identity.signed_in()
    await page.stub.DeletePasskey(request, metadata=bearer(stranger.access_token))
    await page.log_in(device)
    await page.stub.DeletePasskey(request, metadata=bearer(session.access_token))
    with refused(Reason.PASSKEY_INVALID):
        await page.log_in(device)


@pytest.mark.parametrize("credential", ["x", "{}", "[]", '{"rawId": "AAAA"}', '{"rawId": 1}'])
async def test_what_no_browser_sends_is_refused(page: Page, credential: str) -> None:
    device = Authenticator(credential_id=b"\0\0\0")
    await page.enrol(await page.identity.signed_in(), device)
    with refused(Reason.PASSKEY_INVALID):
        await page.finish((await page.begin()).challenge, credential)
