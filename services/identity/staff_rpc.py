"""UserAdminService and RoleService: what staff do about users and about each other."""

from typing import Any
from uuid import UUID

from services.identity import users
from services.identity.bans import Bans
from services.identity.permission import ALL, FIXED
from services.identity.second_factors import in_force
from services.identity.signing_out import SigningOut
from services.identity.staffing import CHANGE, GRANT, Staffing, existing
from services.identity.user import ADDRESS_PART_LENGTH_MIN, address_key, folded
from services.identity.wire import to_open_session, to_user
from services.kit.approval import Proposal
from services.kit.approval_wire import asked, to_proposal
from services.kit.database import Database
from services.kit.errors import Failure
from services.kit.pages import decode_page_token, encode_page_token, parse_filter
from services.kit.principal import caller
from services.kit.reason import Reason
from services.kit.wire import to_datetime
from veritick.identity.v1 import role_service_pb2 as role_pb
from veritick.identity.v1 import user_admin_service_pb2 as admin_pb
from veritick.identity.v1.role_service_pb2_grpc import RoleServiceServicer
from veritick.identity.v1.user_admin_service_pb2_grpc import UserAdminServiceServicer
from veritick.type.v1.staff_proposal_pb2 import StaffProposal

_PAGE = 50


class UserAdminFace(UserAdminServiceServicer):
    """Shows users to staff, shuts them out, and gives and takes roles."""

    def __init__(
        self, database: Database, signing_out: SigningOut, bans: Bans, staffing: Staffing
    ) -> None:
        self._database = database
        self._signing_out = signing_out
        self._bans = bans
        self._staffing = staffing

    async def ListUsers(
        self, request: admin_pb.ListUsersRequest, context: Any
    ) -> admin_pb.ListUsersResponse:
        wanted = parse_filter(request.filter, {"email", "emailPart", "role", "banned"})
        before = decode_page_token(request.page_token, UUID)[0] if request.page_token else None
        limit = request.page_size or _PAGE
        email = wanted.get("email")
        async with self._database.connection() as connection:
            found = await users.page(
                connection,
                email_key=None if email is None else address_key(email) or "",
                email_part=_part(wanted.get("emailPart"), request.filter),
                role=wanted.get("role"),
                banned=_flag(wanted.get("banned"), request.filter),
                before=before,
                limit=limit,
            )
        following = encode_page_token([str(found[-1].user_id)]) if len(found) == limit else ""
        return admin_pb.ListUsersResponse(users=map(to_user, found), next_page_token=following)

    async def GetUser(
        self, request: admin_pb.GetUserRequest, context: Any
    ) -> admin_pb.GetUserResponse:
        async with self._database.connection() as connection:
            message = to_user(await existing(connection, UUID(request.user_id)))
            message.second_factor = await in_force(connection, UUID(request.user_id))
        return admin_pb.GetUserResponse(user=message)

    async def ListUserSessions(
        self, request: admin_pb.ListUserSessionsRequest, context: Any
    ) -> admin_pb.ListUserSessionsResponse:
        user_id = await self._existing(request.user_id)
        found = await self._signing_out.sessions_of(user_id)
        return admin_pb.ListUserSessionsResponse(
            sessions=[to_open_session(session, None) for session in found]
        )

    async def EndUserSessions(
        self, request: admin_pb.EndUserSessionsRequest, context: Any
    ) -> admin_pb.EndUserSessionsResponse:
        user_id = await self._existing(request.user_id)
        over = await self._signing_out.end_for_staff(user_id)
        return admin_pb.EndUserSessionsResponse(ended=len(over))

    async def BanUser(
        self, request: admin_pb.BanUserRequest, context: Any
    ) -> admin_pb.BanUserResponse:
        until = to_datetime(request.until_time) if request.HasField("until_time") else None
        user = await self._bans.ban(
            UUID(request.user_id), reason=request.reason, person=caller().user_id, until=until
        )
        return admin_pb.BanUserResponse(user=to_user(user))

    async def LiftBan(
        self, request: admin_pb.LiftBanRequest, context: Any
    ) -> admin_pb.LiftBanResponse:
        user = await self._bans.lift(
            UUID(request.user_id), reason=request.reason, person=caller().user_id
        )
        return admin_pb.LiftBanResponse(user=to_user(user))

    async def GrantRole(
        self, request: admin_pb.GrantRoleRequest, context: Any
    ) -> admin_pb.GrantRoleResponse:
        user, proposal = await self._staffing.grant(
            UUID(request.user_id),
            request.role,
            reason=request.reason,
            person=caller().user_id,
            request_id=UUID(request.request_id),
        )
        return admin_pb.GrantRoleResponse(user=to_user(user), proposal=_shown(proposal))

    async def TakeRole(
        self, request: admin_pb.TakeRoleRequest, context: Any
    ) -> admin_pb.TakeRoleResponse:
        user = await self._staffing.take(UUID(request.user_id), request.role)
        return admin_pb.TakeRoleResponse(user=to_user(user))

    async def _existing(self, user_id: str) -> UUID:
        async with self._database.connection() as connection:
            return (await existing(connection, UUID(user_id))).user_id


