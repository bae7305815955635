"""Who has which role, and what a role may do: changed by staff, powerful ones by two of them."""

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import roles, users
from services.identity.ground import Ground
from services.identity.permission import ALL, FIXED, is_powerful
from services.identity.user import User
from services.identity.wire import user_changed
from services.kit.approval import Proposal, State
from services.kit.approvals import Approvals, Execute
from services.kit.audit import audited
from services.kit.errors import Failure, Violation
from services.kit.reason import Reason

GRANT = "role.grant"
CHANGE = "role.change"
"""The kinds of the proposals."""


class Staffing:
    """Grants, takes and defines roles.

    What gives somebody a powerful permission is proposed, and happens when a second person has
    approved it. What takes one happens at once. Either way tokens that tell older permissions stop
    counting everywhere within a second.
    """

    def __init__(self, ground: Ground, others: Mapping[str, Execute]) -> None:
        """Keep the proposals of `others` as well: they lie in one table."""
        self._database = ground.database
        self._journal = ground.journal
        self._clock = ground.clock
        self.approvals = Approvals(
            database=ground.database,
            journal=ground.journal,
            ids=ground.ids,
            now=ground.clock.now,
            kinds={
                GRANT: self._carry_out_grant,
                CHANGE: self._carry_out_change,
                **others,
            },
        )

    async def grant(
        self, user_id: UUID, role: str, *, reason: str, person: UUID, request_id: UUID
    ) -> tuple[User, Proposal | None]:
        """Give a user a role, or propose it where it is powerful; return the user as he is now.

        Failures: USER_NOT_FOUND, ROLE_NOT_FOUND, SAME_PERSON for oneself, REQUEST_ID_REUSED.
        """
        if user_id == person:
            raise Failure(Reason.SAME_PERSON, "Nobody gives himself a role.")
        repeated = await self.approvals.earlier(person, request_id) is not None
        async with self._database.transaction() as connection:
            # What is harmless when it is looked at is so when it is given.
            await roles.lock(connection)
            user = await existing(connection, user_id, lock=True)
            harmless = role in user.roles or not is_powerful(await _known(connection, role))
            at_once = harmless and not repeated
            if at_once:
                user = await self._give(connection, user, role, reason)
        self._journal.notify()
        if at_once:
            return user, None
        content = {"user_id": str(user_id), "role": role}
        proposal = await self.approvals.propose(
            GRANT, content, reason=reason, person=person, request_id=request_id
        )
        return user, proposal

    async def take(self, user_id: UUID, role: str) -> User:
        """Take a role from a user; one that he has not stays away. Failure USER_NOT_FOUND."""
        async with self._database.transaction() as connection:
            user = await existing(connection, user_id, lock=True)
            left = tuple(name for name in user.roles if name != role)
            user = await self._set_roles(connection, user, left, "")
        self._journal.notify()
        return user

    async def define(
        self,
        role: str,
        permissions: Collection[str],
        *,
        reason: str,
        person: UUID,
        request_id: UUID,
    ) -> Proposal | None:
        """Give a role, new or known, these permissions; what adds powerful ones is proposed.

        Failures: INVALID_REQUEST for an unknown permission, ROLE_FIXED, REQUEST_ID_REUSED.
        """
        wanted = _checked(role, permissions)
        repeated = await self.approvals.earlier(person, request_id) is not None
        async with self._database.transaction() as connection:
            await roles.lock(connection)
            present = (await roles.every(connection)).get(role, frozenset())
            at_once = not is_powerful(wanted - present) and not repeated
            if at_once:
                await self._store(connection, role, wanted, reason)
        self._journal.notify()
        if at_once:
            return None
        content = {"role": role, "permissions": " ".join(sorted(wanted))}
        return await self.approvals.propose(
            CHANGE, content, reason=reason, person=person, request_id=request_id
        )

    async def every_role(self) -> dict[str, frozenset[str]]:
        """Return all roles with their permissions."""
        async with self._database.connection() as connection:
            return await roles.every(connection)

    async def decide(
        self, proposal_id: UUID, person: UUID, note: str, *, approve: bool
    ) -> Proposal:
        """Approve or reject a proposal. Failures: those of `Approvals`."""
        kind = await self._kind_of(proposal_id)
        decide = self.approvals.approve if approve else self.approvals.reject
        return await decide(kind, proposal_id, person, note)

    async def withdraw(self, proposal_id: UUID, person: UUID, note: str) -> Proposal:
        """Take back what this person proposed. Failures: those of `Approvals`."""
        kind = await self._kind_of(proposal_id)
        return await self.approvals.withdraw(kind, proposal_id, person, note)

    async def proposals(
        self, kind: str, state: State | None, before: UUID | None, limit: int
    ) -> list[Proposal]:
        """Return proposals of a kind, newest first."""
        return await self.approvals.page(kind, state, before, limit)

    async def _kind_of(self, proposal_id: UUID) -> str:
        try:
            return (await self.approvals.get(GRANT, proposal_id)).kind
        except Failure:
            return CHANGE

    async def _carry_out_grant(self, proposal: Proposal) -> str:
        user_id, role = UUID(str(proposal.content["user_id"])), str(proposal.content["role"])
        async with self._database.transaction() as connection:
            await roles.lock(connection)
            user = await existing(connection, user_id, lock=True)
            await _known(connection, role)
            await self._give(connection, user, role, proposal.reason)
        self._journal.notify()
        return str(user_id)

    async def _carry_out_change(self, proposal: Proposal) -> str:
        role = str(proposal.content["role"])
        permissions = _checked(role, str(proposal.content["permissions"]).split())
        async with self._database.transaction() as connection:
            await roles.lock(connection)
            await self._store(connection, role, permissions, proposal.reason)
        self._journal.notify()
        return role

    async def _give(self, connection: AsyncConnection, user: User, role: str, reason: str) -> User:
        held = user.roles if role in user.roles else (*user.roles, role)
        return await self._set_roles(connection, user, held, reason)

    async def _store(
        self, connection: AsyncConnection, role: str, permissions: frozenset[str], reason: str
    ) -> None:
        await roles.store(connection, role, permissions, self._clock.now())
        for user in await users.bearers(connection, role):
            await self._renew(connection, user.user_id)
        now, after = self._clock.now(), {"permissions": sorted(permissions)}
        record = audited("role.define", f"role:{role}", now, after=after, reason=reason)
        await self._journal.append(connection, [record], now)

    async def _set_roles(
        self, connection: AsyncConnection, user: User, names: tuple[str, ...], reason: str
    ) -> User:
        if names == user.roles:
            return user
        now = self._clock.now()
        await users.change(connection, user.user_id, roles=list(names))
        renewed = await self._renew(connection, user.user_id)
        before, after = {"roles": list(user.roles)}, {"roles": list(names)}
        subject = f"user:{user.user_id}"
        record = audited("user.roles", subject, now, before=before, after=after, reason=reason)
        await self._journal.append(connection, [record], now)
        return renewed

    async def _renew(self, connection: AsyncConnection, user_id: UUID) -> User:
        now = self._clock.now()
        user = await users.renew_authority(connection, user_id, now)
        await self._journal.append(connection, [user_changed(user)], now)
        return user


async def existing(connection: AsyncConnection, user_id: UUID, *, lock: bool = False) -> User:
    """Return a user, locked if so wished. Failure USER_NOT_FOUND."""
    user = await users.look_up(connection, user_id, lock=lock)
    if user is None:
        raise Failure(Reason.USER_NOT_FOUND, "There is no such user.")
    return user


async def _known(connection: AsyncConnection, role: str) -> frozenset[str]:
    permissions = (await roles.every(connection)).get(role)
    if permissions is None:
        raise Failure(Reason.ROLE_NOT_FOUND, "There is no such role.", metadata={"role": role})
    return permissions


def _checked(role: str, permissions: Collection[str]) -> frozenset[str]:
    if role in FIXED:
        message = "The permissions of this role never change."
        raise Failure(Reason.ROLE_FIXED, message, metadata={"role": role})
    unknown = sorted(frozenset(permissions) - ALL)
    if unknown:
        violations = [Violation("permissions", f"{name} is no permission") for name in unknown]
        message = f"There is no permission {unknown[0]}."
        raise Failure(Reason.INVALID_REQUEST, message, violations=violations)
    return frozenset(permissions)
