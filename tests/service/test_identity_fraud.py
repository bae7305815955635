"""Who is linked with whom and by what, what raises flags, and what staff see and note of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from services.identity.settings import FraudSettings
from services.kit.reason import Reason
from services.kit.tokens import Keyring
from tests.service.identity_server import PASSWORD, Identity, StartIdentity, bearer, refused
from tests.waiting import eventually
from veritick.identity.v1.auth_service_pb2 import LogInRequest
from veritick.identity.v1.fraud_service_pb2 import (
    FraudFlag,
    ListClusterLinksRequest,
    ListClusterLinksResponse,
    ListFraudFlagsRequest,
    ListLinkedUsersRequest,
    ListUserClustersRequest,
    ListUserTracesRequest,
    ResolveFraudFlagRequest,
    UserTrace,
)
from veritick.identity.v1.fraud_service_pb2_grpc import FraudServiceStub
from veritick.identity.v1.user_pb2 import User

if TYPE_CHECKING:
    from veritick.identity.v1.fraud_service_pb2_grpc import FraudServiceAsyncStub

pytest_plugins = ["tests.service.identity_fixtures"]

Metadata = tuple[tuple[str, str], ...]
HOME, OFFICE, LAPTOP, PHONE = "192.0.2.7", "198.51.100.9", "a-laptop", "a-phone"
DEVICE, ADDRESS = UserTrace.DEVICE, UserTrace.ADDRESS


@dataclass
class Watch:
    """Somebody of compliance, and users who sign in from somewhere."""

    identity: Identity
    fraud: FraudServiceAsyncStub
    staff: Metadata

    async def seen(self, user: User, address: str = "", device: str = "") -> None:
        """Let a user sign in from somewhere."""
        keys = self.identity.settings.required("keys")
        proof = Keyring.load(keys, "edge").service_token("identity", self.identity.clock.now())
        where = (
            ("x-origin-address", address),
            ("x-origin-device", device),
            ("x-origin-proof", proof),
        )
        request = LogInRequest(email=user.email, password=PASSWORD)
        await self.identity.auth.LogIn(request, metadata=where)

    async def looked(self) -> None:
        """Wait until all who signed in were looked at."""
        query = "SELECT 1 FROM sessions WHERE NOT traced"
        await eventually(lambda: not self.identity.rows(query))

    async def linked(self, user: User) -> dict[str, list[tuple[int, str]]]:
        """Return who is linked with a user, and by what."""
        request = ListLinkedUsersRequest(user_id=user.user_id)
        answer = await self.fraud.ListLinkedUsers(request, metadata=self.staff)
        return {
            linked.user_id: [(trace.kind, trace.value) for trace in linked.shared]
            for linked in answer.linked_users
        }

    async def clusters(self, text: str = "") -> list[list[str]]:
        """Return who hangs together."""
        request = ListUserClustersRequest(filter=text)
        answer = await self.fraud.ListUserClusters(request, metadata=self.staff)
        return [[*cluster.user_ids] for cluster in answer.clusters]

    async def flags(self, text: str = "") -> list[FraudFlag]:
        """Return what needs a look."""
        request = ListFraudFlagsRequest(filter=text)
        return [*(await self.fraud.ListFraudFlags(request, metadata=self.staff)).flags]


@asynccontextmanager
async def watch(start_identity: StartIdentity, **settings: int) -> AsyncIterator[Watch]:
    async with start_identity(fraud=FraudSettings(**settings)) as identity:
        officer = await identity.register()
        identity.rows(
            "UPDATE users SET roles = '{compliance}' WHERE user_id = %s RETURNING 1",
            officer.user_id,
        )
        staff = bearer((await identity.log_in(officer.email)).access_token)
        async with identity.anybody() as channel:
            yield Watch(identity, FraudServiceStub(channel), staff)


async def test_users_who_share_something_are_linked_until_too_many_share_it(
    start_identity: StartIdentity,
) -> None:
    async with watch(start_identity, users_per_address=2) as watching:
        ana, ben, cai, dot, eve = [await watching.identity.register() for _ in range(5)]
        await watching.seen(ana, HOME, LAPTOP)
        await watching.seen(ben, OFFICE, LAPTOP)
        await watching.seen(cai, OFFICE)
        await watching.seen(dot, "203.0.113.1", "another")
        await watching.looked()
        linked = await watching.linked(ana)
        together = await watching.clusters()
        traces = await watching.fraud.ListUserTraces(
            ListUserTracesRequest(user_id=ben.user_id), metadata=watching.staff
        )
        await watching.seen(eve, OFFICE)
        await watching.looked()
        left = await watching.clusters()

    assert linked == {ben.user_id: [(DEVICE, LAPTOP)], cai.user_id: []}
    assert together == [[ana.user_id, ben.user_id, cai.user_id]]
    assert sorted((trace.value, trace.users, trace.links) for trace in traces.traces) == [
        (OFFICE, 2, True),
        (LAPTOP, 2, True),
    ]
    assert left == [[ana.user_id, ben.user_id]]


async def test_what_links_a_cluster_is_listed_with_whom_it_links(
    start_identity: StartIdentity,
) -> None:
    async with watch(start_identity, users_per_address=2) as watching:
        ana, ben, cai, dot = [await watching.identity.register() for _ in range(4)]
        await watching.seen(ana, HOME, LAPTOP)
        await watching.seen(ben, OFFICE, LAPTOP)
        await watching.seen(cai, OFFICE, PHONE)
        for user in (ana, ben, dot):
            await watching.seen(user, "203.0.113.1")
        await watching.looked()
        fraud, staff, cluster = watching.fraud, watching.staff, ana.user_id

        async def links(**more: Any) -> ListClusterLinksResponse:
            request = ListClusterLinksRequest(cluster_id=cluster, **more)
            return await fraud.ListClusterLinks(request, metadata=staff)

        every = await links()
        first = await links(page_size=1)
        second = await links(page_size=1, page_token=first.next_page_token)
        addresses = await links(filter="kind=ADDRESS")
        with refused(Reason.INVALID_FILTER):
            await links(filter="kind=SHOE")
        nobody = await fraud.ListClusterLinks(
            ListClusterLinksRequest(cluster_id=dot.user_id), metadata=staff
        )

    assert [(link.kind, link.value, [*link.user_ids]) for link in every.links] == [
        (DEVICE, LAPTOP, [ana.user_id, ben.user_id]),
        (ADDRESS, OFFICE, [ben.user_id, cai.user_id]),
    ]
    assert [*first.links, *second.links] == [*every.links]
    assert [*addresses.links] == [every.links[1]]
    assert [*nobody.links] == []


async def test_lists_have_pages_and_filters(start_identity: StartIdentity) -> None:
    async with watch(start_identity) as watching:
        ana, ben, cai = [await watching.identity.register() for _ in range(3)]
        for user in (ana, ben, cai):
            await watching.seen(user, HOME, LAPTOP)
        await watching.seen(cai, OFFICE, PHONE)
        await watching.looked()
        fraud, staff = watching.fraud, watching.staff
        first = await fraud.ListLinkedUsers(
            ListLinkedUsersRequest(user_id=ana.user_id, page_size=1), metadata=staff
        )
        second = await fraud.ListLinkedUsers(
            ListLinkedUsersRequest(
                user_id=ana.user_id, page_size=1, page_token=first.next_page_token
            ),
            metadata=staff,
        )
        seen, token = [], ""
        for _ in range(3):
            page = await fraud.ListUserTraces(
                ListUserTracesRequest(
                    user_id=cai.user_id, filter="kind=ADDRESS", page_size=1, page_token=token
                ),
                metadata=staff,
            )
            seen += [trace.value for trace in page.traces]
            token = page.next_page_token
            if not token:
                break
        own = await watching.clusters(f"userId={cai.user_id}")
        none = await watching.clusters(f"userId={uuid4()}")
        with refused(Reason.INVALID_FILTER):
            await watching.clusters("userId=ana")
        with refused(Reason.INVALID_FILTER):
            await watching.flags("state=CLOSED")
        with refused(Reason.USER_NOT_FOUND):
            await fraud.ListLinkedUsers(
                ListLinkedUsersRequest(user_id=str(uuid4())), metadata=staff
            )

    linked = [item.user_id for page in (first, second) for item in page.linked_users]
    assert linked == [ben.user_id, cai.user_id]
    assert sorted(seen) == [HOME, OFFICE]
    assert (own, none) == ([[ana.user_id, ben.user_id, cai.user_id]], [])


async def test_what_is_odd_raises_one_flag_a_day_which_somebody_resolves(
    start_identity: StartIdentity,
) -> None:
    async with watch(start_identity, new_users_per_device=1) as watching:
        identity = watching.identity
        ana, ben = await identity.register(), await identity.register()
        await watching.seen(ana, HOME, LAPTOP)
        identity.rows("UPDATE users SET banned = true WHERE user_id = %s RETURNING 1", ana.user_id)
        for _ in range(2):
            await watching.seen(ben, OFFICE, LAPTOP)
        await watching.looked()
        identity.rows(
            "INSERT INTO fraud_flag (flag_id, rule, user_id, detail, raised_at, note) "
            "VALUES (gen_random_uuid(), 'OF_A_NEWER_BUILD', %s, '', now(), '') RETURNING 1",
            ben.user_id,
        )
        raised = await watching.flags()
        about = raised[0].flag_id
        resolve = ResolveFraudFlagRequest(flag_id=about, note="brother and sister")
        resolved = await watching.fraud.ResolveFraudFlag(resolve, metadata=watching.staff)
        resolve.note = "on second thoughts"
        again = await watching.fraud.ResolveFraudFlag(resolve, metadata=watching.staff)
        still_open = await watching.flags(f"state=OPEN AND userId={ben.user_id}")
        with refused(Reason.FLAG_NOT_FOUND):
            await watching.fraud.ResolveFraudFlag(
                ResolveFraudFlagRequest(flag_id=str(uuid4()), note="?"), metadata=watching.staff
            )
        trader = bearer((await identity.signed_in()).access_token)
        with refused(Reason.PERMISSION_DENIED):
            await watching.fraud.ListFraudFlags(ListFraudFlagsRequest(), metadata=trader)
        records = [
            entry.event.audit_recorded.record
            for entry in await identity.events("audit.recorded.v1")
        ]

    assert sorted((flag.rule, flag.user_id) for flag in raised) == [
        (FraudFlag.NEW_USERS_PER_DEVICE, ben.user_id),
        (FraudFlag.DEVICE_OF_BANNED_USER, ben.user_id),
    ]
    assert (resolved.flag.state, resolved.flag.note) == (FraudFlag.RESOLVED, "brother and sister")
    assert again.flag == resolved.flag
    assert [flag.flag_id for flag in still_open] == [
        flag.flag_id for flag in raised if flag.flag_id != about
    ]
    told = [record.action for record in records if record.action.startswith("fraud.")]
    assert told == ["fraud.flag", "fraud.flag", "fraud.resolve"]
