"""Identity's recurring work."""

from datetime import timedelta

from services.identity import sessions
from services.kit.clock import Clock
from services.kit.database import Database
from services.kit.jobs import Job

_BATCH = 1_000
# Long enough that a lost answer can still be asked for again.
_KEEP_TOKENS = timedelta(hours=1)


class SessionPurge:
    """Forgets sessions that have long been over, and refresh tokens that can work no more."""

    def __init__(self, database: Database, clock: Clock, keep: timedelta) -> None:
        """Remember sessions for `keep` after their end."""
        self._database = database
        self._clock = clock
        self._keep = keep

    def job(self) -> Job:
        """Return the purge as a job."""
        return Job("purge-sessions", timedelta(hours=1), self.run)

    async def run(self) -> None:
        """Delete in batches until nothing is left to delete."""
        now = self._clock.now()
        for purge, before in (
            (sessions.purge_tokens, now - _KEEP_TOKENS),
            (sessions.purge_sessions, now - self._keep),
        ):
            deleted = _BATCH
            while deleted == _BATCH:
                async with self._database.transaction() as connection:
                    deleted = await purge(connection, before, _BATCH)
