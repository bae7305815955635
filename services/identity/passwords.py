"""Giving a user another password."""

from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import users
from services.identity.hashing import PasswordHasher
from services.identity.password import PASSWORD_LENGTH_MIN, normalised, weakness
from services.identity.session import EndReason
from services.identity.signing_out import SigningOut
from services.identity.user import address_key
from services.kit.clock import Clock
from services.kit.database import Database
from services.kit.errors import Failure, Violation
from services.kit.journal import Journal
from services.kit.reason import Reason

_log = structlog.stdlib.get_logger()


class Passwords:
    """Replaces passwords, and ends the sessions that were begun with the old one."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        signing_out: SigningOut,
        hasher: PasswordHasher,
        clock: Clock,
    ) -> None:
        self._database = database
        self._journal = journal
        self._signing_out = signing_out
        self._hasher = hasher
        self._clock = clock

    async def change(self, user_id: UUID, session_id: UUID, current: str, new: str) -> None:
        """Replace a password by one's own wish; the session that asks goes on.

        Failure INVALID_CREDENTIALS when `current` is not the password, PASSWORD_TOO_WEAK.
        """
        async with self._database.connection() as connection:
            user = await users.find(connection, user_id)
            stored = await users.password_hash_of(connection, user_id)
        if not (await self._hasher.check(current, stored)).fits:
            raise Failure(Reason.INVALID_CREDENTIALS, "This is not the current password.")
        require_strength(new, address_key(user.email) or "", "new_password")
        new_hash = await self._hasher.hash(new)
        async with self._database.transaction() as connection:
            await self.replace(connection, user_id, new_hash, but=session_id)
        self._journal.notify()
        _log.info("password changed", user_id=str(user_id))

    async def replace(
        self, connection: AsyncConnection, user_id: UUID, new_hash: str, *, but: UUID | None = None
    ) -> None:
        """Store the hash of a new password and end all sessions `but` one.

        In the caller's transaction, after which the caller notifies the journal.
        """
        # Who signs in with the old password at this moment waits here, and is ended with the rest.
        await users.lock(connection, user_id)
        await users.set_hash(connection, user_id, new_hash, self._clock.now())
        reason = EndReason.PASSWORD_CHANGED
        await self._signing_out.end_all_in(connection, user_id, reason, but=but)


def require_strength(password: str, key: str, field: str = "password") -> None:
    """Raise PASSWORD_TOO_WEAK, about this field, for a password that is guessed first."""
    problem = weakness(normalised(password), key)
    if problem is not None:
        raise Failure(
            Reason.PASSWORD_TOO_WEAK,
            f"The password {problem}.",
            metadata={"min_length": str(PASSWORD_LENGTH_MIN)},
            violations=[Violation(field, problem)],
        )
