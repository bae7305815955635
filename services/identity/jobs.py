"""Identity's recurring work."""

from dataclasses import dataclass
from datetime import timedelta

from services.identity import api_keys, erasures, letters, mail_tokens, sessions, throttles, traces
from services.kit.clock import Clock
from services.kit.database import Database
from services.kit.jobs import Job

_BATCH = 1_000
# Long enough that a lost answer can still be asked for again.
_KEEP_TOKENS = timedelta(hours=1)
# Every bucket has leaked empty long before.
_KEEP_THROTTLES = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Keep:
    """How long is remembered what is over."""

    sessions: timedelta
    """After their end."""

    mails: timedelta
    """After they were written."""

    traces: timedelta
    """After a user was last seen at them."""


class Purge:
    """Forgets what has long been over: sessions, tokens, letters, tries and traces."""

    def __init__(self, database: Database, clock: Clock, keep: Keep) -> None:
        self._database = database
        self._clock = clock
        self._keep = keep

    def job(self) -> Job:
        """Return the purge as a job."""
        return Job("purge", timedelta(hours=1), self.run)

    async def run(self) -> None:
        """Delete in batches until nothing is left to delete."""
        now = self._clock.now()
        for purge, before in (
            (sessions.purge_tokens, now - _KEEP_TOKENS),
            (sessions.purge_sessions, now - self._keep.sessions),
            (mail_tokens.purge, now - _KEEP_TOKENS),
            (letters.purge, now - self._keep.mails),
            (throttles.purge, now - _KEEP_THROTTLES),
            (traces.purge, now - self._keep.traces),
            (api_keys.purge_assertions, now - _KEEP_TOKENS),
            (erasures.purge_barred, now),
        ):
            deleted = _BATCH
            while deleted == _BATCH:
                async with self._database.transaction() as connection:
                    deleted = await purge(connection, before, _BATCH)
