"""Lost second factors: two people give the way back to the password, and its owner hears of it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import pyotp
import pytest

from services.kit.reason import Reason
from tests.service.identity_desk import Desk, Metadata
from tests.service.identity_server import Identity, bearer, refused
from veritick.identity.v1.auth_service_pb2 import (
    ConfirmTotpRequest,
    DisableTotpRequest,
    EnrolTotpRequest,
)
from veritick.identity.v1.role_service_pb2 import ApproveRoleProposalRequest
from veritick.identity.v1.role_service_pb2 import ListRoleProposalsRequest as RoleList
from veritick.identity.v1.second_factor_reset_service_pb2 import (
    ApproveSecondFactorResetRequest,
    ListSecondFactorResetsRequest,
    ProposeSecondFactorResetRequest,
    RejectSecondFactorResetRequest,
    WithdrawSecondFactorResetRequest,
)
from veritick.identity.v1.second_factor_reset_service_pb2_grpc import SecondFactorResetServiceStub
from veritick.identity.v1.user_pb2 import Session, User
from veritick.type.v1.staff_proposal_pb2 import StaffProposal

if TYPE_CHECKING:
    from veritick.identity.v1.second_factor_reset_service_pb2_grpc import (
        SecondFactorResetServiceAsyncStub,
    )

pytest_plugins = ["tests.service.identity_fixtures", "tests.service.identity_desk"]
pytestmark = pytest.mark.security

PENDING, EXECUTED = StaffProposal.PENDING, StaffProposal.EXECUTED


@dataclass
class Case:
    """Somebody with a second factor, and staff: one who proposes, one who approves."""

    desk: Desk
    resets: "SecondFactorResetServiceAsyncStub"
    user: User
    session: Session
    support: Metadata
    compliance: Metadata

    @property
    def identity(self) -> Identity:
        return self.desk.identity

    async def propose(self, who: Metadata | None = None, *, passkeys: bool = False) -> str:
        request = ProposeSecondFactorResetRequest(
            user_id=self.user.user_id,
            reason="came by with a passport",
            passkeys=passkeys,
            request_id=str(uuid4()),
        )
        answer = await self.resets.ProposeSecondFactorReset(request, metadata=who or self.support)
        assert answer.proposal.state == PENDING
        return answer.proposal.proposal_id

    async def approve(self, proposal_id: str, who: Metadata | None = None) -> StaffProposal:
        request = ApproveSecondFactorResetRequest(proposal_id=proposal_id)
        metadata = who or self.compliance
        return (await self.resets.ApproveSecondFactorReset(request, metadata=metadata)).proposal


async def enrol(identity: Identity, session: Session) -> None:
    """Let a session's user have a second factor."""
    who = bearer(session.access_token)
    secret = (await identity.auth.EnrolTotp(EnrolTotpRequest(), metadata=who)).secret
    code = pyotp.TOTP(secret).at(identity.clock.now())
    await identity.auth.ConfirmTotp(ConfirmTotpRequest(code=code), metadata=who)


@pytest.fixture
async def case(desk: Desk) -> AsyncIterator[Case]:
    user = await desk.identity.register()
    session = await desk.identity.log_in(user.email)
    await enrol(desk.identity, session)
    support, compliance = await desk.staff("support"), await desk.staff("compliance")
    async with desk.identity.anybody() as channel:
        stub = SecondFactorResetServiceStub(channel)
        yield Case(desk, stub, user, session, support, compliance)


