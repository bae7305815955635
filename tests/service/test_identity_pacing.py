"""Orders are counted by where they came from, minute by minute, once, and an outage loses none."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from services.identity.ground import Ground
from services.identity.order_velocity import WINDOW, Activity, Velocity
from services.identity.pacing import CATCH_UP, Pacing
from services.kit.clock import ManualClock
from services.kit.database import Database
from services.kit.errors import Failure
from services.kit.ids import uuid7
from services.kit.journal import Journal
from services.kit.reason import Reason
from tests.service.identity_server import Identity
from veritick.identity.v1.user_pb2 import User

pytest_plugins = ["tests.service.identity_fixtures"]

MOST = Velocity(orders_per_device=10, orders_per_address=20, traders_per_device=2, address_users=3)
LAPTOP = "a-laptop"


class Book:
    """A book with the orders of a script."""

    def __init__(self) -> None:
        self.placed: dict[datetime, list[Activity]] = {}
        self.asked: list[datetime] = []
        self.away = False

    async def books(self) -> Sequence[str]:
        return ["demo"]

    async def activity(self, book: str, start: datetime, end: datetime) -> list[Activity]:
        assert (book, end - start) == ("demo", WINDOW)
        if self.away:
            raise Failure(Reason.UNAVAILABLE, "away")
        self.asked.append(start)
        return self.placed.get(start, [])


class Desk:
    """What follows the book, and what came of it."""

    def __init__(self, identity: Identity, database: Database, clock: ManualClock) -> None:
        self.identity, self.clock, self.book = identity, clock, Book()
        journal = Journal("identity", database)
        ground = Ground(database, journal, clock, uuid7, secrets.token_bytes)
        self.pacing = Pacing(ground, self.book, MOST)

    async def minute(self, *orders: tuple[User, int]) -> None:
        """Let users order at one device in the minute at hand, and a minute pass."""
        start = self.clock.now().replace(second=0, microsecond=0)
        self.book.placed[start] = [
            Activity("", LAPTOP, UUID(user.user_id), number) for user, number in orders
        ]
        self.clock.advance(WINDOW)

    def flags(self) -> list[tuple[str, str]]:
        return self.identity.rows("SELECT rule, user_id::text FROM fraud_flag ORDER BY flag_id")


@pytest.fixture
async def desk(identity: Identity, identity_clock: ManualClock) -> AsyncIterator[Desk]:
    async with Database(identity.access.service, name="test") as database:
        # So that the first minute of a test is the first that is looked at.
        identity_clock.advance(timedelta(seconds=20))
        made = Desk(identity, database, identity_clock)
        await made.pacing.run()
        yield made


async def test_a_burst_is_flagged_once_while_nobody_has_looked(desk: Desk) -> None:
    ana, ben = [await desk.identity.register() for _ in range(2)]
    await desk.minute((ana, 4), (ben, 9))
    await desk.pacing.run()
    await desk.minute((ana, 4), (ben, 9))
    await desk.pacing.run()
    await desk.pacing.run()

    assert desk.flags() == [("ORDERS_PER_DEVICE", ben.user_id)]
    assert len(desk.book.asked) == len(set(desk.book.asked)) == 3
    desk.clock.advance(timedelta(days=1))
    await desk.pacing.run()
    await desk.minute((ana, 4), (ben, 9))
    await desk.pacing.run()
    assert desk.flags() == [("ORDERS_PER_DEVICE", ben.user_id)]


async def test_users_of_a_device_are_counted_over_the_day(desk: Desk) -> None:
    users = [await desk.identity.register() for _ in range(3)]
    for user in users:
        await desk.minute((user, 1), (users[0], 1))
        await desk.pacing.run()
    assert desk.flags() == [("TRADERS_PER_DEVICE", users[2].user_id)]


async def test_an_outage_delays_and_a_long_one_is_not_caught_up_with(desk: Desk) -> None:
    ana, ben = [await desk.identity.register() for _ in range(2)]
    desk.book.away = True
    await desk.minute((ana, 4), (ben, 9))
    with pytest.raises(Failure):
        await desk.pacing.run()
    assert desk.flags() == []
    desk.book.away = False
    desk.clock.advance(timedelta(minutes=5))
    await desk.pacing.run()
    assert desk.flags() == [("ORDERS_PER_DEVICE", ben.user_id)]
    desk.book.asked.clear()
    desk.clock.advance(timedelta(days=1))
    await desk.pacing.run()
    assert len(desk.book.asked) == CATCH_UP / WINDOW
