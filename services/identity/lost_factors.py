"""Lost second factors: who has lost his code and the codes for its loss comes back through staff.

One of them makes sure who asks, and proposes; another approves. What is left then is the password,
so all sessions end and the user is written to: should somebody else have asked, he hears of it.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import api_keys, passkeys
from services.identity.ground import Ground
from services.identity.letter import LetterKind
from services.identity.notices import Notices
from services.identity.second_factors import SecondFactors, in_force
from services.identity.session import EndReason
from services.identity.signing_out import SigningOut
from services.identity.staffing import existing
from services.kit.approval import Proposal, State
from services.kit.approvals import OPEN_FOR, Approvals
from services.kit.audit import audited
from services.kit.errors import Failure
from services.kit.reason import Reason

RESET = "factor.reset"
"""The kind of the proposals."""

_REMEMBERED = OPEN_FOR + timedelta(days=4)
"""For how long a proposal is known to have been carried out: long after anybody would repeat it."""


class LostFactors:
    """Takes second factors from users who have lost them, by two people's word."""

    def __init__(
        self,
        ground: Ground,
        approvals: Approvals,
        factors: SecondFactors,
        signing_out: SigningOut,
        notices: Notices,
    ) -> None:
        """Have `approvals` carry out what is proposed here."""
        self._database = ground.database
        self._journal = ground.journal
        self._clock = ground.clock
        self._approvals = approvals
        self._factors = factors
        self._signing_out = signing_out
        self._notices = notices

    async def propose(
        self, user_id: UUID, *, with_passkeys: bool, reason: str, person: UUID, request_id: UUID
    ) -> Proposal:
        """Propose to take a user's second factor away, and his passkeys if so wished.

        Failures: USER_NOT_FOUND, SAME_PERSON for oneself, SECOND_FACTOR_MISSING where there is
        none, REQUEST_ID_REUSED.
        """
        if user_id == person:
            raise Failure(Reason.SAME_PERSON, "Nobody takes his own second factor away here.")
        if await self._approvals.earlier(person, request_id) is None:
            async with self._database.connection() as connection:
                await existing(connection, user_id)
                if not await in_force(connection, user_id):
                    raise _missing()
        takes = "factor passkeys" if with_passkeys else "factor"
        content = {"user_id": str(user_id), "takes": takes}
        return await self._approvals.propose(
            RESET, content, reason=reason, person=person, request_id=request_id
        )

    async def decide(
        self, proposal_id: UUID, person: UUID, note: str, *, approve: bool
    ) -> Proposal:
        """Approve or reject a proposal. Failures: those of `Approvals`.

        Nor may the one decide whose factor it is: SAME_PERSON.
        """
        proposal = await self._approvals.get(RESET, proposal_id)
        if proposal.content["user_id"] == str(person):
            raise Failure(Reason.SAME_PERSON, "It is your own second factor.")
        decide = self._approvals.approve if approve else self._approvals.reject
        return await decide(RESET, proposal_id, person, note)

    async def withdraw(self, proposal_id: UUID, person: UUID, note: str) -> Proposal:
        """Take back what this person proposed. Failures: those of `Approvals`."""
        return await self._approvals.withdraw(RESET, proposal_id, person, note)

    async def page(self, state: State | None, before: UUID | None, limit: int) -> list[Proposal]:
        """Return what was proposed, newest first."""
        return await self._approvals.page(RESET, state, before, limit)

    async def carry_out(self, proposal: Proposal) -> str:
        """Do what was approved, once, and return whose factor it was.

        Failure SECOND_FACTOR_MISSING when there is none any more.
        """
        user_id, now = UUID(str(proposal.content["user_id"])), self._clock.now()
        once = hashlib.sha256(proposal.proposal_id.bytes).digest()
        async with self._database.transaction() as connection:
            await existing(connection, user_id, lock=True)
            if await api_keys.use_assertion(connection, once, now + _REMEMBERED):
                await self._reset(connection, user_id, proposal)
        self._journal.notify()
        return str(user_id)

    async def _reset(self, connection: AsyncConnection, user_id: UUID, proposal: Proposal) -> None:
        if not await self._factors.take(connection, user_id):
            raise _missing()
        gone = 0
        if "passkeys" in str(proposal.content["takes"]).split():
            gone = await passkeys.delete_all(connection, user_id)
        await self._signing_out.end_all_in(connection, user_id, EndReason.ENDED_BY_STAFF)
        await self._notices.write(connection, LetterKind.SECOND_FACTOR_RESET, user_id)
        now, after = self._clock.now(), {"passkeys": gone, "proposal": str(proposal.proposal_id)}
        subject, reason = f"user:{user_id}", proposal.reason
        record = audited("second-factor.reset", subject, now, after=after, reason=reason)
        await self._journal.append(connection, [record], now)


def _missing() -> Failure:
    return Failure(Reason.SECOND_FACTOR_MISSING, "The user has no second factor.")
