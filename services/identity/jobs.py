"""Identity's recurring work."""

from datetime import timedelta

from services.identity import api_keys, letters, mail_tokens, sessions, throttles
from services.kit.clock import Clock
from services.kit.database import Database
from services.kit.jobs import Job

_BATCH = 1_000
# Long enough that a lost answer can still be asked for again.
_KEEP_TOKENS = timedelta(hours=1)
# Every bucket has leaked empty long before.
_KEEP_THROTTLES = timedelta(days=1)


class Purge:
    """Forgets what has long been over: sessions, tokens, letters and tries."""

    def __init__(
        self, database: Database, clock: Clock, keep_sessions: timedelta, keep_mails: timedelta
    ) -> None:
        """Remember sessions for so long after their end, letters after they were written."""
        self._database = database
        self._clock = clock
        self._keep_sessions = keep_sessions
        self._keep_mails = keep_mails

    def job(self) -> Job:
        """Return the purge as a job."""
        return Job("purge", timedelta(hours=1), self.run)

    async def run(self) -> None:
        """Delete in batches until nothing is left to delete."""
        now = self._clock.now()
        for purge, before in (
            (sessions.purge_tokens, now - _KEEP_TOKENS),
            (sessions.purge_sessions, now - self._keep_sessions),
            (mail_tokens.purge, now - _KEEP_TOKENS),
            (letters.purge, now - self._keep_mails),
            (throttles.purge, now - _KEEP_THROTTLES),
            (api_keys.purge_assertions, now - _KEEP_TOKENS),
        ):
            deleted = _BATCH
            while deleted == _BATCH:
                async with self._database.transaction() as connection:
                    deleted = await purge(connection, before, _BATCH)
