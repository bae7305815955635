"""Staff at a running identity."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import jwt
import pytest

from tests.service.identity_server import Identity, bearer
from veritick.identity.v1.role_service_pb2 import ApproveRoleProposalRequest
from veritick.identity.v1.role_service_pb2_grpc import RoleServiceStub
from veritick.identity.v1.user_admin_service_pb2 import GrantRoleRequest, GrantRoleResponse
from veritick.identity.v1.user_admin_service_pb2_grpc import UserAdminServiceStub
from veritick.identity.v1.user_pb2 import Session, User
from veritick.type.v1.staff_proposal_pb2 import StaffProposal

if TYPE_CHECKING:
    from veritick.identity.v1.role_service_pb2_grpc import RoleServiceAsyncStub
    from veritick.identity.v1.user_admin_service_pb2_grpc import UserAdminServiceAsyncStub

Metadata = tuple[tuple[str, str], ...]


@dataclass
class Desk:
    """What staff call."""

    identity: Identity
    users: "UserAdminServiceAsyncStub"
    roles: "RoleServiceAsyncStub"

    async def staff(self, *roles: str) -> Metadata:
        """Hire somebody with these roles, as the holder of the database would."""
        user = await self.identity.register()
        self.identity.rows(
            "UPDATE users SET roles = %s WHERE user_id = %s RETURNING 1", list(roles), user.user_id
        )
        return bearer((await self.identity.log_in(user.email)).access_token)

    async def grant(self, who: Metadata, user: User, role: str) -> GrantRoleResponse:
        """Ask for a role for a user."""
        request = GrantRoleRequest(
            user_id=user.user_id, role=role, reason="hired", request_id=str(uuid4())
        )
        return await self.users.GrantRole(request, metadata=who)

    async def approve(self, who: Metadata, proposal: StaffProposal) -> StaffProposal:
        """Approve what was proposed."""
        request = ApproveRoleProposalRequest(proposal_id=proposal.proposal_id, note="fine")
        return (await self.roles.ApproveRoleProposal(request, metadata=who)).proposal

    async def may(self, email: str) -> set[str]:
        """Return what a user may do, as a new token tells."""
        return permissions(await self.identity.log_in(email))


def permissions(session: Session) -> set[str]:
    claims = jwt.decode(session.access_token, options={"verify_signature": False})
    return set(claims["perm"])


@pytest.fixture
async def desk(identity: Identity) -> AsyncIterator[Desk]:
    async with identity.anybody() as channel:
        yield Desk(identity, UserAdminServiceStub(channel), RoleServiceStub(channel))
