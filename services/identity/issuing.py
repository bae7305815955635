"""What a session's owner is given: access tokens, and tickets for the socket."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.identity.session import Limits, Session, Tokens, access_expiry
from services.identity.user import User
from services.kit.clock import Clock
from services.kit.ids import Ids
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
    ) -> Tokens:
        """Return what the owner of a session holds, with a new access token.

        `may` is what the user may do at this version of his authority.
        """
        now = self._clock.now()
        expires_at = access_expiry(session, now, self.limits.access)
        claims = {
            "aud": USER_AUDIENCE,
            "sub": str(user.user_id),
            "sid": str(session.session_id),
            "perm": sorted(may),
            "ver": user.authority,
        }
        access_token = self._keyring.sign(claims, expires_at - now, now)
        return Tokens(session, access_token, expires_at, refresh_token, refresh_expires_at)

    def ticket(self, user: User, session_id: UUID) -> Ticket:
        """Return what opens a socket for a session, once."""
        now, lifetime = self._clock.now(), self.limits.stream_ticket
        claims = {
            "aud": STREAM_AUDIENCE,
            "sub": str(user.user_id),
            "sid": str(session_id),
            "ver": user.authority,
            "jti": str(self._ids()),
        }
        token = self._keyring.sign(claims, lifetime, now)
        return Ticket(token, (now + lifetime).replace(microsecond=0))
