"""The journal: what happened, in the transaction in which it happened, in an order without gaps.

`append` locks the journal's head until the transaction ends. So positions become visible in
order: whoever has read position n will never find a smaller one appear later, which a plain
sequence cannot promise while transactions overlap.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, LiteralString, NamedTuple

import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kit.arrays import bigints, byteas, integers, texts
from services.kit.database import Database, RawConnection
from services.kit.errors import Failure
from services.kit.metrics import JOURNAL_ENTRIES
from services.kit.reason import Reason
from veritick.event.v1.event_pb2 import Event

POLL = timedelta(milliseconds=200)
"""How soon an entry written by another replica is noticed; one's own are noticed at once."""

APPEND: LiteralString = """
    journal_grown AS (
        INSERT INTO journal_head AS h (journal, position)
        VALUES (%(event.journal)s, cardinality(%(event.subject)s::text[]))
        ON CONFLICT (journal) DO UPDATE SET position = h.position + excluded.position
        RETURNING position - cardinality(%(event.subject)s::text[]) AS before
    ), subjects_grown AS (
        INSERT INTO journal_subject AS s (subject, sequence)
        SELECT * FROM unnest(%(subject.name)s::text[], %(subject.events)s::bigint[])
        ON CONFLICT (subject) DO UPDATE SET sequence = s.sequence + excluded.sequence
        RETURNING subject, sequence
    ), subject_last AS (
        -- In the order of subject.name, so that an event finds its subject by number.
        SELECT array_agg(sequence ORDER BY subject COLLATE "C") AS sequences FROM subjects_grown
    ), journal_added AS (
        INSERT INTO journal (position, subject, sequence, type, payload, time)
        SELECT before + n, subject, sequences[nth_subject] - to_come, type, payload, %(event.time)s
        FROM journal_grown, subject_last,
             unnest(%(event.subject)s::text[], %(event.type)s::text[], %(event.payload)s::bytea[],
                    %(event.nth_subject)s::integer[], %(event.to_come)s::bigint[])
             WITH ORDINALITY AS e (subject, type, payload, nth_subject, to_come, n)
        RETURNING position
    )
"""
"""Appends events and takes their places, as part of a statement (its common table expressions).

Its parameters are those of `append_parameters`. No step joins: a batch of n events costs n.
"""

_APPEND_SQL: LiteralString = f"WITH {APPEND} SELECT max(position) FROM journal_added"
_READ: LiteralString = (
    "SELECT position, subject, sequence, type, payload, time FROM journal "
    "WHERE position > %(after)s ORDER BY position LIMIT %(limit)s"
)
_READ_SUBJECT: LiteralString = (
    "SELECT position, subject, sequence, type, payload, time FROM journal "
    "WHERE subject = %(subject)s AND sequence > %(after)s ORDER BY sequence LIMIT %(limit)s"
)
_LAST_SEQUENCE = text("SELECT sequence FROM journal_subject WHERE subject = :subject")
_LAST_POSITION = text("SELECT position FROM journal_head WHERE journal = :journal")


class NewEvent(NamedTuple):
    """An event that is about to be appended."""

    subject: str
    """Whom or what it concerns, such as `account:demo_0199…`."""

    type: str
    """Its name with its version, such as `order.opened.v1`."""

    payload: bytes
    """A serialized `veritick.event.v1.Event`."""


class Entry(NamedTuple):
    """An event in its place."""

    position: int
    subject: str
    sequence: int
    type: str
    payload: bytes
    time: datetime


def new_event(subject: str, event: Event) -> NewEvent:
    """Return an event ready to append; its type follows from the field that is set."""
    data = event.WhichOneof("data")
    if data is None:
        raise ValueError("an event without data")
    return NewEvent(subject, event_type(data), event.SerializeToString())


def event_type(field: str) -> str:
    """Return the name on the wire of a field of Event: `order_opened` is `order.opened.v1`."""
    return f"{field.replace('_', '.')}.v1"


