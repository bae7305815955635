"""Tells Redis what was stored, for the edge. Redis may be slow or dead: then nobody waits for it.

Ticks go to `ticks:<symbol>`, watermarks to `watermark`, by plain publish: whoever missed one sees
the next.
"""

import asyncio
from collections.abc import Callable

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.quotes import metrics
from services.quotes.market import Ticks, Watermark

_QUEUE_LENGTH = 1000
_TOGETHER_MAX = 200
_PAUSE_SECONDS = 0.5
_TIMEOUT_SECONDS = 2
_log = structlog.stdlib.get_logger()

Message = tuple[str, bytes]
"""A channel and what is published on it."""


class Publisher:
    """Publishes to Redis, in order, and drops what Redis does not keep up with."""

    def __init__(
        self,
        redis_url: str,
        write_ticks: Callable[[Ticks], list[Message]],
        write_watermark: Callable[[Watermark], Message],
    ) -> None:
        """Publish what the two functions write."""
        self._redis = Redis.from_url(
            redis_url,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._write_ticks = write_ticks
        self._write_watermark = write_watermark
        self._queue: asyncio.Queue[Ticks | Watermark] = asyncio.Queue(_QUEUE_LENGTH)
        self._reachable = True

    def ticks(self, stored: Ticks) -> None:
        """Publish ticks soon."""
        self._offer(stored)

    def watermark(self, watermark: Watermark) -> None:
        """Publish a watermark soon."""
        self._offer(watermark)

    async def run(self) -> None:
        """Publish until cancelled."""
        try:
            while True:
                await self._publish(await self._next())
        finally:
            await self._redis.aclose()

    def _offer(self, message: Ticks | Watermark) -> None:
        if self._queue.full():
            self._queue.get_nowait()
            metrics.PUBLISH_DROPPED.inc()
        self._queue.put_nowait(message)

    async def _next(self) -> list[Message]:
        messages = self._written(await self._queue.get())
        while len(messages) < _TOGETHER_MAX and not self._queue.empty():
            messages += self._written(self._queue.get_nowait())
        return messages

    def _written(self, message: Ticks | Watermark) -> list[Message]:
        if isinstance(message, Ticks):
            return self._write_ticks(message)
        return [self._write_watermark(message)]

    async def _publish(self, messages: list[Message]) -> None:
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for channel, payload in messages:
                    pipeline.publish(channel, payload)
                await pipeline.execute()
            self._note(reachable=True)
        except (RedisError, OSError) as error:
            metrics.PUBLISH_DROPPED.inc(len(messages))
            self._note(reachable=False, reason=str(error))
            await asyncio.sleep(_PAUSE_SECONDS)

    def _note(self, *, reachable: bool, reason: str = "") -> None:
        if reachable != self._reachable:
            self._reachable = reachable
            if reachable:
                _log.info("redis is back")
            else:
                _log.warning("redis is away: ticks are not published", reason=reason)
