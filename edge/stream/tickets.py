"""Tickets: who opens a socket. Each works once, wherever it is shown."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from edge.stream.channel import JournalChannel
from services.kit.clock import Clock
from services.kit.errors import Failure
from services.kit.principal import Principal
from services.kit.reason import Reason
from services.kit.tokens import USER_ISSUER, Keyring

AUDIENCE = "stream"
_REMEMBERED_SECONDS = 60
"""Longer than a ticket lives, with all leeway for clocks."""

_USED_MAX = 100_000
_log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who showed a ticket."""

    user_id: str
    session_id: str
    authority: int = 0
    """The version of the user's permissions when the ticket was issued."""

    by_key: bool = False
    """Whether it is a program with an API key, which `session_id` then is."""

    accounts: frozenset[str] = frozenset()
    """The accounts that the key is bound to; all of the user's when there are none."""

    def may_read(self, channel: JournalChannel) -> bool:
        """Tell whether the bearer may ask for a private channel at all; its owner decides."""
        kind, _, name = channel.name.partition(":")
        if not self.by_key:
            return True
        return kind == "account" and (not self.accounts or name in self.accounts)

    def principal(self) -> Principal:
        """Return the bearer as a caller, by whom revocations are judged."""
        return Principal("user", self.user_id, session_id=self.session_id, authority=self.authority)


class Tickets:
    """Checks tickets and remembers those used.

    The memory is Redis, shared by all processes of the edge; while it is away each process
    remembers for itself, so that signing in does not depend on it.
    """

    def __init__(self, keyring: Keyring, redis: Redis, clock: Clock) -> None:
        """Believe the keys of this keyring."""
        self._keyring = keyring
        self._redis = redis
        self._clock = clock
        self._used: dict[str, float] = {}

    async def redeem(self, ticket: str) -> Bearer:
        """Use a ticket up; Failure TICKET_INVALID when it is forged, too old or was used before."""
        jti, bearer = self._believed(ticket)
        if not self._first_here(jti) or not await self._first_anywhere(jti):
            raise _invalid()
        return bearer

    def _believed(self, ticket: str) -> tuple[str, Bearer]:
        now: datetime = self._clock.now()
        try:
            claims = self._keyring.claims(ticket, AUDIENCE, now)
            if claims["iss"] != USER_ISSUER:
                raise _invalid()
            bearer = Bearer(
                str(UUID(claims["sub"])),
                str(claims["sid"]),
                int(claims["ver"]),
                bool(claims.get("key", False)),
                frozenset(map(str, claims.get("acc", ()))),
            )
            return str(claims["jti"]), bearer
        except (Failure, KeyError, ValueError, AttributeError, TypeError) as error:
            raise _invalid() from error

    def _first_here(self, jti: str) -> bool:
        now = self._clock.monotonic()
        while self._used and (oldest := next(iter(self._used))):
            if self._used[oldest] > now and len(self._used) < _USED_MAX:
                break
            del self._used[oldest]
        if jti in self._used:
            return False
        self._used[jti] = now + _REMEMBERED_SECONDS
        return True

    async def _first_anywhere(self, jti: str) -> bool:
        key = f"stream:ticket:{hashlib.sha256(jti.encode()).hexdigest()}"
        try:
            return bool(await self._redis.set(key, b"1", nx=True, ex=_REMEMBERED_SECONDS))
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("tickets are remembered here alone", reason=str(error))
            return True


def _invalid() -> Failure:
    return Failure(Reason.TICKET_INVALID, "The ticket is not valid, or was used before.")
