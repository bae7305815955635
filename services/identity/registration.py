"""A new user: stored, told to the others, and given accounts."""

import structlog

from services.identity import users
from services.identity.hashing import PasswordHasher
from services.identity.neighbours import Accounts
from services.identity.passwords import require_strength
from services.identity.permission import Role
from services.identity.user import User, address_key
from services.identity.wire import user_changed
from services.kit.clock import Clock
from services.kit.database import Database
from services.kit.errors import Failure, Violation
from services.kit.ids import Ids
from services.kit.journal import Journal
from services.kit.reason import Reason

_log = structlog.stdlib.get_logger()


class Registration:
    """Registers users."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        hasher: PasswordHasher,
        clock: Clock,
        ids: Ids,
        accounts: Accounts | None = None,
    ) -> None:
        """Without `accounts`, trading learns of a user from the journal alone."""
        self._database = database
        self._journal = journal
        self._hasher = hasher
        self._clock = clock
        self._ids = ids
        self._accounts = accounts

    async def register(self, email: str, password: str, *roles: Role) -> User:
        """Create a user with these roles and have the accounts opened.

        Failure INVALID_REQUEST for what is no mail address, PASSWORD_TOO_WEAK, EMAIL_TAKEN.
        """
        key = _require_address(email)
        require_strength(password, key)
        password_hash = await self._hasher.hash(password)
        user = User(self._ids(), email, roles, self._clock.now())
        await self._store(user, key, password_hash)
        self._journal.notify()
        _log.info("user registered", user_id=str(user.user_id))
        await self._open_accounts(user)
        return user

    async def _store(self, user: User, key: str, password_hash: str) -> None:
        async with self._database.transaction() as connection:
            if not await users.add(connection, user, key, password_hash):
                raise Failure(Reason.EMAIL_TAKEN, "An account with this mail address exists.")
            await self._journal.append(connection, [user_changed(user)], user.registered_at)

    async def _open_accounts(self, user: User) -> None:
        """Ask trading now; should that fail, it finds the user in the journal a little later."""
        if self._accounts is None:
            return
        try:
            await self._accounts.open_for(user.user_id)
        except Failure as failure:
            _log.warning(
                "accounts not opened yet", user_id=str(user.user_id), reason=failure.reason.value
            )


def _require_address(email: str) -> str:
    key = address_key(email)
    if key is None:
        violation = Violation("email", "must be a mail address")
        raise Failure(
            Reason.INVALID_REQUEST, "email must be a mail address.", violations=[violation]
        )
    return key
