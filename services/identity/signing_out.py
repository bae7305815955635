"""Which sessions a user has, and how they end before their time."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import presences, sessions
from services.identity.ground import Ground
from services.identity.session import EndReason, Session
from services.identity.wire import session_ended
from services.kit.audit import audited
from services.kit.errors import Failure
from services.kit.reason import Reason


class SigningOut:
    """Lists and ends sessions. Every end is journalled, and heard everywhere within a second."""

    def __init__(self, ground: Ground, idle: timedelta) -> None:
        """A session that was not refreshed for `idle` is over by itself."""
        self._database = ground.database
        self._journal = ground.journal
        self._clock = ground.clock
        self._idle = idle

    async def sessions_of(self, user_id: UUID) -> list[Session]:
        """Return the sessions of a user that go on, the one used last first."""
        now = self._clock.now()
        async with self._database.connection() as connection:
            return await sessions.live(connection, user_id, now, now - self._idle)

    async def end_own(self, user_id: UUID, session_id: UUID) -> None:
        """End one session of a user; one that is over stays over.

        Failure SESSION_NOT_FOUND when there is no such session of this user.
        """
        async with self._database.transaction() as connection:
            if not await sessions.belongs(connection, session_id, user_id):
                raise Failure(Reason.SESSION_NOT_FOUND, "You have no such session.")
            await self.end(connection, [session_id], EndReason.ENDED_BY_OWNER)
        self._journal.notify()

    async def log_out(self, session_id: UUID) -> None:
        """End the session that asks for it; one that is over stays over."""
        async with self._database.transaction() as connection:
            await self.end(connection, [session_id], EndReason.SIGNED_OUT)
        self._journal.notify()

    async def end_all(self, user_id: UUID, *, but: UUID | None = None) -> list[Session]:
        """End a user's sessions by his own wish, all `but` one; return those that this ended."""
        async with self._database.transaction() as connection:
            reason = EndReason.ENDED_BY_OWNER
            over = await self.end_all_in(connection, user_id, reason, but=but)
        self._journal.notify()
        return over

    async def end_for_staff(self, user_id: UUID) -> list[Session]:
        """End the sessions of a user by staff's wish, on record; return those that this ended."""
        async with self._database.transaction() as connection:
            over = await self.end_all_in(connection, user_id, EndReason.ENDED_BY_STAFF)
            now, after = self._clock.now(), {"sessions": len(over)}
            record = audited("user.sign-out", f"user:{user_id}", now, after=after)
            await self._journal.append(connection, [record], now)
        self._journal.notify()
        return over

    async def end_all_in(
        self,
        connection: AsyncConnection,
        user_id: UUID,
        reason: EndReason,
        *,
        but: UUID | None = None,
    ) -> list[Session]:
        """End them in the caller's transaction, after which the caller notifies the journal."""
        going_on = await sessions.live(connection, user_id, self._clock.now())
        doomed = [session.session_id for session in going_on if session.session_id != but]
        return await self.end(connection, doomed, reason)

    async def end(
        self, connection: AsyncConnection, session_ids: Sequence[UUID], reason: EndReason
    ) -> list[Session]:
        """End sessions in the caller's transaction; return those that this ended."""
        now = self._clock.now()
        over = await sessions.end(connection, session_ids, reason, now)
        for user_id in {session.user_id for session in over}:
            await presences.depart(connection, user_id, now)
        if over:
            events = [session_ended(session, now) for session in over]
            await self._journal.append(connection, events, now)
        return over
