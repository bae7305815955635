"""Events for the tests of the journal."""

import asyncio
from typing import Any

from services.kit.clock import utc
from services.kit.database import Database
from services.kit.journal import Journal, NewEvent, new_event
from veritick.event.v1.event_pb2 import Event
from veritick.identity.v1.user_pb2 import User

NOON = utc(2026, 11, 23, 12)


def event(subject: str = "user:0", name: str = "a") -> NewEvent:
    changed = Event()
    changed.user_changed.user.CopyFrom(User(user_id=name))
    return new_event(subject, changed)


async def append(journal: Journal, database: Database, *events: NewEvent) -> int:
    """Append in a transaction of its own, and return the last position."""
    async with database.transaction() as connection:
        position = await journal.append(connection, events, NOON)
    journal.notify()
    return position


async def append_many(journal: Journal, database: Database, count: int) -> None:
    await append(journal, database, *(event(name=str(number)) for number in range(count)))


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
