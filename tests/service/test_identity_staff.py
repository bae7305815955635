"""Staff: roles given, taken and defined, powerful ones by two; users shut out and let in."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import grpc
import jwt
import psycopg
import pyotp
import pytest

from services.identity import roles
from services.identity.permission import ALL, PERMISSIONS, Role
from services.kit.channels import failure_of, services_of
from services.kit.contract import Rpc, rpc_of
from services.kit.reason import Reason
from services.kit.wire import to_datetime, to_timestamp
from tests.service.identity_desk import Desk, Metadata
from tests.service.identity_server import Identity, bearer, refused
from tests.waiting import PATIENCE_SECONDS, eventually
from veritick.identity.v1.auth_service_pb2 import ConfirmTotpRequest, EnrolTotpRequest
from veritick.identity.v1.role_service_pb2 import (
    ListRoleProposalsRequest,
    ListRolesRequest,
    RejectRoleProposalRequest,
    SetRoleRequest,
)
from veritick.identity.v1.user_admin_service_pb2 import (
    BanUserRequest,
    EndUserSessionsRequest,
    GetUserRequest,
    LiftBanRequest,
    ListUserSessionsRequest,
    ListUsersRequest,
    TakeRoleRequest,
)
from veritick.identity.v1.user_pb2 import User
from veritick.type.v1.staff_proposal_pb2 import StaffProposal

if TYPE_CHECKING:
    pass

pytest_plugins = ["tests.service.identity_fixtures", "tests.service.identity_desk"]
pytestmark = pytest.mark.security


async def until_renewed(desk: Desk, who: Metadata) -> None:
    """Wait until a token is refused because it tells older permissions."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await refusal_of(desk.roles.ListRoles(ListRolesRequest(), metadata=who)) is None:
            await asyncio.sleep(0.01)
    with refused(Reason.TOKEN_EXPIRED):
        await desk.roles.ListRoles(ListRolesRequest(), metadata=who)


