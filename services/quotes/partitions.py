"""The days by which ticks and heartbeats are stored: made ahead, dropped when old.

The service owns no table. Two functions of the database do it for it, within the limits that the
migration sets.
"""

from collections.abc import Iterable
from datetime import date, timedelta

from services.kit.clock import Clock
from services.kit.database import Database, RawConnection

_DAYS = """
    SELECT to_date(right(inhrelid::regclass::text, 8), 'YYYYMMDD') FROM pg_inherits
    WHERE inhparent = 'tick'::regclass ORDER BY 1
"""


async def create(connection: RawConnection, days: Iterable[date]) -> None:
    """Create the partitions of these days where they are missing."""
    for day in days:
        await connection.execute("SELECT partition_create(%s)", [day])


class Retention:
    """Keeps the ticks of a number of days."""

    def __init__(self, database: Database, clock: Clock, keep_days: int) -> None:
        """Keep `keep_days` whole days before today; at least one."""
        self._database = database
        self._clock = clock
        self._keep_days = keep_days

    async def run(self) -> None:
        """Create the days to come and drop those past keeping, each in its own transaction."""
        today = self._clock.now().date()
        async with self._database.raw() as connection:
            async with connection.transaction():
                await create(connection, (today + timedelta(days=ahead) for ahead in range(3)))
            days = [row[0] for row in await (await connection.execute(_DAYS)).fetchall()]
            await connection.commit()
            for day in days:
                if day < today - timedelta(days=max(self._keep_days, 1)):
                    async with connection.transaction():
                        await connection.execute("SELECT partition_drop(%s)", [day])