class RoleFace(RoleServiceServicer):
    """Shows and defines roles, and decides what needs two."""

    def __init__(self, staffing: Staffing) -> None:
        self._staffing = staffing

    async def ListRoles(
        self, request: role_pb.ListRolesRequest, context: Any
    ) -> role_pb.ListRolesResponse:
        found = sorted((await self._staffing.every_role()).items())
        return role_pb.ListRolesResponse(
            roles=[
                role_pb.RoleDefinition(
                    role=name, permissions=sorted(permissions), fixed=name in FIXED
                )
                for name, permissions in found
            ],
            permissions=sorted(ALL),
        )

    async def SetRole(
        self, request: role_pb.SetRoleRequest, context: Any
    ) -> role_pb.SetRoleResponse:
        proposal = await self._staffing.define(
            request.role,
            request.permissions,
            reason=request.reason,
            person=caller().user_id,
            request_id=UUID(request.request_id),
        )
        return role_pb.SetRoleResponse(proposal=_shown(proposal))

    async def ListRoleProposals(
        self, request: role_pb.ListRoleProposalsRequest, context: Any
    ) -> role_pb.ListRoleProposalsResponse:
        wanted = asked(request, "kind")
        kind = parse_filter(request.filter, {"kind", "state"}).get("kind", GRANT)
        if kind not in {GRANT, CHANGE}:
            raise _unknown(request.filter)
        found = await self._staffing.proposals(kind, *wanted)
        return role_pb.ListRoleProposalsResponse(
            proposals=[to_proposal(proposal, str) for proposal in found],
            next_page_token=wanted.following(found),
        )

    async def ApproveRoleProposal(
        self, request: role_pb.ApproveRoleProposalRequest, context: Any
    ) -> role_pb.ApproveRoleProposalResponse:
        decided = await self._decide(request.proposal_id, request.note, approve=True)
        return role_pb.ApproveRoleProposalResponse(proposal=to_proposal(decided, str))

    async def RejectRoleProposal(
        self, request: role_pb.RejectRoleProposalRequest, context: Any
    ) -> role_pb.RejectRoleProposalResponse:
        decided = await self._decide(request.proposal_id, request.note, approve=False)
        return role_pb.RejectRoleProposalResponse(proposal=to_proposal(decided, str))

    async def WithdrawRoleProposal(
        self, request: role_pb.WithdrawRoleProposalRequest, context: Any
    ) -> role_pb.WithdrawRoleProposalResponse:
        key, person = UUID(request.proposal_id), caller().user_id
        withdrawn = await self._staffing.withdraw(key, person, request.note)
        return role_pb.WithdrawRoleProposalResponse(proposal=to_proposal(withdrawn, str))

    async def _decide(self, proposal_id: str, note: str, *, approve: bool) -> Proposal:
        person = caller().user_id
        return await self._staffing.decide(UUID(proposal_id), person, note, approve=approve)


def _shown(proposal: Proposal | None) -> StaffProposal | None:
    return None if proposal is None else to_proposal(proposal, str)


def _flag(text: str | None, written: str) -> bool | None:
    if text not in {None, "true", "false"}:
        raise _unknown(written)
    return None if text is None else text == "true"


def _part(text: str | None, written: str) -> str | None:
    part = None if text is None else folded(text)
    if part is not None and len(part) < ADDRESS_PART_LENGTH_MIN:
        raise _unknown(written)
    return part


def _unknown(written: str) -> Failure:
    message = "The filter has an unknown value."
    return Failure(Reason.INVALID_FILTER, message, metadata={"filter": written[:100]})
