"""Giving a user another password."""

from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import mail_tokens, throttle, users
from services.identity.ground import Ground
from services.identity.hashing import PasswordHasher
from services.identity.letter import LetterKind
from services.identity.on_record import credential_changed, refusals_noted
from services.identity.post import Post
from services.identity.session import EndReason, digest_of
from services.identity.signing_out import SigningOut
from services.identity.standing import Standing, link_invalid
from services.identity.strength import Strength
from services.identity.throttles import Throttle
from services.identity.user import address_key
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.refusals import Refusals

_CHANGE, _RESET = "password.change", "password.reset"
_log = structlog.stdlib.get_logger()


class Passwords:
    """Replaces passwords, and ends the sessions that were begun with the old one."""

    def __init__(
        self,
        ground: Ground,
        signing_out: SigningOut,
        hasher: PasswordHasher,
        strength: Strength,
        standing: Standing,
        post: Post,
        throttle: Throttle,
        refusals: Refusals,
    ) -> None:
        self._database = ground.database
        self._journal = ground.journal
        self._signing_out = signing_out
        self._hasher = hasher
        self._strength = strength
        self._standing = standing
        self._post = post
        self._throttle = throttle
        self._refusals = refusals
        self._clock = ground.clock

    async def change(self, user_id: UUID, session_id: UUID, current: str, new: str) -> None:
        """Replace a password by one's own wish; the session that asks goes on.

        Failure INVALID_CREDENTIALS when `current` is not the password, RATE_LIMITED after some
        tries of that kind, PASSWORD_TOO_WEAK.
        """
        async with self._database.connection() as connection:
            user = await users.find(connection, user_id)
            version = await users.password_version(connection, user_id)
            stored = await users.password_hash_of(connection, user_id)
        buckets = throttle.confirmation(str(user_id))
        with refusals_noted(self._refusals, _CHANGE, user_id):
            await self._throttle.admit(buckets)
            if not (await self._hasher.check(current, stored)).fits:
                raise _wrong()
        await self._throttle.give_back(buckets)
        key = address_key(user.email) or ""
        self._strength.require(new, key, "new_password")
        new_hash = await self._hasher.hash(new)
        async with self._database.transaction() as connection:
            await users.lock(connection, user_id)
            # Nor does a password count that was replaced while it was being checked.
            if version != await users.password_version(connection, user_id):
                raise _wrong()
            await self._replace(connection, user_id, key, new_hash, _CHANGE, but=session_id)
        self._told(user_id)

    async def ask_reset(self, email: str, address: str) -> None:
        """Send a letter with a link to choose a new password, if anybody has this address.

        Whether anybody has, the caller cannot tell. Failure RATE_LIMITED.
        """
        # What is no address at all is nobody's either.
        key = address_key(email) or email
        await self._throttle.admit(throttle.letter(LetterKind.RESET_PASSWORD, key, address))
        async with self._database.transaction() as connection:
            await self._post.queue(connection, LetterKind.RESET_PASSWORD, key)
        self._post.hurry()

    async def reset(self, token: str, new: str) -> None:
        """Replace a password by a link from a letter; every session ends, the address is confirmed.

        Failure LINK_INVALID for a link that was used or has expired, PASSWORD_TOO_WEAK.
        """
        digest = digest_of(token)
        async with self._database.connection() as connection:
            now, purpose = self._clock.now(), LetterKind.RESET_PASSWORD
            user_id = await mail_tokens.owner(connection, digest, purpose, now)
            if user_id is None:
                raise link_invalid()
            user = await users.find(connection, user_id)
        key = address_key(user.email) or ""
        self._strength.require(new, key, "new_password")
        new_hash = await self._hasher.hash(new)
        async with self._database.transaction() as connection:
            await users.lock(connection, user_id)
            if not await mail_tokens.use(connection, digest, user_id):
                raise link_invalid()
            if not user.email_confirmed:
                user = await self._standing.note_confirmed(connection, user_id)
            await self._replace(connection, user_id, key, new_hash, _RESET)
        await self._standing.tell(user)
        self._told(user_id)

    def _told(self, user_id: UUID) -> None:
        self._journal.notify()
        self._post.hurry()
        _log.info("password changed", user_id=str(user_id))

    async def _replace(
        self,
        connection: AsyncConnection,
        user_id: UUID,
        key: str,
        new_hash: str,
        action: str,
        *,
        but: UUID | None = None,
    ) -> None:
        """Store the hash of a new password, end all sessions `but` one, and write to the owner.

        Links by which it could be replaced lead nowhere any more. It stays on record as this
        `action`.
        """
        # Who signs in with the old password at this moment waits here, and is ended with the rest.
        await users.lock(connection, user_id)
        now = self._clock.now()
        await users.set_hash(connection, user_id, new_hash, now)
        # Whoever asked for a link meanwhile, perhaps another, has lost the race with it.
        await mail_tokens.revoke(connection, user_id, LetterKind.RESET_PASSWORD)
        await self._journal.append(connection, [credential_changed(action, user_id, now)], now)
        await self._post.queue(connection, LetterKind.PASSWORD_CHANGED, key)
        reason = EndReason.PASSWORD_CHANGED
        await self._signing_out.end_all_in(connection, user_id, reason, but=but)


def _wrong() -> Failure:
    return Failure(Reason.INVALID_CREDENTIALS, "This is not the current password.")