def append_parameters(journal: str, events: Sequence[NewEvent], time: datetime) -> dict[str, Any]:
    """Return the parameters of APPEND; there is at least one event."""
    subjects = [event.subject for event in events]
    counts = Counter(subjects)
    # By code point, as COLLATE "C" sorts. Whoever else appends locks subjects in the same order.
    names = sorted(counts)
    places = {name: place for place, name in enumerate(names, start=1)}
    return {
        "event.journal": journal,
        "event.subject": texts(subjects),
        "event.type": texts([event.type for event in events]),
        "event.payload": byteas([event.payload for event in events]),
        "event.nth_subject": integers([places[name] for name in subjects]),
        "event.to_come": bigints(_to_come(subjects, Counter(counts))),
        "event.time": time,
        "subject.name": texts(names),
        "subject.events": bigints([counts[name] for name in names]),
    }


def _to_come(subjects: Sequence[str], left: Counter[str]) -> list[int]:
    """Return for each event how many of its subject follow it."""
    following = []
    for name in subjects:
        left[name] -= 1
        following.append(left[name])
    return following


class Journal:
    """One journal, in the database of the service that owns it."""

    def __init__(self, name: str, database: Database) -> None:
        """Name a journal; its tables come from `kit.schema.create_journal_tables`."""
        self.name = name
        self._database = database
        self._grown = asyncio.Event()

    async def append(
        self,
        connection: AsyncConnection | RawConnection,
        events: Sequence[NewEvent],
        time: datetime,
    ) -> int:
        """Append events in the caller's transaction and return the last one's position.

        Transactions that append wait for each other from here to their end, so this comes last.
        After the commit call `notify`. There is at least one event.
        """
        raw = await _raw(connection)
        parameters = append_parameters(self.name, events, time)
        row = await (await raw.execute(_APPEND_SQL, parameters)).fetchone()
        JOURNAL_ENTRIES.labels(self.name).inc(len(events))
        return int(row[0]) if row else 0

    def notify(self) -> None:
        """Wake whoever waits for entries in this process."""
        self._grown.set()
        self._grown = asyncio.Event()

    @property
    def growth(self) -> asyncio.Event:
        """What comes about when there are entries that a read begun from now on might miss."""
        return self._grown

    async def wait(self, growth: asyncio.Event) -> None:
        """Return when there may be entries that were not there when `growth` was taken."""
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL.total_seconds()):
                await growth.wait()

    async def read(self, after_position: int, limit: int) -> list[Entry]:
        """Return entries after a position, in order."""
        rows = await self._database.fetch(_READ, {"after": after_position, "limit": limit})
        return list(map(Entry._make, rows))

    async def read_subject(self, subject: str, after_sequence: int, limit: int) -> list[Entry]:
        """Return one subject's entries after a sequence, in order."""
        parameters = {"subject": subject, "after": after_sequence, "limit": limit}
        return list(map(Entry._make, await self._database.fetch(_READ_SUBJECT, parameters)))

    async def last_sequence(self, subject: str) -> int:
        """Return a subject's last sequence; 0 when nothing ever happened to it."""
        async with self._database.connection() as connection:
            found = await connection.execute(_LAST_SEQUENCE, {"subject": subject})
            return int(found.scalar() or 0)

    async def check_reached(self, subject: str | None, after: int) -> None:
        """Raise SEQUENCE_AHEAD unless the journal, or a subject in it, has come as far as this.

        Who was told more heard it of another life of the journal: it was restored from a backup.
        """
        last = await (self.last_position() if subject is None else self.last_sequence(subject))
        if after > last:
            metadata = {"last_sequence": str(last)}
            message = "What is asked for lies after an event that never happened here."
            raise Failure(Reason.SEQUENCE_AHEAD, message, metadata=metadata)

    async def last_position(self) -> int:
        """Return the position of the last entry; 0 for an empty journal."""
        async with self._database.connection() as connection:
            found = await connection.execute(_LAST_POSITION, {"journal": self.name})
            return int(found.scalar() or 0)


async def _raw(connection: AsyncConnection | RawConnection) -> RawConnection:
    if isinstance(connection, psycopg.AsyncConnection):
        return connection
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, psycopg.AsyncConnection)  # noqa: S101  the engine is psycopg's
    return driver
