"""Pacing: counts the orders of the books by where they came from, a moment later.

Minute by minute it asks trading for what was placed in it; trading answers from what it keeps
beside the orders, so that no order waits. How far it has come is stored with what it found. After
an outage it goes on where it was, at most CATCH_UP back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import device_traders
from services.identity.flag import Flag
from services.identity.flagging import raise_flag
from services.identity.ground import Ground
from services.identity.order_velocity import WINDOW, Activity, Finding, Velocity, bursts, crowd
from services.kit.follower import advance_position, lock_position
from services.kit.jobs import Job
from services.kit.wire import from_microseconds, to_microseconds

SETTLED = timedelta(seconds=15)
"""After so long trading has written from where its orders came."""

CATCH_UP = timedelta(hours=1)
_EVERY = timedelta(seconds=20)


class Orders(Protocol):
    """The orders of the books."""

    async def books(self) -> Sequence[str]:
        """Return the names of the books; none while nobody answers."""

    async def activity(self, book: str, start: datetime, end: datetime) -> list[Activity]:
        """Return who placed how many orders from where. Failure when nobody answers in time."""


class Pacing:
    """Follows the orders of the books."""

    def __init__(self, ground: Ground, orders: Orders, most: Velocity) -> None:
        self._database = ground.database
        self._journal = ground.journal
        self._clock = ground.clock
        self._ids = ground.ids
        self._orders = orders
        self._most = most

    def job(self) -> Job:
        """Return this as a job; it bears being repeated."""
        return Job("pace-orders", _EVERY, self.run)

    async def run(self) -> None:
        """Look at the minutes that have passed since the last time."""
        for book in await self._orders.books():
            while await self._look(book):
                pass

    async def _look(self, book: str) -> bool:
        """Look at the next minute of a book; False when it has not passed yet."""
        settled, name = self._clock.now() - SETTLED, f"{book}/origins"
        async with self._database.transaction() as connection:
            position = await lock_position(connection, name)
        start = max(from_microseconds(position), _minute(settled - CATCH_UP))
        if not position:
            start = _minute(settled) - WINDOW
        end = start + WINDOW
        if end > settled:
            return False
        activity = await self._orders.activity(book, start, end)
        async with self._database.transaction() as connection:
            if await lock_position(connection, name) != position:
                return True
            await self._take(connection, activity, start)
            await advance_position(connection, name, to_microseconds(end))
        self._journal.notify()
        return True

    async def _take(
        self, connection: AsyncConnection, activity: Sequence[Activity], start: datetime
    ) -> None:
        found = bursts(activity, self._most)
        for item in activity:
            found += await self._traded(connection, item, start)
        now, raised = self._clock.now(), []
        for rule, user_id, detail in found:
            raised += await raise_flag(connection, Flag(self._ids(), rule, user_id, detail, now))
        if raised:
            await self._journal.append(connection, raised, now)
        await device_traders.forget(connection, start.date() - timedelta(days=1))

    async def _traded(
        self, connection: AsyncConnection, item: Activity, start: datetime
    ) -> list[Finding]:
        day = start.date()
        if not item.device or not await device_traders.note(
            connection, item.device, day, item.user_id
        ):
            return []
        traders = await device_traders.count(connection, item.device, day)
        return crowd(item.user_id, traders, self._most)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
