"""Signing in, keeping a session alive, and signing out."""

from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import presences, roles, second_factors, sessions, throttle, users
from services.identity.device import Device
from services.identity.ground import Ground
from services.identity.hashing import PasswordHasher
from services.identity.issuing import Issuer, Ticket
from services.identity.notices import Notices
from services.identity.on_record import refusals_noted
from services.identity.second_factors import SecondFactors
from services.identity.session import (
    EndReason,
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
from services.identity.signing_out import SigningOut
from services.identity.throttles import Throttle
from services.identity.user import User, address_key
from services.kit.audit import By, audited, by_caller
from services.kit.errors import Failure
from services.kit.journal import NewEvent
from services.kit.origin import origin
from services.kit.principal import KeyUse, Principal
from services.kit.reason import Reason
from services.kit.refusals import Refusals
from services.kit.request_id import current_request_id
from services.kit.revocations import ended

BEGIN = "session.begin"
"""What signing in is called on record, whether it succeeds or not."""

_log = structlog.stdlib.get_logger()


class SignIn:
    """Begins and continues sessions."""

    def __init__(
        self,
        ground: Ground,
        signing_out: SigningOut,
        hasher: PasswordHasher,
        throttle: Throttle,
        factors: SecondFactors,
        issuer: Issuer,
        notices: Notices,
        refusals: Refusals,
    ) -> None:
        self._database = ground.database
        self._journal = ground.journal
        self._signing_out = signing_out
        self._hasher = hasher
        self._throttle = throttle
        self._second_factors = factors
        self._issuer = issuer
        self._notices = notices
        self._refusals = refusals
        self._limits = issuer.limits
        self._clock = ground.clock
        self._ids = ground.ids
        self._random = ground.random

    async def log_in(self, email: str, password: str, device: Device, code: str = "") -> Tokens:
        """Begin a session.

        Failure INVALID_CREDENTIALS, equally late whatever was wrong; USER_BLOCKED, told only to who
        knows the password, as are SECOND_FACTOR_REQUIRED and CODE_INVALID; RATE_LIMITED.
        """
        # Nobody has an address that is none.
        key = address_key(email) or email
        async with self._database.connection() as connection:
            known = await users.find_credential(connection, key)
            user_id = known.user.user_id if known else None
            before = await sessions.begun_from(connection, user_id, device)
        buckets = throttle.sign_in(key, device.address, device.cookie, known=before)
        with refusals_noted(self._refusals, BEGIN, user_id):
            await self._throttle.admit(buckets)
            verdict = await self._hasher.check(password, known.password_hash if known else None)
            if known is None or not verdict.fits or known.has_expired(self._clock.now()):
                raise _wrong()
            if verdict.new_hash is not None:
                await self._rehash(known, verdict.new_hash)
            await self._second_factor(known.user.user_id, code)
            await self._throttle.give_back(buckets)
            return await self.begin(known.user.user_id, device, known.version)

    async def _second_factor(self, user_id: UUID, code: str) -> None:
        async with self._database.transaction() as connection:
            if not await second_factors.in_force(connection, user_id):
                return
            if not code:
                message = "Send the code of your second factor as well."
                raise Failure(Reason.SECOND_FACTOR_REQUIRED, message)
            if not await self._second_factors.check(connection, user_id, code):
                raise second_factors.code_invalid()

    async def confirm(self, user_id: UUID, session_id: UUID, password: str, code: str) -> Tokens:
        """Prove within a session who one is; return it with a new access token.

        Failures: INVALID_CREDENTIALS or CODE_INVALID, RATE_LIMITED, SESSION_ENDED,
        SESSION_TIME_LIMIT.
        """
        buckets = throttle.confirmation(str(user_id))
        with refusals_noted(self._refusals, "session.confirm", user_id):
            await self._throttle.admit(buckets)
            await self._require_proof(user_id, password, code)
        await self._throttle.give_back(buckets)
        async with self._database.transaction() as connection:
            session = await sessions.prove(connection, session_id, self._clock.now())
            if session is None:
                raise ended()
            user = await users.find(connection, user_id)
            may = await self._may(connection, user)
            until = await self._admit(connection, session)
        return self._issuer.tokens(user, may, session, "", session.expires_at, until)

    async def _may(self, connection: AsyncConnection, user: User) -> frozenset[str]:
        """Return what a token may say that a user may do."""
        by_roles = await roles.may(connection, user.roles)
        return await self._second_factors.counted(connection, user.user_id, by_roles)

    async def _admit(self, connection: AsyncConnection, session: Session) -> datetime:
        """Return until when an access token of this session may count, and count it."""
        now = self._clock.now()
        until = access_expiry(session, now, self._limits.access)
        return await presences.admit(connection, session.user_id, now, until)

    async def _require_proof(self, user_id: UUID, password: str, code: str) -> None:
        """Check the second factor of who has one, the password of who has none."""
        async with self._database.transaction() as connection:
            if await second_factors.in_force(connection, user_id):
                if not await self._second_factors.check(connection, user_id, code):
                    raise second_factors.code_invalid()
                return
            stored = await users.password_hash_of(connection, user_id)
        if not (await self._hasher.check(password, stored)).fits:
            raise Failure(Reason.INVALID_CREDENTIALS, "This is not the password.")

    async def _rehash(self, known: users.Credential, new_hash: str) -> None:
        async with self._database.transaction() as connection:
            await users.replace_hash(connection, known.user.user_id, known.password_hash, new_hash)

    async def begin(self, user_id: UUID, device: Device, version: int | None = None) -> Tokens:
        """Begin a session of a user who has proven who he is.

        By the password of this `version`, or by something else than a password. Failures:
        INVALID_CREDENTIALS, USER_BLOCKED, SESSION_TIME_LIMIT.
        """
        now = self._clock.now()
        end = now + self._limits.absolute
        session = Session(self._ids(), user_id, now, end, now, now, device=device)
        token = first_token(self._random)
        async with self._database.transaction() as connection:
            # The lock keeps simultaneous sign-ins of one user from exceeding the bound together.
            user = await users.lock(connection, user_id)
            # Nor may one begin with a password that was replaced while it was being checked.
            if version not in {None, await users.password_version(connection, user_id)}:
                raise _wrong()
            _require_welcome(user, now)
            await self._notices.sign_in(connection, user, device)
            expires_at = await self._store(connection, session, token, now)
            surplus = await sessions.oldest_beyond(connection, user_id, self._limits.live_max, now)
            await self._signing_out.end(connection, surplus, EndReason.DISPLACED)
            may = await self._may(connection, user)
            until = await self._admit(connection, session)
            await self._journal.append(connection, [_begun(session, now)], now)
        self._journal.notify()
        return self._issuer.tokens(user, may, session, token, expires_at, until)

    async def _store(
        self, connection: AsyncConnection, session: Session, token: str, now: datetime
    ) -> datetime:
        expires_at = refresh_expiry(session, now, self._limits.idle)
        await sessions.begin(connection, session)
        await sessions.add_token(connection, session, digest_of(token), expires_at)
        return expires_at

    async def refresh(self, token: str) -> Tokens:
        """Exchange a refresh token for new tokens.

        Failure SESSION_ENDED, also for a token that never was; REFRESH_TOKEN_REUSED or
        SESSION_TIME_LIMIT when this very call ended the session.
        """
        now = self._clock.now()
        async with self._database.transaction() as connection:
            found = await sessions.present(connection, digest_of(token))
            if found is None:
                raise ended()
            rotation = judge(found.session, found.token, now, self._limits.grace)
            if rotation is Rotation.REFUSE:
                raise ended()
            try:
                if rotation is not Rotation.END:
                    return await self._rotate(connection, token, found, now)
                reason, failure = EndReason.TOKEN_REUSED, _presented_twice(found.session)
            except Failure as refusal:
                reason, failure = EndReason.TIME_LIMIT, refusal
            await self._signing_out.end(connection, [found.session.session_id], reason)
        self._journal.notify()
        whose = f"user:{found.session.user_id}"
        self._refusals.note("session.refresh", whose, by_caller(), failure.reason)
        raise failure

    async def _rotate(
        self, connection: AsyncConnection, token: str, found: sessions.Presented, now: datetime
    ) -> Tokens:
        """Issue the successor of a token, or answer the one issued before.

        Failure SESSION_TIME_LIMIT, and then nothing was changed.
        """
        session, salt = found.session, found.token.successor_salt
        until = await self._admit(connection, session)
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
        may = await self._may(connection, user)
        return self._issuer.tokens(user, may, session, successor, expires_at, until)

    async def profile(self, user_id: UUID, session_id: UUID) -> User:
        """Return the signed-in user. Failure SESSION_ENDED when the session is over."""
        async with self._database.connection() as connection:
            user = await sessions.find_user_in_session(
                connection, user_id, session_id, self._clock.now()
            )
        if user is None:
            raise ended()
        return user

    def key_ticket(self, bearer: Principal, key: KeyUse) -> Ticket:
        """Return a ticket for the socket to the bearer of a key's token."""
        return self._issuer.key_ticket(bearer, key)

    async def stream_ticket(self, user_id: UUID, session_id: UUID) -> Ticket:
        """Return a ticket for the socket. Failure SESSION_ENDED when the session is over."""
        user = await self.profile(user_id, session_id)
        return self._issuer.ticket(user, session_id)


def _require_welcome(user: User, now: datetime) -> None:
    if user.is_shut_out(now):
        until = {"until": user.banned_until.isoformat()} if user.banned_until else {}
        raise Failure(Reason.USER_BLOCKED, "You are shut out.", metadata=until)


def _presented_twice(session: Session) -> Failure:
    _log.warning("refresh token presented twice", session_id=str(session.session_id))
    message = "This refresh token was used before, so its session was ended. Sign in again."
    return Failure(Reason.REFRESH_TOKEN_REUSED, message)


def _wrong() -> Failure:
    message = "Mail address and password do not belong together."
    return Failure(Reason.INVALID_CREDENTIALS, message)


def _begun(session: Session, now: datetime) -> NewEvent:
    """Return the record that somebody signed in, and from where."""
    actor, session_id = f"user:{session.user_id}", str(session.session_id)
    by = By(actor, origin().network, session_id, current_request_id())
    return audited(BEGIN, actor, now, by=by)
