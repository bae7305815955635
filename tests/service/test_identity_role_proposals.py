"""What staff propose about roles is taken back by who proposed it, and asked for once."""

from uuid import uuid4

import pytest

from services.kit.reason import Reason
from tests.service.identity_desk import Desk
from tests.service.identity_server import refused
from veritick.identity.v1.role_service_pb2 import WithdrawRoleProposalRequest
from veritick.identity.v1.user_admin_service_pb2 import GrantRoleRequest
from veritick.type.v1.staff_proposal_pb2 import StaffProposal

pytest_plugins = ["tests.service.identity_fixtures", "tests.service.identity_desk"]
pytestmark = pytest.mark.security


async def test_a_role_is_withdrawn_by_who_proposed_it(desk: Desk) -> None:
    first, second = await desk.staff("admin"), await desk.staff("admin")
    user = await desk.identity.register()
    request = GrantRoleRequest(
        user_id=user.user_id, role="dealer", reason="hired", request_id=str(uuid4())
    )
    proposal = (await desk.users.GrantRole(request, metadata=first)).proposal
    withdraw = WithdrawRoleProposalRequest(proposal_id=proposal.proposal_id, note="not hired")
    with refused(Reason.NOT_PROPOSER):
        await desk.roles.WithdrawRoleProposal(withdraw, metadata=second)
    withdrawn = (await desk.roles.WithdrawRoleProposal(withdraw, metadata=first)).proposal
    assert (withdrawn.state, withdrawn.decision_note) == (StaffProposal.WITHDRAWN, "not hired")
    with refused(Reason.PROPOSAL_NOT_PENDING):
        await desk.approve(second, proposal)
    assert (await desk.users.GrantRole(request, metadata=first)).proposal == withdrawn
    assert await desk.may(user.email) == set()


async def test_a_repeated_grant_is_answered_with_its_proposal_also_when_it_is_given(
    desk: Desk,
) -> None:
    first, second = await desk.staff("admin"), await desk.staff("admin")
    user = await desk.identity.register()
    request = GrantRoleRequest(
        user_id=user.user_id, role="dealer", reason="hired", request_id=str(uuid4())
    )
    proposal = (await desk.users.GrantRole(request, metadata=first)).proposal
    done = await desk.approve(second, proposal)
    assert (await desk.users.GrantRole(request, metadata=first)).proposal == done
