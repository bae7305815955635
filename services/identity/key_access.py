"""Making and ending API keys, and exchanging one for a short-lived access token."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import api_keys, throttle, users
from services.identity.api_key import (
    LIVE_MAX,
    SECRET_BYTES,
    ApiKey,
    KeyWish,
    digest_of,
    parse,
    write,
)
from services.identity.ground import Ground
from services.identity.issuing import Issuer
from services.identity.letter import LetterKind
from services.identity.notices import Notices
from services.identity.on_record import credential_changed, refusals_noted
from services.identity.throttles import Throttle
from services.identity.wire import api_key_ended
from services.kit.errors import Failure, Violation
from services.kit.reason import Reason
from services.kit.refusals import Refusals
from services.kit.tokens import USER_AUDIENCE

_ASSERTION_LIFETIME_MAX = timedelta(seconds=60)
_CLOCKS_DIFFER = timedelta(seconds=5)
_EXCHANGE = "key.exchange"
_log = structlog.stdlib.get_logger()


class KeyAccess:
    """Keeps the keys of users' programs."""

    def __init__(
        self,
        ground: Ground,
        throttle: Throttle,
        issuer: Issuer,
        notices: Notices,
        refusals: Refusals,
    ) -> None:
        """Sign access tokens with this issuer."""
        self._database = ground.database
        self._journal = ground.journal
        self._clock = ground.clock
        self._ids = ground.ids
        self._random = ground.random
        self._throttle = throttle
        self._issuer = issuer
        self._notices = notices
        self._refusals = refusals

    async def make(self, user_id: UUID, wish: KeyWish) -> tuple[ApiKey, str]:
        """Make a key; return it and how it is written, which is empty for a public key.

        Failures: TOO_MANY_KEYS; INVALID_REQUEST for a time that has passed.
        """
        key_id, now = self._ids(), self._clock.now()
        if wish.expires_at is not None and wish.expires_at <= now:
            violation = Violation("expire_time", "must lie in the future")
            message = "expire_time must lie in the future."
            raise Failure(Reason.INVALID_REQUEST, message, violations=[violation])
        written = "" if wish.public_key else write(key_id, self._random(SECRET_BYTES))
        key = ApiKey(
            key_id,
            user_id,
            wish.name,
            wish.scopes,
            wish.account_ids,
            wish.networks,
            now,
            wish.expires_at,
            digest=digest_of(written) if written else None,
            public_key=wish.public_key,
        )
        await self._store(key)
        return key, written

    async def _store(self, key: ApiKey) -> None:
        async with self._database.transaction() as connection:
            await users.lock(connection, key.user_id)
            if len(await api_keys.live(connection, key.user_id, key.created_at)) >= LIVE_MAX:
                metadata = {"max": str(LIVE_MAX)}
                raise Failure(Reason.TOO_MANY_KEYS, "End a key first.", metadata=metadata)
            await api_keys.add(connection, key)
            made = credential_changed("key.create", key.user_id, key.created_at, _told(key))
            await self._journal.append(connection, [made], key.created_at)
            await self._notices.write(connection, LetterKind.KEY_CREATED, key.user_id)
        self._journal.notify()
        _log.info("api key made", user_id=str(key.user_id), key_id=str(key.key_id))

    async def keys_of(self, user_id: UUID) -> list[ApiKey]:
        """Return the keys of a user that work, newest first."""
        async with self._database.connection() as connection:
            return await api_keys.live(connection, user_id, self._clock.now())

    async def end(self, user_id: UUID, key_id: UUID) -> None:
        """End a key of a user; one that ended stays so. Failure KEY_NOT_FOUND."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            key = await api_keys.find(connection, key_id)
            if key is None or key.user_id != user_id:
                raise Failure(Reason.KEY_NOT_FOUND, "You have no such key.")
            if await api_keys.end(connection, key_id, now):
                record = credential_changed("key.end", user_id, now, {"key": str(key_id)})
                await self._journal.append(connection, [api_key_ended(key, now), record], now)
        self._journal.notify()

    async def exchange_secret(self, written: str, address: str) -> tuple[str, datetime]:
        """Return an access token for a key, and until when it counts.

        Failures: KEY_INVALID for what is no key, wrong, expired or ended; USER_BLOCKED.
        """
        named = parse(written)
        buckets = throttle.key_exchange(address)
        with refusals_noted(self._refusals, _EXCHANGE):
            await self._throttle.admit(buckets)
            async with self._database.connection() as connection:
                key = await api_keys.find(connection, named[0]) if named else None
                proven = key and named and hmac.compare_digest(key.digest or b"", named[1])
                token = await self._token(connection, key if proven else None)
        await self._throttle.give_back(buckets)
        return token

    async def exchange_assertion(self, assertion: str, address: str) -> tuple[str, datetime]:
        """Return an access token for an assertion signed with the private half of a key.

        It is a JWT (EdDSA) that names the key as `iss` and `sub`, is meant for `veritick`, lives a
        minute at most and has a `jti`; it works once. Failures: those of a secret.
        """
        buckets = throttle.key_exchange(address)
        with refusals_noted(self._refusals, _EXCHANGE):
            await self._throttle.admit(buckets)
            async with self._database.transaction() as connection:
                key = await api_keys.find(connection, _claimed_key(assertion))
                expires_at = self._checked(assertion, key)
                # Of what was signed: a signature can be written in more than one way.
                signed = assertion.rpartition(".")[0]
                digest = hashlib.sha256(signed.encode()).digest()
                if not await api_keys.use_assertion(connection, digest, expires_at):
                    raise key_invalid()
                token = await self._token(connection, key)
        await self._throttle.give_back(buckets)
        return token

    def _checked(self, assertion: str, key: ApiKey | None) -> datetime:
        """Return until when a genuine assertion counts. Failure KEY_INVALID."""
        if key is None or key.public_key is None:
            raise key_invalid()
        now = self._clock.now()
        try:
            claims = jwt.decode(
                assertion,
                Ed25519PublicKey.from_public_bytes(key.public_key),
                algorithms=["EdDSA"],
                audience=USER_AUDIENCE,
                issuer=str(key.key_id),
                subject=str(key.key_id),
                options={
                    "require": ["exp", "iat", "aud", "iss", "sub", "jti"],
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
            expires_at = datetime.fromtimestamp(int(claims["exp"]), UTC)
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, OSError) as error:
            raise key_invalid() from error
        if not now < expires_at <= now + _ASSERTION_LIFETIME_MAX + _CLOCKS_DIFFER:
            raise key_invalid()
        return expires_at

    async def _token(self, connection: AsyncConnection, key: ApiKey | None) -> tuple[str, datetime]:
        now = self._clock.now()
        if key is None or not key.is_live(now):
            raise key_invalid()
        user = await users.find(connection, key.user_id)
        if user.is_shut_out(now):
            raise Failure(Reason.USER_BLOCKED, "You are shut out.")
        return self._issuer.key_token(user, key)


def _told(key: ApiKey) -> dict[str, object]:
    """Return what stays on record of a key: what it opens, not what opens it nor from where."""
    return {
        "key": str(key.key_id),
        "scopes": sorted(key.scopes),
        "accounts": sorted(key.account_ids),
        "networks": len(key.networks),
        "expires": key.expires_at,
        "by_signature": key.public_key is not None,
    }


def key_invalid() -> Failure:
    """Return the refusal of a key, whatever is wrong with it."""
    return Failure(Reason.KEY_INVALID, "This API key is not valid.")


def _claimed_key(assertion: str) -> UUID:
    """Return which key an assertion names; nothing is believed yet. Failure KEY_INVALID."""
    try:
        claims = jwt.decode(assertion, options={"verify_signature": False})
        return UUID(str(claims.get("iss")))
    except (jwt.InvalidTokenError, ValueError) as error:
        raise key_invalid() from error
