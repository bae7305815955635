"""Who brought whom: by a link, once, and never oneself under another name."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from services.identity.settings import FraudSettings
from services.kit.reason import Reason
from services.kit.tokens import Keyring
from services.kit.wire import to_timestamp
from tests.service.identity_server import PASSWORD, Identity, StartIdentity, bearer, refused
from tests.waiting import eventually
from veritick.identity.v1.auth_service_pb2 import LogInRequest, RegisterRequest
from veritick.identity.v1.referral_service_pb2 import (
    GetReferralLinkRequest,
    ListReferredUsersRequest,
    ListReferredUsersResponse,
    ListUserReferralsRequest,
    ListUserReferralsResponse,
    Referral,
)
from veritick.identity.v1.referral_service_pb2_grpc import ReferralServiceStub
from veritick.identity.v1.user_pb2 import User

if TYPE_CHECKING:
    from veritick.identity.v1.referral_service_pb2_grpc import ReferralServiceAsyncStub

pytest_plugins = ["tests.service.identity_fixtures"]

Metadata = tuple[tuple[str, str], ...]
HOME, OFFICE, LAPTOP, PHONE = "192.0.2.7", "198.51.100.9", "a-laptop", "a-phone"


@dataclass
class Circle:
    """Ana, who has a link, and whoever comes by it from somewhere."""

    identity: Identity
    referrals: ReferralServiceAsyncStub
    ana: User
    who: Metadata
    code: str

    def at(self, address: str, device: str) -> Metadata:
        """Return what the edge tells of a call from there."""
        keys = self.identity.settings.required("keys")
        proof = Keyring.load(keys, "edge").service_token("identity", self.identity.clock.now())
        return (
            ("x-origin-address", address),
            ("x-origin-device", device),
            ("x-origin-proof", proof),
        )

    async def join(self, address: str, device: str = "", code: str = "", email: str = "") -> User:
        """Let somebody register by the link."""
        request = RegisterRequest(
            email=email or f"{uuid4()}@example.com",
            password=PASSWORD,
            referral_code=code or self.code,
        )
        answer = await self.identity.auth.Register(request, metadata=self.at(address, device))
        return answer.user

    async def seen(self, user: User, address: str, device: str) -> None:
        """Let somebody sign in."""
        request = LogInRequest(email=user.email, password=PASSWORD)
        await self.identity.auth.LogIn(request, metadata=self.at(address, device))

    async def looked(self) -> None:
        """Wait until all who signed in were looked at."""
        query = "SELECT 1 FROM sessions WHERE NOT traced"
        await eventually(lambda: not self.identity.rows(query))

    async def mine(self, **page: object) -> ListReferredUsersResponse:
        """Return whom Ana sees."""
        request = ListReferredUsersRequest(**page)  # type: ignore[arg-type]
        return await self.referrals.ListReferredUsers(request, metadata=self.who)

    async def of(self, user: User, text: str = "") -> ListUserReferralsResponse:
        """Return what staff see of a user."""
        staff = await self.identity.register()
        self.identity.rows(
            "UPDATE users SET roles = '{support}' WHERE user_id = %s RETURNING 1", staff.user_id
        )
        who = bearer((await self.identity.log_in(staff.email)).access_token)
        request = ListUserReferralsRequest(user_id=user.user_id, filter=text)
        return await self.referrals.ListUserReferrals(request, metadata=who)

    def flags(self) -> list[tuple[str, str]]:
        """Return the flags about own referrals, and about whom."""
        query = "SELECT user_id::text, detail FROM fraud_flag WHERE rule = 'OWN_REFERRAL'"
        return self.identity.rows(query)


@asynccontextmanager
async def circle(start_identity: StartIdentity, **settings: int) -> AsyncIterator[Circle]:
    async with start_identity(fraud=FraudSettings(**settings)) as identity:
        ana = await identity.register()
        who = bearer((await identity.log_in(ana.email)).access_token)
        async with identity.anybody() as channel:
            stub = ReferralServiceStub(channel)
            link = await stub.GetReferralLink(GetReferralLinkRequest(), metadata=who)
            assert link.url == f"{identity.settings.site_url}/sign-up?ref={link.code}"
            yield Circle(identity, stub, ana, who, link.code)


@pytest.fixture
async def friends(start_identity: StartIdentity) -> AsyncIterator[Circle]:
    async with circle(start_identity) as made:
        yield made


async def test_who_comes_by_a_link_has_its_owner_as_referrer_for_good(friends: Circle) -> None:
    ben = await friends.join(HOME, LAPTOP, email="ben@example.com")
    cai = await friends.join(OFFICE, PHONE, friends.code.lower(), "cai@example.com")

    first = await friends.mine(page_size=1)
    rest = await friends.mine(page_size=1, page_token=first.next_page_token)
    later = await friends.mine(
        start=to_timestamp(friends.identity.clock.now() + timedelta(hours=1))
    )
    staff = await friends.of(ben)
    again = await friends.referrals.GetReferralLink(GetReferralLinkRequest(), metadata=friends.who)

    assert again.code == friends.code
    shown = [item.masked_email for item in (*first.referred_users, *rest.referred_users)]
    assert shown == ["c***@e***", "b***@e***"]
    assert (first.total_size, rest.total_size) == (2, 2)
    assert (list(later.referred_users), later.total_size) == ([], 2)
    assert staff.referrer.referrer_id == friends.ana.user_id
    assert staff.referrer.refusal == Referral.REFUSAL_UNSPECIFIED
    assert [item.user_id for item in (await friends.of(friends.ana)).referrals] == [
        cai.user_id,
        ben.user_id,
    ]
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        psycopg.connect(friends.identity.access.service) as service,
    ):
        service.execute("UPDATE referral SET referrer_id = user_id")
    recorded = [
        entry.event.audit_recorded.record
        for entry in await friends.identity.events("audit.recorded.v1")
    ]
    (told,) = [item for item in recorded if item.subject == f"user:{ben.user_id}"]
    assert (told.action, told.actor) == ("user.refer", f"user:{ben.user_id}")
    assert json.loads(told.after)["referrerId"] == friends.ana.user_id


async def test_a_code_that_nobody_has_is_refused_before_anybody_is_registered(
    friends: Circle,
) -> None:
    with refused(Reason.REFERRAL_CODE_UNKNOWN) as refusal:
        await friends.join(HOME, code="ZZZZZZZZZZ", email="eve@example.com")
    assert "ana" not in refusal.message
    assert refusal.metadata == {}
    await friends.join(HOME, email="eve@example.com")


@pytest.mark.parametrize(
    ("address", "device", "refusal"),
    [
        (OFFICE, LAPTOP, Referral.SAME_DEVICE),
        (HOME, PHONE, Referral.SAME_ADDRESS),
        (HOME, "", Referral.SAME_ADDRESS),
        (OFFICE, PHONE, Referral.REFUSAL_UNSPECIFIED),
    ],
)
async def test_nobody_refers_from_where_he_is_himself(
    friends: Circle, address: str, device: str, refusal: Referral.Refusal.ValueType
) -> None:
    # Whether or not the session was followed yet.
    await friends.seen(friends.ana, HOME, LAPTOP)
    joined = await friends.join(address, device)

    found = await friends.of(joined)
    assert (found.referrer.referrer_id, found.referrer.refusal) == (friends.ana.user_id, refusal)
    brought = (await friends.of(friends.ana, "refusal=SAME_DEVICE")).referrals
    assert len(brought) == (1 if refusal == Referral.SAME_DEVICE else 0)
    counted = 0 if refusal else 1
    assert (await friends.mine()).total_size == counted
    assert [user for user, _ in friends.flags()] == ([joined.user_id] if refusal else [])


async def test_nobody_refers_within_a_cluster_and_a_crowd_is_none(
    start_identity: StartIdentity,
) -> None:
    async with circle(start_identity, users_per_address=3) as friends:
        ben = await friends.identity.register()
        await friends.seen(friends.ana, HOME, LAPTOP)
        await friends.seen(ben, OFFICE, LAPTOP)
        await friends.looked()
        near = await friends.of(await friends.join(OFFICE, PHONE))
        for _ in range(2):
            await friends.seen(await friends.identity.register(), OFFICE, "")
        await friends.looked()
        crowded = await friends.of(await friends.join(OFFICE, PHONE))

    assert near.referrer.refusal == Referral.SAME_CLUSTER
    assert crowded.referrer.refusal == Referral.REFUSAL_UNSPECIFIED


async def test_who_is_banned_refers_nobody(friends: Circle) -> None:
    friends.identity.rows(
        "UPDATE users SET banned = true WHERE user_id = %s RETURNING 1", friends.ana.user_id
    )
    found = await friends.of(await friends.join(HOME))
    assert found.referrer.refusal == Referral.REFERRER_BANNED
    assert friends.flags() == []


async def test_who_turns_out_to_share_a_device_with_the_referrer_is_flagged(
    friends: Circle,
) -> None:
    await friends.seen(friends.ana, HOME, LAPTOP)
    joined = await friends.join(OFFICE, PHONE)
    await friends.seen(joined, OFFICE, LAPTOP)
    await friends.looked()
    ((whom, detail),) = friends.flags()
    assert whom == joined.user_id
    assert detail.startswith("shares this device")
