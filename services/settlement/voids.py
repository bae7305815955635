"""Staff voids: the price of a point that two people gave up on (rules.md, "Fixing").

A void is a fixing like any other, stored once and for ever before any order is decided by it. So
all orders of its point close alike, in every book, and nobody can void a single one. It is made
only while the price is pending: what quotes has fixed, or can fix, stands.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import LiteralString, Protocol

from services.kit.approval import Proposal
from services.kit.database import Database
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.settlement.fixing import Fixing, Point, VoidReason
from services.settlement.fixings import store_fixings, stored_fixings

VOID = "void"
"""The kind of the proposal."""

OVERDUE = timedelta(minutes=10)
"""A price that is pending for less than this is waited for."""

RULE_VERSION = 1
_RECORD: LiteralString = """
    INSERT INTO staff_void (void_id, instrument, time)
    VALUES (%(void_id)s, %(instrument)s, %(time)s) ON CONFLICT DO NOTHING
"""
_KEPT: LiteralString = "SELECT 1 FROM staff_void WHERE void_id = %(void_id)s"


class Quotes(Protocol):
    """Knows what prices were fixed."""

    async def fixings(self, points: list[Point]) -> dict[Point, Fixing]:
        """Return the fixings that are decided by now, others are pending."""


def content_of(point: Point) -> dict[str, str | int]:
    """Return a point as the content of a proposal."""
    return {"instrument": point.instrument, "time": point.time.isoformat()}


def point_of(proposal: Proposal) -> Point:
    """Return what a proposal of the kind `void` is about."""
    moment = datetime.fromisoformat(str(proposal.content["time"])).astimezone(UTC)
    return Point(str(proposal.content["instrument"]), moment)


class Voids:
    """How the price of a point is voided."""

    def __init__(self, database: Database, quotes: Quotes, now: Callable[[], datetime]) -> None:
        self._database = database
        self._quotes = quotes
        self._now = now

    async def check(self, point: Point) -> None:
        """Refuse a point whose price is fixed, or may be soon.

        Failures: FIXING_NOT_OVERDUE, FIXING_DECIDED.
        """
        if self._now() - point.time < OVERDUE:
            minutes = str(OVERDUE // timedelta(minutes=1))
            message = "This price is not overdue yet."
            raise Failure(Reason.FIXING_NOT_OVERDUE, message, metadata={"minutes": minutes})
        async with self._database.raw() as connection:
            known = await stored_fixings(connection, [point])
        if known or await self._is_fixed(point):
            raise _decided()

    async def _is_fixed(self, point: Point) -> bool:
        """Tell whether quotes says so; while it is away, nobody does."""
        try:
            return bool(await self._quotes.fixings([point]))
        except Failure:
            return False

    async def make(self, proposal: Proposal) -> str:
        """Void what was approved, once. Failures: as of `check`."""
        point = point_of(proposal)
        parameters = {"void_id": proposal.proposal_id, **point._asdict()}
        async with self._database.raw() as connection:
            if await (await connection.execute(_KEPT, parameters)).fetchone():
                return _named(point)
        await self.check(point)
        async with self._database.raw() as connection, connection.transaction():
            fixing = _void(point, self._now())
            await store_fixings(connection, [fixing])
            if (await stored_fixings(connection, [point])).get(point) != fixing:
                raise _decided()
            await connection.execute(_RECORD, parameters)
        return _named(point)


def _void(point: Point, now: datetime) -> Fixing:
    return Fixing(
        point=point,
        tick=None,
        void_reason=VoidReason.VOIDED_BY_STAFF,
        ticks_before=(),
        ticks_after=(),
        watermark=now,
        feed_time=None,
        rule_version=RULE_VERSION,
    )


def _named(point: Point) -> str:
    return f"{point.instrument} {point.time.isoformat()}"


def _decided() -> Failure:
    return Failure(Reason.FIXING_DECIDED, "This price is fixed; orders close by it.")
