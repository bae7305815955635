"""What the relays publish: one reader per journal, which knows when it cannot be sure.

Redis may be away, restarted, flushed, trimmed or replaced at any moment. Each of these is a
discontinuity, after which the hub asks the journal. It is found by

- a position that does not follow the one before (positions of a journal have no gaps);
- an error or a timeout of the connection;
- the loss of a mark: a key that only this process sets, which a flush or a restart takes away;
- a stream that ends before what was read of it: a relay has begun it anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

import structlog
from google.protobuf.message import DecodeError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from edge.stream.event import JournalEvent, from_payload
from edge.stream.journals import Journals
from edge.stream.metrics import DISCONTINUITIES, EVENTS
from services.kit.clock import Clock
from services.kit.stream import entry_id, position_of, read_entry, stream_key
from services.kit.tasks import end_tasks

BATCH = 5_000
"""Entries read at once, if so many are there: who is behind catches up in fewer, longer writes."""

_TURN = 200
"""Events handed on before whoever else waits for the loop has it."""

_BLOCK_MS = 500
_MARK_SECONDS = 1.0
_MARK_EXPIRY_SECONDS = 60
_log = structlog.stdlib.get_logger()

Entries = Sequence[tuple[bytes, Sequence[bytes]]]
"""Each with its id, and its fields as `services.kit.stream` reads them."""

_Published = tuple[int, str, bytes]
"""An event's sequence, its type, and itself."""


class JournalReader:
    """Follows one journal's stream and hands its events to the hub."""

    def __init__(
        self,
        journal: str,
        redis: Redis,
        journals: Journals,
        clock: Clock,
        random: Random,
        mark: str,
        poll_seconds: float,
    ) -> None:
        """Read `journal:<name>`; `mark` names a key that no other process uses.

        While Redis is away the journal is asked every `poll_seconds`, give or take a half.
        """
        self._journal = journal
        self._key = stream_key(journal)
        self._redis = redis
        # As Redis answers: the client's own reading costs more than that of the events themselves.
        redis.set_response_callback("XREAD", _as_it_is)
        self._journals = journals
        self._clock = clock
        self._random = random
        self._mark = f"{mark}:{journal}"
        self._poll_seconds = poll_seconds
        self._position = 0
        self._marked_at = 0.0

    async def run(self) -> None:
        """Read for ever."""
        while True:
            try:
                await self._begin()
                while True:
                    await self._read()
            except (RedisError, OSError, TimeoutError) as error:
                self._doubt(str(error) or type(error).__name__)
                await asyncio.sleep(self._poll_seconds * self._random.uniform(0.5, 1.5))

    async def _begin(self) -> None:
        """Take up the present end of the stream; what came before is the journal's to tell."""
        await self._redis.set(self._mark, b"1", ex=_MARK_EXPIRY_SECONDS)
        self._marked_at = self._clock.monotonic()
        self._position = await self._newest()
        self._journals.check(self._journal)

    async def _newest(self) -> int:
        newest: Any = await self._redis.xrevrange(self._key, count=1)
        return position_of(newest[0][0]) if newest else 0

    async def _read(self) -> None:
        execute: Callable[..., Awaitable[Any]] = self._redis.execute_command
        streams = await execute(
            *("XREAD", "BLOCK", _BLOCK_MS, "COUNT", BATCH),
            *("STREAMS", self._key, entry_id(self._position)),
        )
        for _, entries in streams or ():
            await self._receive(entries)
        if self._clock.monotonic() - self._marked_at >= _MARK_SECONDS:
            await self._check_mark()

    async def _receive(self, entries: Entries) -> None:
        """Hand on what was published, for each subject together, and let others have their turn."""
        turn = 0
        for subject, published in self._sorted(entries).items():
            self._journals.receive(self._journal, subject, self._decoded(published))
            turn += len(published)
            if turn >= _TURN:
                turn = 0
                await asyncio.sleep(0)
        EVENTS.labels(self._journal).inc(len(entries))

    def _sorted(self, entries: Entries) -> dict[str, list[_Published]]:
        """Return what concerns subjects that anybody follows, for each of them in order."""
        published: dict[str, list[_Published]] = {}
        followed = self._journals.followed(self._journal)
        doubt = ""
        for identifier, fields in entries:
            if not self._follows(position_of(identifier)):
                doubt = "positions do not follow each other"
            try:
                subject, sequence, kind, payload = read_entry(fields)
            except ValueError as error:
                doubt = f"an entry cannot be read: {error!r}"
                continue
            if subject in followed:
                published.setdefault(subject, []).append((sequence, kind, payload))
        if doubt:
            self._doubt(doubt)
        return published

    def _decoded(self, published: Sequence[_Published]) -> list[JournalEvent]:
        try:
            return [from_payload(*each) for each in published]
        except DecodeError as error:
            self._doubt(f"an event cannot be read: {error!r}")
            return []

    def _follows(self, position: int) -> bool:
        """Go to a position; False when it is not the next."""
        follows = position == self._position + 1
        self._position = position
        return follows

    async def _check_mark(self) -> None:
        """Renew the mark; if it had gone, all that was in Redis had, or at least the stream."""
        kept = await self._redis.expire(self._mark, _MARK_EXPIRY_SECONDS)
        self._marked_at = self._clock.monotonic()
        if not kept or await self._newest() < self._position:
            self._doubt("Redis has forgotten")
            await self._begin()

    def _doubt(self, reason: str) -> None:
        DISCONTINUITIES.labels(self._journal).inc()
        _log.warning("events may have been lost", journal=self._journal, reason=reason)
        self._journals.check(self._journal)


class Readers:
    """One reader for each journal that anybody follows, from the first time on."""

    def __init__(self, make: Callable[[str], JournalReader]) -> None:
        """Make a reader when a journal is first needed; their number is that of the journals."""
        self._make = make
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def read(self, journal: str) -> None:
        """Read a journal that its owner knows from now on."""
        task = self._tasks.get(journal)
        if task is None or task.done():
            task = asyncio.create_task(self._make(journal).run(), name=journal)
            task.add_done_callback(_tell_failure)
            self._tasks[journal] = task

    async def close(self) -> None:
        """Stop reading."""
        await end_tasks(self._tasks.values())


def _tell_failure(task: asyncio.Task[None]) -> None:
    """Log what should not happen; the journal is read again when it is next asked."""
    if not task.cancelled() and (error := task.exception()):
        _log.error("a reader failed", journal=task.get_name(), exc_info=error)


def _as_it_is(response: Any, **_: Any) -> Any:
    return response