async def refusal_of(call: Awaitable[object]) -> Reason | None:
    """Return why a call was refused, None when it was answered."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return failure_of(error).reason
    return None


async def test_a_harmless_role_is_given_and_taken_by_one_person(desk: Desk) -> None:
    admin = await desk.staff("admin")
    user = await desk.identity.register()
    given = await desk.grant(admin, user, "support")
    assert list(given.user.roles) == ["trader", "support"]
    assert not given.HasField("proposal")
    assert await desk.may(user.email) == set(PERMISSIONS[Role.SUPPORT])
    request = TakeRoleRequest(user_id=user.user_id, role="support")
    for _ in range(2):
        taken = await desk.users.TakeRole(request, metadata=admin)
        assert list(taken.user.roles) == ["trader"]
    assert await desk.may(user.email) == set()


async def test_staff_are_told_what_they_may_do_and_whether_they_have_a_second_factor(
    desk: Desk,
) -> None:
    officer = await desk.staff("support", "compliance")
    token = officer[0][1].removeprefix("Bearer ")
    profile = await desk.identity.get_profile(token)
    both = PERMISSIONS[Role.SUPPORT] | PERMISSIONS[Role.COMPLIANCE]
    assert list(profile.permissions) == sorted(both)
    enrolled = await desk.identity.auth.EnrolTotp(EnrolTotpRequest(), metadata=officer)
    assert not (await desk.identity.get_profile(token)).second_factor
    code = pyotp.TOTP(enrolled.secret).at(desk.identity.clock.now())
    await desk.identity.auth.ConfirmTotp(ConfirmTotpRequest(code=code), metadata=officer)
    assert (await desk.identity.get_profile(token)).second_factor
    seen = await desk.users.GetUser(GetUserRequest(user_id=profile.user_id), metadata=officer)
    assert (seen.user.second_factor, list(seen.user.permissions)) == (True, [])


async def test_what_staff_say_about_what_they_do_is_on_record(desk: Desk) -> None:
    admin, user = await desk.staff("admin"), await desk.identity.register()
    await desk.grant(admin, user, "support")
    await desk.roles.SetRole(
        SetRoleRequest(role="night", reason="a shift", request_id=str(uuid4())), metadata=admin
    )
    ban = BanUserRequest(user_id=user.user_id, reason="a bot")
    await desk.users.BanUser(ban, metadata=admin)
    lift = LiftBanRequest(user_id=user.user_id, reason="a mistake")
    await desk.users.LiftBan(lift, metadata=admin)
    records = [
        entry.event.audit_recorded.record
        for entry in await desk.identity.events("audit.recorded.v1")
    ]
    told = {record.action: record.reason for record in records if record.reason}
    assert told == {
        "user.roles": "hired",
        "role.define": "a shift",
        "user.ban": "a bot",
        "user.unban": "a mistake",
    }


async def test_a_powerful_role_needs_two_people(desk: Desk) -> None:
    first, second = await desk.staff("admin"), await desk.staff("admin")
    user = await desk.identity.register()
    asked = await desk.grant(first, user, "dealer")
    assert asked.proposal.state == StaffProposal.PENDING
    assert await desk.may(user.email) == set()
    with refused(Reason.SAME_PERSON):
        await desk.approve(first, asked.proposal)
    assert (await desk.approve(second, asked.proposal)).state == StaffProposal.EXECUTED
    assert await desk.may(user.email) == PERMISSIONS[Role.DEALER]
    listed = await desk.roles.ListRoleProposals(
        ListRoleProposalsRequest(filter="state=EXECUTED"), metadata=first
    )
    assert [item.proposal_id for item in listed.proposals] == [asked.proposal.proposal_id]


async def test_a_role_that_became_powerful_meanwhile_is_only_proposed(desk: Desk) -> None:
    admin, user = await desk.staff("admin"), await desk.identity.register()
    waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with psycopg.connect(desk.identity.access.owner) as changing:
        changing.execute("SELECT pg_advisory_xact_lock(%s)", [roles.LOCK_KEY])
        changing.execute("INSERT INTO roles VALUES ('support', '{roles.write}', now())")
        granting = asyncio.create_task(desk.grant(admin, user, "support"))
        await eventually(lambda: granting.done() or bool(desk.identity.rows(waiting)))
    assert (await granting).HasField("proposal")
    assert await desk.may(user.email) == set()


async def test_what_was_rejected_never_happens(desk: Desk) -> None:
    first, second = await desk.staff("admin"), await desk.staff("admin")
    user = await desk.identity.register()
    proposal = (await desk.grant(first, user, "admin")).proposal
    request = RejectRoleProposalRequest(proposal_id=proposal.proposal_id, note="no")
    await desk.roles.RejectRoleProposal(request, metadata=second)
    with refused(Reason.PROPOSAL_NOT_PENDING):
        await desk.approve(second, proposal)
    assert await desk.may(user.email) == set()


async def test_a_changed_role_reaches_tokens_within_a_second(desk: Desk) -> None:
    admin, bearer_of_role = await desk.staff("admin"), await desk.staff("compliance")
    await desk.roles.ListRoles(ListRolesRequest(), metadata=bearer_of_role)
    request = SetRoleRequest(
        role="compliance", permissions=["users.read"], reason="less", request_id=str(uuid4())
    )
    answer = await desk.roles.SetRole(request, metadata=admin)
    assert not answer.HasField("proposal")
    await until_renewed(desk, bearer_of_role)


async def test_a_new_role_with_power_waits_for_a_second_person(desk: Desk) -> None:
    first, second = await desk.staff("admin"), await desk.staff("admin")
    request = SetRoleRequest(
        role="corrector",
        permissions=["ledger.adjust.propose", "ledger.read"],
        reason="for the month's end",
        request_id=str(uuid4()),
    )
    proposal = (await desk.roles.SetRole(request, metadata=first)).proposal
    user = await desk.identity.register()
    with refused(Reason.ROLE_NOT_FOUND):
        await desk.grant(first, user, "corrector")
    assert (await desk.approve(second, proposal)).state == StaffProposal.EXECUTED
    given = (await desk.grant(first, user, "corrector")).proposal
    await desk.approve(second, given)
    assert await desk.may(user.email) == {"ledger.adjust.propose", "ledger.read"}


@pytest.mark.parametrize(
    ("role", "wanted", "reason"),
    [
        ("admin", ["users.read"], Reason.ROLE_FIXED),
        ("trader", ["users.read"], Reason.ROLE_FIXED),
        ("auditor", ["moon.write"], Reason.INVALID_REQUEST),
    ],
)
async def test_what_no_role_can_be_is_refused(
    desk: Desk, role: str, wanted: list[str], reason: Reason
) -> None:
    admin = await desk.staff("admin")
    request = SetRoleRequest(
        role=role, permissions=wanted, reason="why not", request_id=str(uuid4())
    )
    with refused(reason):
        await desk.roles.SetRole(request, metadata=admin)


async def test_nobody_helps_or_shuts_out_himself(desk: Desk) -> None:
    admin = await desk.staff("admin")
    claims = jwt.decode(admin[0][1].split()[1], options={"verify_signature": False})
    me = User(user_id=claims["sub"])
    with refused(Reason.SAME_PERSON):
        await desk.grant(admin, me, "support")
    with refused(Reason.SAME_PERSON):
        await desk.users.BanUser(BanUserRequest(user_id=me.user_id, reason="tired"), metadata=admin)


async def test_a_ban_ends_everything_and_keeps_out_until_it_is_over(desk: Desk) -> None:
    admin, identity = await desk.staff("compliance"), desk.identity
    user = await identity.register()
    session = await identity.log_in(user.email)
    until = identity.clock.now() + timedelta(days=1)
    request = BanUserRequest(
        user_id=user.user_id, reason="two accounts", until_time=to_timestamp(until)
    )
    banned = (await desk.users.BanUser(request, metadata=admin)).user
    assert (banned.banned, to_datetime(banned.banned_until_time)) == (True, until)
    for call in (identity.get_profile(session.access_token),):
        with refused(Reason.SESSION_ENDED):
            await call
    with refused(Reason.SESSION_ENDED):
        await identity.refresh(session.refresh_token)
    with refused(Reason.USER_BLOCKED) as refusal:
        await identity.log_in(user.email)
    assert refusal.metadata == {"until": until.isoformat()}
    with refused(Reason.INVALID_CREDENTIALS):
        await identity.log_in(user.email, "not the password")
    told = (await identity.events("user.changed.v1"))[-1].event.user_changed.user
    assert (told.user_id, told.banned) == (user.user_id, True)
    identity.clock.set(until)
    await identity.log_in(user.email)


async def test_a_ban_without_end_is_lifted_by_staff(desk: Desk) -> None:
    admin, identity = await desk.staff("admin"), desk.identity
    user = await identity.register()
    for reason in ("first", "second"):
        await desk.users.BanUser(
            BanUserRequest(user_id=user.user_id, reason=reason), metadata=admin
        )
    identity.clock.advance(timedelta(days=10_000))
    with refused(Reason.USER_BLOCKED):
        await identity.log_in(user.email)
    admin = await desk.staff("admin")
    lift = LiftBanRequest(user_id=user.user_id, reason="a mistake")
    for _ in range(2):
        lifted = await desk.users.LiftBan(lift, metadata=admin)
        assert not lifted.user.banned
    await identity.log_in(user.email)
    kept = identity.rows("SELECT reason, lift_reason FROM bans ORDER BY ban_id")
    assert kept == [("first", "replaced by another ban"), ("second", "a mistake")]


async def test_a_ban_lies_in_the_future(desk: Desk) -> None:
    admin = await desk.staff("admin")
    user = await desk.identity.register()
    now = to_timestamp(desk.identity.clock.now())
    with refused(Reason.INVALID_REQUEST) as refusal:
        await desk.users.BanUser(
            BanUserRequest(user_id=user.user_id, reason="x", until_time=now), metadata=admin
        )
    assert refusal.fields == ["until_time"]


async def test_staff_find_users_and_end_their_sessions(desk: Desk) -> None:
    admin, identity = await desk.staff("admin"), desk.identity
    ana, ben = await identity.register("Ana@example.com"), await identity.register()
    session = await identity.log_in(ana.email)

    async def found(condition: str) -> list[str]:
        request = ListUsersRequest(filter=condition)
        answer = await desk.users.ListUsers(request, metadata=admin)
        return [user.user_id for user in answer.users]

    assert await found("email=ana@EXAMPLE.com") == [ana.user_id]
    assert len(await found("role=admin")) == 1
    assert await found("banned=true") == []
    assert (await found(""))[:2] == [ben.user_id, ana.user_id]
    with refused(Reason.INVALID_FILTER):
        await found("banned=maybe")
    shown = await desk.users.ListUserSessions(
        ListUserSessionsRequest(user_id=ana.user_id), metadata=admin
    )
    assert [item.session_id for item in shown.sessions] == [session.session_id]
    ended = await desk.users.EndUserSessions(
        EndUserSessionsRequest(user_id=ana.user_id), metadata=admin
    )
    assert ended.ended == 1
    told = [e.event.audit_recorded.record for e in await identity.events("audit.recorded.v1")]
    assert ("user.sign-out", f"user:{ana.user_id}") in [(r.action, r.subject) for r in told]
    with refused(Reason.SESSION_ENDED):
        await identity.refresh(session.refresh_token)
    with refused(Reason.USER_NOT_FOUND):
        await desk.users.GetUser(GetUserRequest(user_id=str(uuid4())), metadata=admin)


async def test_every_method_asks_every_role_for_its_permission(identity: Identity) -> None:
    """The matrix of roles and methods of this service, from the descriptors."""
    # Somebody who exists: calls that find nobody fail inside, and are slow to say so.
    user = await identity.register()
    tokens = {
        name: identity.keyring.sign(
            {
                "aud": "veritick",
                "sub": user.user_id,
                "sid": str(uuid4()),
                "perm": sorted(granted),
                "auth_time": int(identity.clock.now().timestamp()),
            },
            timedelta(minutes=5),
            identity.clock.now(),
        )
        for name, granted in PERMISSIONS.items()
    }
    methods = [method for service in services_of("identity") for method in service.methods]
    async with identity.anybody() as channel:
        for rpc in map(rpc_of, methods):
            people = rpc.access.WhichOneof("people")
            if people == "public":
                continue
            serialize = rpc.request.SerializeToString
            call: Any = channel.unary_unary(rpc.path, request_serializer=serialize)
            admitted = {
                name for name, token in tokens.items() if await _admitted(call, rpc, bearer(token))
            }
            wanted = {
                name
                for name, granted in PERMISSIONS.items()
                if people == "user" or rpc.access.permission in granted
            }
            assert admitted == wanted, rpc.path
            assert not await _admitted(call, rpc, ()), rpc.path
    assert {rpc_of(method).access.permission for method in methods} - {""} <= ALL


async def _admitted(call: Any, rpc: Rpc, metadata: Metadata) -> bool:
    """Tell whether an empty request got past the door: what it lacks is another matter."""
    reason = await refusal_of(call(rpc.request(), metadata=metadata))
    return reason not in {Reason.PERMISSION_DENIED, Reason.UNAUTHENTICATED}
