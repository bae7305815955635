"""Tells users how long they have been signed in, as often as they wanted to be told."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from services.identity import sittings
from services.identity.ground import Ground
from services.identity.protection_wire import reality_check_due
from services.identity.sitting import looked_at
from services.kit.jobs import Job

_EVERY = timedelta(seconds=10)
_PAGE = 500


class RealityChecks:
    """Looks at who is there, again and again."""

    def __init__(self, ground: Ground, lifetime: timedelta) -> None:
        """Somebody is there for the `lifetime` of an access token after he last got one."""
        self._database = ground.database
        self._journal = ground.journal
        self._clock = ground.clock
        self._lifetime = lifetime

    def job(self) -> Job:
        """Return the looking as a job."""
        return Job("reality-checks", _EVERY, self.run)

    async def run(self) -> None:
        """Look at everybody who wants to be told, and tell those who are due."""
        after: UUID | None = None
        while True:
            after, more = await self._look(after)
            if not more:
                return

    async def _look(self, after: UUID | None) -> tuple[UUID | None, bool]:
        """Look at a page of users; return the last of them, and whether there may be more."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            found = await sittings.page(connection, after, now, now - self._lifetime, _PAGE)
            told = []
            for before, present in found:
                sitting, due = looked_at(before, now, present=present)
                if sitting != before:
                    await sittings.store(connection, sitting)
                if due and sitting.since is not None:
                    told.append(reality_check_due(sitting.user_id, sitting.since, now))
            if told:
                await self._journal.append(connection, told, now)
        if told:
            self._journal.notify()
        return (found[-1][0].user_id if found else None), len(found) == _PAGE
