"""What was taken back: told in full to whoever begins to listen, then as it happens."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import structlog

from services.identity import api_keys, sessions, users
from services.identity.ground import Ground
from services.identity.revocation import Revoked
from services.identity.wire import to_revoked
from services.kit.database import DatabaseUnavailable
from services.kit.revocations import Revocations

_PAGE = 500
# The journal is looked at every fifth of a second.
_QUIET_LOOKS_MAX = 4
_PAUSE_SECONDS = 0.5
# Clocks differ, and a service forgives a token two seconds.
_MARGIN = timedelta(minutes=1)
_log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True)
class News:
    """Some of what was taken back; `complete` when all until now has been told."""

    revoked: list[Revoked]
    complete: bool


class RevokedSource:
    """Reads what was taken back, and keeps this process's own revocations up to date."""

    def __init__(self, ground: Ground, lifetime: timedelta) -> None:
        """Tell of what was taken back less than an access token's `lifetime` ago."""
        # Whoever is cut off from the database that tells it can answer nobody anyway.
        self.revocations = Revocations(ground.clock, stale_after=timedelta.max)
        self._database = ground.database
        self._journal = ground.journal
        self._clock = ground.clock
        self._matters = lifetime + _MARGIN

    async def run(self) -> None:
        """Keep this process's own revocations up to date, for ever."""
        while True:
            try:
                await self._follow()
            except DatabaseUnavailable as error:
                _log.warning("revocations wait for the database", reason=str(error))
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _follow(self) -> None:
        async for news in self.watch():
            for revoked in news.revoked:
                remember(revoked, self.revocations)
            if news.complete:
                self.revocations.heard()

    async def watch(self) -> AsyncIterator[News]:
        """Yield a full account, then what comes; at least one item a second."""
        # What happens while the account is read is told twice, which changes nothing.
        position = await self._journal.last_position()
        told = await self._snapshot()
        for start in range(0, len(told), _PAGE):
            yield News(told[start : start + _PAGE], complete=False)
        yield News([], complete=True)
        quiet = 0
        while True:
            growth = self._journal.growth
            entries = await self._journal.read(position, _PAGE)
            revoked = [to_revoked(entry, self._matters) for entry in entries]
            found = [item for item in revoked if item is not None]
            if found or quiet >= _QUIET_LOOKS_MAX:
                yield News(found, complete=True)
                quiet = 0
            if entries:
                position = entries[-1].position
            else:
                await self._journal.wait(growth)
                quiet += 1

    async def _snapshot(self) -> list[Revoked]:
        since = self._clock.now() - self._matters
        async with self._database.connection() as connection:
            over = await sessions.ended_since(connection, since)
            over += await api_keys.ended_since(connection, since)
            changed = await users.authorities_since(connection, since)
        return [
            *(Revoked(at + self._matters, grant_id=grant_id) for grant_id, at in over),
            *(
                Revoked(at + self._matters, user_id=user_id, authority=authority)
                for user_id, authority, at in changed
            ),
        ]


def remember(revoked: Revoked, revocations: Revocations) -> None:
    """Take what was taken back into account."""
    if revoked.grant_id is not None:
        revocations.end(str(revoked.grant_id), revoked.until)
    else:
        revocations.outdate(str(revoked.user_id), revoked.authority, revoked.until)
