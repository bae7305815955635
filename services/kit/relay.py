"""The relay: fills a bounded Redis stream from a journal, for the edge to read.

The stream is a convenience and may be lost at any moment. An entry's id is its position in the
journal, so a second relay, or one that starts anew, cannot add an entry twice or out of order.
"""

from __future__ import annotations

import asyncio

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from services.kit.database import DatabaseUnavailable
from services.kit.failpoints import reached
from services.kit.journal import Entry, Journal
from services.kit.metrics import RELAY_POSITION

STREAM_LENGTH = 20_000
_BATCH = 500
_PAUSE_SECONDS = 0.5
_NOT_LATER = "equal or smaller than the target stream top item"
_log = structlog.stdlib.get_logger()


def stream_key(journal: str) -> str:
    """Return the key of a journal's stream."""
    return f"journal:{journal}"


class Relay:
    """Copies one journal's entries to its stream, in order, as they come."""

    def __init__(self, journal: Journal, redis_url: str) -> None:
        """Relay a journal to the Redis at this URL, which need not be there."""
        self._journal = journal
        self._redis = Redis.from_url(
            redis_url, socket_timeout=5, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
        )
        self._key = stream_key(journal.name)

    async def run(self) -> None:
        """Relay for ever; outages of either side only delay it."""
        try:
            while True:
                try:
                    await self._relay()
                except (RedisError, OSError, DatabaseUnavailable) as error:
                    _log.warning("relay waits", journal=self._journal.name, reason=str(error))
                    await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            await self._redis.aclose()

    async def _relay(self) -> None:
        position = await self._start()
        while True:
            while entries := await self._journal.read(position, _BATCH):
                await self._send(entries)
                reached("relay.after_send")
                position = entries[-1].position
            await self._journal.wait()

    async def _start(self) -> int:
        """Return the last position in the stream, or where a new stream may begin."""
        newest = await self._redis.xrevrange(self._key, count=1)
        if newest:
            return int(bytes(newest[0][0]).split(b"-")[0])  # type: ignore[arg-type]
        # An empty stream starts at the present: readers ask the journal for the past.
        return max(await self._journal.last_position() - _BATCH, 0)

    async def _send(self, entries: list[Entry]) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for entry in entries:
                pipeline.xadd(
                    self._key,
                    {
                        "subject": entry.subject,
                        "sequence": entry.sequence,
                        "type": entry.type,
                        "time": entry.time.isoformat(),
                        "payload": entry.payload,
                    },
                    id=f"{entry.position}-0",
                    maxlen=STREAM_LENGTH,
                    approximate=True,
                )
            for answer in await pipeline.execute(raise_on_error=False):
                _accept(answer)
        RELAY_POSITION.labels(self._journal.name).inc(len(entries))


def _accept(answer: object) -> None:
    """Raise what went wrong, save that the entry was there already."""
    if isinstance(answer, ResponseError) and _NOT_LATER in str(answer):
        return
    if isinstance(answer, Exception):
        raise answer
