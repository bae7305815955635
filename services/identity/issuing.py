"""What a session's owner is given: access tokens, and tickets for the socket."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.identity.api_key import ApiKey
from services.identity.session import Limits, Session, Tokens
from services.identity.user import User
from services.kit.clock import Clock
from services.kit.ids import Ids
from services.kit.principal import KeyUse, Principal
from services.kit.tokens import USER_AUDIENCE, Keyring

STREAM_AUDIENCE = "stream"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What opens a socket, once."""

    token: str
    expires_at: datetime


class Issuer:
    """Signs what other services believe."""

    def __init__(self, keyring: Keyring, limits: Limits, clock: Clock, ids: Ids) -> None:
        """Sign with the private key of this keyring."""
        self._keyring = keyring
        self.limits = limits
        self._clock = clock
        self._ids = ids

    def tokens(
        self,
        user: User,
        may: frozenset[str],
        session: Session,
        refresh_token: str,
        refresh_expires_at: datetime,
        expires_at: datetime,
    ) -> Tokens:
        """Return what the owner of a session holds, with a new access token.

        `may` is what the user may do at this version of his authority; the access token counts
        until `expires_at`, a whole second.
        """
        now = self._clock.now()
        claims = {
            "aud": USER_AUDIENCE,
            "sub": str(user.user_id),
            "sid": str(session.session_id),
            "perm": sorted(may),
            "ver": user.authority,
            "auth_time": int(session.proven_at.timestamp()),
        }
        access_token = self._keyring.sign(claims, expires_at - now, now)
        return Tokens(session, access_token, expires_at, refresh_token, refresh_expires_at)

    def key_token(self, user: User, key: ApiKey) -> tuple[str, datetime]:
        """Return an access token for an API key, confined as the key is, and until when it counts.

        A key never has the permissions of staff.
        """
        now = self._clock.now()
        ends = [now + self.limits.access, *([key.expires_at] if key.expires_at else [])]
        expires_at = min(ends).replace(microsecond=0)
        claims = {
            "aud": USER_AUDIENCE,
            "sub": str(user.user_id),
            "ver": user.authority,
            "key": str(key.key_id),
            "scope": sorted(key.scopes),
            "acc": list(key.account_ids),
            "net": list(key.networks),
        }
        return self._keyring.sign(claims, expires_at - now, now), expires_at

    def ticket(self, user: User, session_id: UUID) -> Ticket:
        """Return what opens a socket for a session, once."""
        return self._ticket({"sid": str(session_id), "ver": user.authority}, user.user_id)

    def key_ticket(self, bearer: Principal, key: KeyUse) -> Ticket:
        """Return what opens a socket for the bearer of a key's token, confined as the key is."""
        accounts = sorted(key.accounts)
        claims = {"sid": key.key_id, "ver": bearer.authority, "key": True, "acc": accounts}
        return self._ticket(claims, bearer.user_id)

    def _ticket(self, told: Mapping[str, object], user_id: UUID) -> Ticket:
        now, lifetime = self._clock.now(), self.limits.stream_ticket
        claims = {"aud": STREAM_AUDIENCE, "sub": str(user_id), "jti": str(self._ids()), **told}
        token = self._keyring.sign(claims, lifetime, now)
        return Ticket(token, (now + lifetime).replace(microsecond=0))
