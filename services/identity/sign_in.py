"""Signing in, keeping a session alive, and signing out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import sessions, users
from services.identity.hashing import PasswordHasher
from services.identity.permission import permissions_of
from services.identity.session import (
    EndReason,
    Limits,
    Random,
    Rotation,
    Session,
    Tokens,
    access_expiry,
    digest_of,
    first_token,
    judge,
    new_salt,
    refresh_expiry,
    successor_of,
)
from services.identity.user import User, address_key
from services.identity.wire import session_ended
from services.kit.clock import Clock
from services.kit.database import Database
from services.kit.errors import Failure
from services.kit.ids import Ids
from services.kit.journal import Journal
from services.kit.reason import Reason
from services.kit.tokens import USER_AUDIENCE, Keyring

STREAM_AUDIENCE = "stream"

_log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True)
class Ticket:
    """What opens a socket, once."""

    token: str
    expires_at: datetime


class SignIn:
    """Begins, continues and ends sessions."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        hasher: PasswordHasher,
        keyring: Keyring,
        limits: Limits,
        clock: Clock,
        ids: Ids,
        random: Random,
    ) -> None:
        """Sign with the private key of this keyring."""
        self._database = database
        self._journal = journal
        self._hasher = hasher
        self._keyring = keyring
        self._limits = limits
        self._clock = clock
        self._ids = ids
        self._random = random

    async def log_in(self, email: str, password: str) -> Tokens:
        """Begin a session. Failure INVALID_CREDENTIALS, equally late whatever was wrong."""
        async with self._database.connection() as connection:
            # Nobody has the empty address.
            known = await users.find_credential(connection, address_key(email) or "")
        verdict = await self._hasher.check(password, known.password_hash if known else None)
        if known is None or not verdict.fits:
            message = "Mail address and password do not belong together."
            raise Failure(Reason.INVALID_CREDENTIALS, message)
        if verdict.new_hash is not None:
            await self._rehash(known, verdict.new_hash)
        return await self._begin(known.user.user_id)

    async def _rehash(self, known: users.Credential, new_hash: str) -> None:
        async with self._database.transaction() as connection:
            await users.replace_hash(
                connection, known.user.user_id, known.password_hash, new_hash, self._clock.now()
            )

    async def _begin(self, user_id: UUID) -> Tokens:
        now = self._clock.now()
        session = Session(self._ids(), user_id, now, now + self._limits.absolute)
        token = first_token(self._random)
        async with self._database.transaction() as connection:
            # The lock keeps simultaneous sign-ins of one user from exceeding the bound together.
            user = await users.lock(connection, user_id)
            expires_at = await self._store(connection, session, token, now)
            ended = await self._displace(connection, user_id, now)
            await self._tell(connection, ended, now)
        self._journal.notify()
        return self._tokens(user, session, token, expires_at, now)

    async def _store(
        self, connection: AsyncConnection, session: Session, token: str, now: datetime
    ) -> datetime:
        expires_at = refresh_expiry(session, now, self._limits.idle)
        await sessions.begin(connection, session)
        await sessions.add_token(connection, session, digest_of(token), expires_at)
        return expires_at

    async def _displace(
        self, connection: AsyncConnection, user_id: UUID, now: datetime
    ) -> Sequence[Session]:
        surplus = await sessions.oldest_beyond(connection, user_id, self._limits.live_max, now)
        ended = [
            await sessions.end(connection, session_id, EndReason.DISPLACED, now)
            for session_id in surplus
        ]
        return [session for session in ended if session]

    async def refresh(self, token: str) -> Tokens:
        """Exchange a refresh token for new tokens.

        Failure SESSION_ENDED, also for a token that never was; REFRESH_TOKEN_REUSED when this
        very call ended the session.
        """
        now = self._clock.now()
        async with self._database.transaction() as connection:
            found = await sessions.present(connection, digest_of(token))
            if found is None:
                raise _session_ended()
            rotation = judge(found.session, found.token, now, self._limits.grace)
            if rotation is Rotation.REFUSE:
                raise _session_ended()
            if rotation is not Rotation.END:
                return await self._rotate(connection, token, found, now)
            await self._end(connection, found.session.session_id, EndReason.TOKEN_REUSED, now)
        self._journal.notify()
        session_id = str(found.session.session_id)
        _log.warning("refresh token presented twice", session_id=session_id)
        message = "This refresh token was used before, so its session was ended. Sign in again."
        raise Failure(Reason.REFRESH_TOKEN_REUSED, message)

    async def _rotate(
        self, connection: AsyncConnection, token: str, found: sessions.Presented, now: datetime
    ) -> Tokens:
        """Issue the successor of a token, or answer the one issued before."""
        session, salt = found.session, found.token.successor_salt
        if salt is None:
            salt = new_salt(self._random)
            await sessions.use_token(connection, session, digest_of(token), salt, now)
            successor = successor_of(token, salt)
            expires_at = refresh_expiry(session, now, self._limits.idle)
            await sessions.add_token(connection, session, digest_of(successor), expires_at)
        else:
            successor = successor_of(token, salt)
            expires_at = await sessions.expiry_of(connection, digest_of(successor))
        user = await users.find(connection, session.user_id)
        return self._tokens(user, session, successor, expires_at, now)

    async def log_out(self, session_id: UUID) -> None:
        """End a session; one that is over stays over."""
        async with self._database.transaction() as connection:
            await self._end(connection, session_id, EndReason.SIGNED_OUT, self._clock.now())
        self._journal.notify()

    async def profile(self, user_id: UUID, session_id: UUID) -> User:
        """Return the signed-in user. Failure SESSION_ENDED when the session is over."""
        async with self._database.connection() as connection:
            user = await sessions.find_user_in_session(
                connection, user_id, session_id, self._clock.now()
            )
        if user is None:
            raise _session_ended()
        return user

    async def stream_ticket(self, user_id: UUID, session_id: UUID) -> Ticket:
        """Return a ticket for the socket. Failure SESSION_ENDED when the session is over."""
        await self.profile(user_id, session_id)
        now, lifetime = self._clock.now(), self._limits.stream_ticket
        claims = {
            "aud": STREAM_AUDIENCE,
            "sub": str(user_id),
            "sid": str(session_id),
            "jti": str(self._ids()),
        }
        token = self._keyring.sign(claims, lifetime, now)
        return Ticket(token, (now + lifetime).replace(microsecond=0))

    async def _end(
        self, connection: AsyncConnection, session_id: UUID, reason: EndReason, now: datetime
    ) -> None:
        session = await sessions.end(connection, session_id, reason, now)
        await self._tell(connection, [session] if session else [], now)

    async def _tell(
        self, connection: AsyncConnection, ended: Sequence[Session], now: datetime
    ) -> None:
        if ended:
            events = [session_ended(session, now) for session in ended]
            await self._journal.append(connection, events, now)

    def _tokens(
        self, user: User, session: Session, refresh_token: str, expires_at: datetime, now: datetime
    ) -> Tokens:
        access_expires_at = access_expiry(session, now, self._limits.access)
        claims = {
            "aud": USER_AUDIENCE,
            "sub": str(user.user_id),
            "sid": str(session.session_id),
            "perm": sorted(permissions_of(user.roles)),
        }
        access_token = self._keyring.sign(claims, access_expires_at - now, now)
        return Tokens(session, access_token, access_expires_at, refresh_token, expires_at)


def _session_ended() -> Failure:
    return Failure(Reason.SESSION_ENDED, "The session is over. Sign in again.")
