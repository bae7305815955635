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
from services.kit.tasks import end_tasks

BATCH = 500
_BLOCK_MS = 500
_MARK_SECONDS = 1.0
_MARK_EXPIRY_SECONDS = 60
_log = structlog.stdlib.get_logger()

Entries = Sequence[tuple[bytes, Sequence[bytes]]]
"""Each with its id, and its fields' names and values in turn."""


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
        self._key = f"journal:{journal}"
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
        return _position(newest[0][0]) if newest else 0

    async def _read(self) -> None:
        execute: Callable[..., Awaitable[Any]] = self._redis.execute_command
        streams = await execute(
            *("XREAD", "BLOCK", _BLOCK_MS, "COUNT", BATCH),
            *("STREAMS", self._key, f"{self._position}-0"),
        )
        for _, entries in streams or ():
            self._receive(entries)
        if self._clock.monotonic() - self._marked_at >= _MARK_SECONDS:
            await self._check_mark()

    def _receive(self, entries: Entries) -> None:
        """Hand on what was published, for each subject together."""
        events: dict[str, list[JournalEvent]] = {}
        for entry_id, fields in entries:
            self._follow(_position(entry_id))
            try:
                self._read_entry(fields, events)
            except (DecodeError, KeyError, ValueError) as error:
                self._doubt(f"an entry cannot be read: {error!r}")
        for subject, published in events.items():
            self._journals.receive(self._journal, subject, published)
        EVENTS.labels(self._journal).inc(len(entries))

    def _follow(self, position: int) -> None:
        follows = position == self._position + 1
        self._position = position
        if not follows:
            self._doubt("positions do not follow each other")

    def _read_entry(self, flat: Sequence[bytes], events: dict[str, list[JournalEvent]]) -> None:
        names_and_values = iter(flat)
        fields = dict(zip(names_and_values, names_and_values, strict=True))
        subject = fields[b"subject"].decode()
        if self._journals.wants(self._journal, subject):
            sequence, kind = int(fields[b"sequence"]), fields[b"type"].decode()
            event = from_payload(sequence, kind, fields[b"payload"])
            events.setdefault(subject, []).append(event)

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


def _position(entry_id: bytes) -> int:
    return int(entry_id.partition(b"-")[0])