async def test_a_lost_factor_is_taken_by_two_and_leaves_the_password(case: Case) -> None:
    identity, proposal_id = case.identity, await case.propose(passkeys=True)
    with refused(Reason.SECOND_FACTOR_REQUIRED):
        await identity.log_in(case.user.email)
    approved = await case.approve(proposal_id)
    assert (approved.state, approved.result) == (EXECUTED, case.user.user_id)
    with refused(Reason.SESSION_ENDED):
        await identity.refresh(case.session.refresh_token)
    again = await identity.log_in(case.user.email)
    letter = await identity.letter(case.user.email, "Your second factor was taken away")
    assert "/account/security" in letter
    records = await identity.events("audit.recorded.v1")
    told = [entry.event.audit_recorded.record for entry in records]
    (reset,) = [record for record in told if record.action == "second-factor.reset"]
    assert (reset.subject, reset.reason) == (
        f"user:{case.user.user_id}",
        "came by with a passport",
    )
    # Approved again, it is answered as before and touches nothing new.
    await enrol(identity, again)
    assert (await case.approve(proposal_id)).state == EXECUTED
    with refused(Reason.SECOND_FACTOR_REQUIRED):
        await identity.log_in(case.user.email)


async def test_what_is_carried_out_again_after_a_crash_takes_no_newer_factor(case: Case) -> None:
    identity, proposal_id = case.identity, await case.propose()
    await case.approve(proposal_id)
    await enrol(identity, await identity.log_in(case.user.email))
    undo = "UPDATE proposal SET state = 2, ended_at = NULL WHERE proposal_id = %s RETURNING 1"
    identity.rows(undo, proposal_id)
    assert (await case.approve(proposal_id)).state == EXECUTED
    with refused(Reason.SECOND_FACTOR_REQUIRED):
        await identity.log_in(case.user.email)


async def test_nobody_takes_a_factor_alone_or_his_own(case: Case) -> None:
    identity = case.identity
    admin = await case.desk.staff("admin")
    proposal_id = await case.propose(admin)
    with refused(Reason.SAME_PERSON):
        await case.approve(proposal_id, admin)
    for who, reason in (
        (case.support, Reason.PERMISSION_DENIED),
        (bearer(case.session.access_token), Reason.PERMISSION_DENIED),
    ):
        with refused(reason):
            await case.approve(proposal_id, who)
    with refused(Reason.PROPOSAL_NOT_FOUND):
        await case.desk.roles.ApproveRoleProposal(
            ApproveRoleProposalRequest(proposal_id=proposal_id),
            metadata=await case.desk.staff("admin"),
        )
    hire = "UPDATE users SET roles = '{admin}' WHERE user_id = %s RETURNING 1"
    identity.rows(hire, case.user.user_id)
    own = bearer((await identity.refresh(case.session.refresh_token)).access_token)
    with refused(Reason.SAME_PERSON):
        await case.approve(proposal_id, own)
    with refused(Reason.SAME_PERSON):
        await case.propose(own)


async def test_a_factor_that_is_not_there_cannot_be_taken(case: Case) -> None:
    identity, proposal_id = case.identity, await case.propose()
    who = bearer(case.session.access_token)
    await identity.auth.DisableTotp(DisableTotpRequest(), metadata=who)
    with refused(Reason.SECOND_FACTOR_MISSING):
        await case.propose()
    failed = await case.approve(proposal_id)
    assert failed.state == StaffProposal.FAILED
    assert (await identity.get_profile(case.session.access_token)).user_id == case.user.user_id


async def test_a_reset_is_rejected_or_taken_back_and_listed_apart_from_roles(case: Case) -> None:
    first, second = await case.propose(), await case.propose()
    taken_back = WithdrawSecondFactorResetRequest(proposal_id=first, note="found the codes")
    await case.resets.WithdrawSecondFactorReset(taken_back, metadata=case.support)
    rejected = RejectSecondFactorResetRequest(proposal_id=second, note="a forged passport")
    await case.resets.RejectSecondFactorReset(rejected, metadata=case.compliance)
    request = ListSecondFactorResetsRequest(filter="state=REJECTED")
    listed = (await case.resets.ListSecondFactorResets(request, metadata=case.support)).proposals
    assert [proposal.proposal_id for proposal in listed] == [second]
    with refused(Reason.INVALID_FILTER):
        await case.desk.roles.ListRoleProposals(
            RoleList(filter="kind=factor.reset"), metadata=case.compliance
        )
    with refused(Reason.SECOND_FACTOR_REQUIRED):
        await case.identity.log_in(case.user.email)
