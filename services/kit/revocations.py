"""What was taken back before it expired: sessions and permissions whose tokens no longer count.

Every service believes tokens by their signature alone, without asking anybody. What has been ended
since a token was issued it hears from identity (`revocation_feed`) and keeps here, in memory, for
as long as such a token could still be shown. So a call costs two look-ups and no round trip.

Nobody is believed before the first full account has been heard: a service that has just started
would take for good what was ended a minute ago. After that an outage of identity is bridged, as
long as tokens issued before it may last; then users are refused until identity is heard again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from services.kit.clock import Clock
from services.kit.errors import Failure
from services.kit.principal import Principal
from services.kit.reason import Reason

STALE_AFTER = timedelta(minutes=15)
"""As long as an access token lives: who has not heard for longer cannot know about any."""

_ENTRIES_MAX = 200_000
_RETRY_AFTER = timedelta(seconds=1)


class Revocations:
    """The grants (sessions and the like) and permissions that were taken back lately."""

    def __init__(self, clock: Clock, stale_after: timedelta = STALE_AFTER) -> None:
        """Believe no user before `heard`, nor when it was not called for `stale_after`."""
        self._clock = clock
        self._stale_seconds = stale_after.total_seconds()
        self._heard_at: float | None = None
        self._first_heard = asyncio.Event()
        self._grants: dict[str, datetime] = {}
        self._authorities: dict[str, tuple[int, datetime]] = {}
        self._floor: datetime | None = None
        self._watching: dict[str, set[asyncio.Future[None]]] = {}

    @property
    def known(self) -> bool:
        """Whether a full account was ever heard."""
        return self._heard_at is not None

    def heard(self) -> None:
        """Note that everything up to now is known."""
        self._heard_at = self._clock.monotonic()
        self._first_heard.set()

    async def until_known(self, seconds: float) -> None:
        """Wait for the first full account, but no longer than this."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._first_heard.wait()

    def end(self, grant_id: str, until: datetime) -> None:
        """Believe no token of this grant; after `until` there are none that have not expired."""
        self._make_room(self._grants)
        self._grants[grant_id] = until
        for watcher in self._watching.pop(grant_id, ()):
            if not watcher.done():
                watcher.set_result(None)

    def outdate(self, user_id: str, authority: int, until: datetime) -> None:
        """Believe no token of a user that tells an older state of what he may do."""
        self._make_room(self._authorities)
        self._authorities[user_id] = (authority, until)

    def check(self, principal: Principal) -> None:
        """Raise when a user's token no longer counts; services and strangers always pass.

        Failure SESSION_ENDED when signing in again is needed, TOKEN_EXPIRED when a refresh is
        enough, UNAVAILABLE while it is not known.
        """
        if principal.kind != "user":
            return
        now = self._clock.monotonic()
        if self._heard_at is None or now - self._heard_at > self._stale_seconds:
            message = "It is not known which sessions have ended."
            raise Failure(Reason.UNAVAILABLE, message, retry_after=_RETRY_AFTER)
        self.judge(principal)

    def judge(self, principal: Principal) -> None:
        """Raise SESSION_ENDED or TOKEN_EXPIRED by what is known, however little that is."""
        if principal.grant_id in self._grants:
            raise ended()
        if self._outdated(principal):
            raise Failure(Reason.TOKEN_EXPIRED, "The token is out of date.")

    @contextmanager
    def watched(self, grant_id: str) -> Iterator[asyncio.Future[None]]:
        """Lend a future that is done when this grant has ended."""
        watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if grant_id in self._grants:
            watcher.set_result(None)
        watchers = self._watching.setdefault(grant_id, set())
        watchers.add(watcher)
        try:
            yield watcher
        finally:
            watchers.discard(watcher)
            if not watchers and self._watching.get(grant_id) is watchers:
                del self._watching[grant_id]

    def _outdated(self, principal: Principal) -> bool:
        needed = self._authorities.get(principal.id)
        if needed is not None and principal.authority < needed[0]:
            return True
        issued = principal.issued_at
        return self._floor is not None and (issued is None or issued <= self._floor)

    def _make_room(self, entries: dict[str, datetime] | dict[str, tuple[int, datetime]]) -> None:
        """Forget what has expired; what then still is too much is replaced by one rule for all.

        Every token issued so far then needs a refresh, which an ended session does not get.
        """
        now = self._clock.now()
        while entries and _until(entries[first := next(iter(entries))]) < now:
            del entries[first]
        if len(entries) >= _ENTRIES_MAX:
            entries.clear()
            self._floor = now


def ended() -> Failure:
    """Return the refusal of a token whose session is over."""
    return Failure(Reason.SESSION_ENDED, "The session is over. Sign in again.")


def _until(entry: datetime | tuple[int, datetime]) -> datetime:
    return entry if isinstance(entry, datetime) else entry[1]
