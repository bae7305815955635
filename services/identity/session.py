"""A session: how long it lives, and what happens to a refresh token that is presented.

A refresh token works once: using it issues its successor. Whoever presents a used one again is
either the owner, who lost the answer, or one of two holders of a stolen token, and then nobody can
tell which. So the session ends, with one exception: within the grace period, while the successor
is unused, the same successor is answered again. That gives nothing to a thief that the theft had
not given already, as two holders of one successor are found out when the second of them uses it.

The successor is not kept for that, only derived again: from the presented token, which the server
does not keep, and a salt, which it keeps until the successor is used. So neither a stolen database
nor an old token alone leads to a token that works.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto
from uuid import UUID

from services.identity.device import UNKNOWN, Device

Random = Callable[[int], bytes]
"""A source of this many unpredictable bytes."""

ACCESS_LIFETIME = timedelta(minutes=15)
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Limits:
    """How long what is issued at sign-in counts, and how much of it there is."""

    idle: timedelta
    """How long a session survives without a refresh."""

    absolute: timedelta
    """How long a session lasts however busy it is."""

    grace: timedelta
    """How long a lost answer to a refresh may be asked for again."""

    live_max: int
    """How many live sessions a user may have; beyond that, the oldest is ended."""

    access: timedelta = ACCESS_LIFETIME
    stream_ticket: timedelta = timedelta(seconds=30)


class EndReason(StrEnum):
    """Why a session ended before its time."""

    SIGNED_OUT = "SIGNED_OUT"
    TOKEN_REUSED = "TOKEN_REUSED"  # noqa: S105  a reason, no secret
    DISPLACED = "DISPLACED"
    """The user signed in so often that the oldest session had to go."""

    ENDED_BY_OWNER = "ENDED_BY_OWNER"
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105  a reason, no secret
    BLOCKED = "BLOCKED"
    ENDED_BY_STAFF = "ENDED_BY_STAFF"
    TIME_LIMIT = "TIME_LIMIT"
    """The user was signed in for as long as he has allowed himself."""

    ERASED = "ERASED"


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in of one user."""

    session_id: UUID
    user_id: UUID
    started_at: datetime
    expires_at: datetime
    """The absolute end."""

    last_used_at: datetime
    """When its tokens were last renewed."""

    proven_at: datetime
    """When the user last proved, within it or by beginning it, who he is."""

    ended_at: datetime | None = None
    device: Device = UNKNOWN

    def is_live(self, now: datetime) -> bool:
        """Tell whether the session neither ended nor outlived its absolute limit."""
        return self.ended_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the owner of a session holds."""

    session: Session
    access_token: str = field(repr=False)
    access_expires_at: datetime
    refresh_token: str = field(repr=False)
    refresh_expires_at: datetime


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """What is remembered of a refresh token."""

    expires_at: datetime
    used_at: datetime | None = None
    successor_salt: bytes | None = None
    """Set while its successor exists and is unused."""


class Rotation(Enum):
    """What to do about a presented refresh token."""

    ISSUE = auto()
    """Use it up and issue its successor."""

    REPEAT = auto()
    """Answer the successor once more."""

    END = auto()
    """End the session: the token has two holders."""

    REFUSE = auto()
    """The session is over; nothing changes."""


def judge(session: Session, token: RefreshToken, now: datetime, grace: timedelta) -> Rotation:
    """Decide about a refresh token of this session that is presented now."""
    if not session.is_live(now):
        return Rotation.REFUSE
    if token.used_at is None:
        return Rotation.ISSUE if now < token.expires_at else Rotation.REFUSE
    if token.successor_salt is not None and now < token.used_at + grace:
        return Rotation.REPEAT
    return Rotation.END


def refresh_expiry(session: Session, now: datetime, idle: timedelta) -> datetime:
    """Return until when a refresh token issued now can be used."""
    return min(now + idle, session.expires_at)


def access_expiry(session: Session, now: datetime, lifetime: timedelta) -> datetime:
    """Return until when an access token issued now counts: never beyond its session.

    It is a whole second, since that is how a JWT says it.
    """
    return min(now + lifetime, session.expires_at).replace(microsecond=0)


def first_token(random: Random) -> str:
    """Return the refresh token that a session begins with."""
    return _text(random(_SECRET_BYTES))


def new_salt(random: Random) -> bytes:
    """Return what makes the successor of a token unpredictable to the token's holder."""
    return random(_SECRET_BYTES)


def successor_of(token: str, salt: bytes) -> str:
    """Return the refresh token that follows this one; the same for the same salt."""
    return _text(hmac.digest(token.encode(), salt, "sha256"))


def digest_of(token: str) -> bytes:
    """Return what is stored of a refresh token. It is random, so a plain hash hides it."""
    return hashlib.sha256(token.encode()).digest()


def _text(secret: bytes) -> str:
    return urlsafe_b64encode(secret).decode().rstrip("=")
