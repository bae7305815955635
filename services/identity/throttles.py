"""The table `throttles`: how full each bucket is, by a digest of its name, which may tell who."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity.ground import Ground
from services.identity.throttle import Bucket
from services.kit.errors import Failure
from services.kit.reason import Reason

_LEVEL = "greatest(0, t.level - extract(epoch FROM :now - t.at) / :seconds)"
_FILL = text(
    f"INSERT INTO throttles AS t (key, level, at) VALUES (:key, 1, :now) "
    f"ON CONFLICT (key) DO UPDATE SET level = {_LEVEL} + 1, at = :now "
    f"WHERE {_LEVEL} + 1 <= :burst RETURNING t.level"
)
_ASK = text(f"SELECT {_LEVEL} FROM throttles t WHERE key = :key")
_GIVE_BACK = text("UPDATE throttles SET level = greatest(0, level - 1) WHERE key = :key")
_EMPTY = text("DELETE FROM throttles WHERE key = :key")
_PURGE = text(
    "DELETE FROM throttles WHERE key IN "
    "(SELECT key FROM throttles WHERE at < :before ORDER BY at LIMIT :limit)"
)


class Throttle:
    """Counts tries."""

    def __init__(self, ground: Ground) -> None:
        self._database = ground.database
        self._clock = ground.clock

    async def admit(self, buckets: Sequence[Bucket]) -> None:
        """Count one try. Failure RATE_LIMITED, with when to come back, when it is one too many.

        A try that is refused fills nothing.
        """
        now = self._clock.now()
        async with self._database.transaction() as connection:
            # Always in one order, so that two tries never wait for each other.
            for bucket in sorted(buckets, key=lambda bucket: bucket.key):
                wait = await _fill(connection, bucket, now)
                if wait is not None:
                    message = "Too many attempts; wait a moment."
                    raise Failure(
                        Reason.RATE_LIMITED,
                        message,
                        metadata={"cost": "CREDENTIAL"},
                        retry_after=wait,
                    )

    async def give_back(self, buckets: Sequence[Bucket]) -> None:
        """Take back a try that was none: its password was right."""
        async with self._database.transaction() as connection:
            for bucket in sorted(buckets, key=lambda bucket: bucket.key):
                await connection.execute(_GIVE_BACK, {"key": _digest(bucket)})


async def has_room(connection: AsyncConnection, bucket: Bucket, now: datetime) -> bool:
    """Count one try in the caller's transaction, if there is room; tell whether there was."""
    return await _fill(connection, bucket, now) is None


async def empty(connection: AsyncConnection, buckets: Sequence[Bucket]) -> None:
    """Forget all tries that these buckets count, in the caller's transaction."""
    for bucket in buckets:
        await connection.execute(_EMPTY, {"key": _digest(bucket)})


async def purge(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Forget buckets that nobody filled since a moment, at most `limit`; return how many."""
    return (await connection.execute(_PURGE, {"before": before, "limit": limit})).rowcount


async def _fill(connection: AsyncConnection, bucket: Bucket, now: datetime) -> timedelta | None:
    """Add one try to a bucket, or return how long to wait until there is room for it."""
    seconds = bucket.limit.one_per.total_seconds()
    given = {"key": _digest(bucket), "now": now, "seconds": seconds, "burst": bucket.limit.burst}
    if (await connection.execute(_FILL, given)).first() is not None:
        return None
    asked = {"key": given["key"], "now": now, "seconds": seconds}
    level = float((await connection.execute(_ASK, asked)).scalar_one())
    return timedelta(seconds=(level + 1 - bucket.limit.burst) * seconds)


def _digest(bucket: Bucket) -> bytes:
    return hashlib.sha256(bucket.key.encode()).digest()
