"""A new user: stored, told to the others, written to, and given accounts."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import erasures, users
from services.identity.ground import Ground
from services.identity.hashing import PasswordHasher
from services.identity.letter import DEFAULT_LANGUAGE, LetterKind
from services.identity.post import Post
from services.identity.referring import Referring
from services.identity.standing import Standing
from services.identity.strength import Strength
from services.identity.user import User, address_key
from services.identity.vault import Vault
from services.identity.wire import user_changed
from services.kit.errors import Failure, Violation
from services.kit.origin import NOWHERE, Origin
from services.kit.reason import Reason

_log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True)
class NewUser:
    """What somebody tells who wants to become a user; all but the credentials may wait."""

    email: str
    password: str
    country: str = ""
    birth_date: str = ""
    agreement_version: str = ""
    language: str = ""
    referral_code: str = ""
    where: Origin = NOWHERE
    """From where it is told."""
    password_lasts: timedelta | None = None
    """How long the password counts; None where its user has chosen it."""


class Registration:
    """Registers users."""

    def __init__(
        self,
        ground: Ground,
        hasher: PasswordHasher,
        strength: Strength,
        standing: Standing,
        post: Post,
        referring: Referring,
        vault: Vault | None,
    ) -> None:
        """Without a vault nobody is known again who was erased and may not come back."""
        self._database = ground.database
        self._journal = ground.journal
        self._hasher = hasher
        self._strength = strength
        self._standing = standing
        self._post = post
        self._referring = referring
        self._vault = vault
        self._clock = ground.clock
        self._ids = ground.ids

    async def register(self, wanted: NewUser, *roles: str) -> User:
        """Create a user with these roles and have the accounts opened.

        Failure INVALID_REQUEST for what is no mail address or no birth date, AGREEMENT_OUTDATED,
        PASSWORD_TOO_WEAK, REFERRAL_CODE_UNKNOWN, EMAIL_TAKEN.
        """
        key = _require_address(wanted.email)
        user = self._user(wanted, roles)
        self._strength.require(wanted.password, key)
        code = wanted.referral_code
        referrer = await self._referring.referrer(code) if code else None
        password_hash = await self._hasher.hash(wanted.password)
        lasts = wanted.password_lasts
        expires_at = None if lasts is None else user.registered_at + lasts
        async with self._database.transaction() as connection:
            await self._store(connection, user, key, password_hash, expires_at)
            if referrer is not None:
                told = await self._referring.refer(connection, user, referrer, wanted.where)
                await self._journal.append(connection, told, user.registered_at)
        self._post.hurry()
        _log.info("user registered", user_id=str(user.user_id))
        await self._standing.tell(user)
        return user

    def _user(self, wanted: NewUser, roles: tuple[str, ...]) -> User:
        if wanted.agreement_version:
            self._standing.require_current(wanted.agreement_version)
        return User(
            self._ids(),
            wanted.email,
            roles,
            self._clock.now(),
            country=wanted.country,
            birth_date=self._standing.birth_date(wanted.birth_date),
            agreement_version=wanted.agreement_version,
            language=wanted.language or DEFAULT_LANGUAGE,
        )

    async def _store(
        self,
        connection: AsyncConnection,
        user: User,
        key: str,
        password_hash: str,
        expires_at: datetime | None,
    ) -> None:
        if await self._is_barred(connection, key) or not await users.add(
            connection, user, key, password_hash, expires_at
        ):
            raise Failure(Reason.EMAIL_TAKEN, "An account with this mail address exists.")
        await self._post.queue(connection, LetterKind.CONFIRM_EMAIL, key)
        await self._journal.append(connection, [user_changed(user)], user.registered_at)

    async def _is_barred(self, connection: AsyncConnection, key: str) -> bool:
        """Tell whether an erased user had the address whom a ban or his own wish keeps out.

        He is told the same as who has an account: to others it would say more than is theirs.
        """
        marks = self._vault.marks(key) if self._vault else []
        return await erasures.is_barred(connection, marks, self._clock.now())


def _require_address(email: str) -> str:
    key = address_key(email)
    if key is None:
        violation = Violation("email", "must be a mail address")
        raise Failure(
            Reason.INVALID_REQUEST, "email must be a mail address.", violations=[violation]
        )
    return key
