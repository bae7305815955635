"""What a user has told and agreed to, and whether that is enough for real money."""

from datetime import date
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import mail_tokens, throttle, users
from services.identity.geography import Countries
from services.identity.ground import Ground
from services.identity.jurisdiction import Jurisdiction, Requirement, parse_birth_date
from services.identity.letter import LetterKind
from services.identity.neighbours import Accounts
from services.identity.post import Post
from services.identity.session import digest_of
from services.identity.throttles import Throttle
from services.identity.user import User, address_key
from services.identity.wire import user_changed
from services.kit.errors import Failure, Violation
from services.kit.origin import origin
from services.kit.reason import Reason

_log = structlog.stdlib.get_logger()


class Standing:
    """Keeps what users tell about themselves, and opens real accounts to who may hold them."""

    def __init__(
        self,
        ground: Ground,
        post: Post,
        throttle: Throttle,
        jurisdiction: Jurisdiction,
        countries: Countries | None,
        accounts: Accounts | None,
    ) -> None:
        """Know where users are by `countries`, if there are any."""
        self._database = ground.database
        self._journal = ground.journal
        self._post = post
        self._throttle = throttle
        self._jurisdiction = jurisdiction
        self._countries = countries
        self._clock = ground.clock
        self._accounts = accounts

    def missing(self, user: User) -> tuple[Requirement, ...]:
        """Return what the user whose call is being handled still lacks for a real account."""
        location = self._countries.of(origin().address) if self._countries else None
        return self._jurisdiction.missing(user, self._clock.now().date(), location)

    async def confirm_email(self, token: str) -> None:
        """Confirm the address that this token was sent to. Failure LINK_INVALID."""
        digest, now = digest_of(token), self._clock.now()
        async with self._database.transaction() as connection:
            purpose = LetterKind.CONFIRM_EMAIL
            user_id = await mail_tokens.owner(connection, digest, purpose, now)
            if user_id is None or not await mail_tokens.use(connection, digest, user_id):
                raise link_invalid()
            user = await self.note_confirmed(connection, user_id)
        await self.tell(user)

    async def note_confirmed(self, connection: AsyncConnection, user_id: UUID) -> User:
        """Note in the caller's transaction that a user reads his mail; the caller then `tell`s."""
        await users.lock(connection, user_id)
        await users.change(connection, user_id, email_confirmed_at=self._clock.now())
        return await self._judge(connection, user_id)

    async def ask_again(self, user: User, address: str) -> None:
        """Send the letter that confirms a user's address once more, unless it is confirmed."""
        key = address_key(user.email) or ""
        await self._throttle.admit(throttle.letter(LetterKind.CONFIRM_EMAIL, key, address))
        async with self._database.transaction() as connection:
            await self._post.queue(connection, LetterKind.CONFIRM_EMAIL, key)
        self._post.hurry()

    async def describe(self, user_id: UUID, country: str, birth_date: str, language: str) -> User:
        """Store a country and a birth date, each once, and a language; what is empty stays.

        Failures: INVALID_REQUEST for a date on which nobody was born, PROFILE_LOCKED for what is
        known already and would be changed.
        """
        born = self.birth_date(birth_date)
        async with self._database.transaction() as connection:
            user = await users.lock(connection, user_id)
            _require_new("country_code", user.country, country)
            _require_new("birth_date", user.birth_date, born)
            told = {"country": country, "birth_date": born, "language": language}
            known = {name: value for name, value in told.items() if value}
            if known:
                await users.change(connection, user_id, **known)
            user = await self._judge(connection, user_id)
        await self.tell(user)
        return user

    async def agree(self, user_id: UUID, version: str) -> User:
        """Note that a user accepts the user agreement. Failure AGREEMENT_OUTDATED."""
        self.require_current(version)
        async with self._database.transaction() as connection:
            await users.lock(connection, user_id)
            now = self._clock.now()
            await users.change(connection, user_id, agreement_version=version, agreed_at=now)
            user = await self._judge(connection, user_id)
        await self.tell(user)
        return user

    def birth_date(self, written: str) -> date | None:
        """Return a written date, None for an empty one. Failure INVALID_REQUEST."""
        if not written:
            return None
        born = parse_birth_date(written, self._clock.now().date())
        if born is None:
            violation = Violation("birth_date", "must be the date on which somebody was born")
            message = "Nobody was born on this date."
            raise Failure(Reason.INVALID_REQUEST, message, violations=[violation])
        return born

    def require_current(self, version: str) -> None:
        """Raise AGREEMENT_OUTDATED for another version than the one that counts."""
        current = self._jurisdiction.agreement_version
        if version != current:
            message = "This is not the user agreement that counts now."
            raise Failure(Reason.AGREEMENT_OUTDATED, message, metadata={"version": current})

    async def tell(self, user: User) -> None:
        """Wake whoever follows the journal, and have the accounts opened that the user may hold.

        Should that fail, trading finds the user in the journal a little later.
        """
        self._journal.notify()
        if self._accounts is None:
            return
        try:
            await self._accounts.open_for(user.user_id, real=user.real_accounts)
        except Failure as failure:
            reason = failure.reason.value
            _log.warning("accounts not opened yet", user_id=str(user.user_id), reason=reason)

    async def _judge(self, connection: AsyncConnection, user_id: UUID) -> User:
        """Open real accounts to a user who lacks nothing any more, and journal what he is now."""
        user, now = await users.find(connection, user_id), self._clock.now()
        if not user.real_accounts and not self.missing(user):
            await users.change(connection, user_id, real_since=now)
            user = await users.find(connection, user_id)
        await self._journal.append(connection, [user_changed(user)], now)
        return user


def link_invalid() -> Failure:
    """Return the refusal of a link that was used, has expired, or never was."""
    return Failure(Reason.LINK_INVALID, "This link does not work any more. Ask for a new one.")


def _require_new(field: str, known: object, told: object) -> None:
    if known and told and known != told:
        message = "This is known already and cannot be changed here."
        raise Failure(Reason.PROFILE_LOCKED, message, metadata={"field": field})
