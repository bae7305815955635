"""Fixings as they are stored: what decisions rest on, once and for ever."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import LiteralString

from services.kit.database import Database, RawConnection, committing
from services.kit.leader import Term
from services.settlement.fixing import Fixing, Point
from services.settlement.wire import from_evidence, to_evidence

_KNOWN_MAX = 10_000
_READ: LiteralString = """
    SELECT evidence FROM fixing
    JOIN unnest(%(instruments)s::text[], %(times)s::timestamptz[]) AS p (instrument, time)
    USING (instrument, time)
"""
_STORE: LiteralString = """
    INSERT INTO fixing (instrument, time, evidence)
    SELECT * FROM unnest(%(instruments)s::text[], %(times)s::timestamptz[], %(evidence)s::bytea[])
    ON CONFLICT DO NOTHING
"""


class Fixings:
    """The fixings of all books. What was stored never changes, so it is read once."""

    def __init__(self, database: Database) -> None:
        """Keep them in this database."""
        self._database = database
        self._known: dict[Point, Fixing] = {}

    def forget(self) -> None:
        """Read again what is stored: a term begins, perhaps on another database."""
        self._known.clear()

    async def of(self, points: Collection[Point]) -> dict[Point, Fixing]:
        """Return the fixings of these points that are stored."""
        found = {point: self._known[point] for point in points if point in self._known}
        if others := [point for point in points if point not in found]:
            async with self._database.raw() as connection:
                found |= self._learned(await stored_fixings(connection, others))
        return found

    async def keep(self, term: Term, fixings: Collection[Fixing]) -> dict[Point, Fixing]:
        """Store fixings, and return those that stand: of two of one point the first one stays.

        Errors: LeadershipLost, DatabaseUnavailable.
        """
        if not fixings:
            return {}
        async with self._database.raw() as connection:
            with committing():
                async with connection.transaction():
                    await term.fence(connection)
                    await store_fixings(connection, fixings)
            return self._learned(await stored_fixings(connection, [f.point for f in fixings]))

    def _learned(self, fixings: dict[Point, Fixing]) -> dict[Point, Fixing]:
        self._known |= fixings
        for point in list(self._known)[: max(len(self._known) - _KNOWN_MAX, 0)]:
            del self._known[point]
        return fixings


async def stored_fixings(connection: RawConnection, points: Iterable[Point]) -> dict[Point, Fixing]:
    """Return the fixings of these points that are stored."""
    asked = list(points)
    parameters = {
        "instruments": [point.instrument for point in asked],
        "times": [point.time for point in asked],
    }
    rows = await (await connection.execute(_READ, parameters)).fetchall()
    fixings = [from_evidence(row[0]) for row in rows]
    return {fixing.point: fixing for fixing in fixings}


async def store_fixings(connection: RawConnection, fixings: Collection[Fixing]) -> None:
    """Store fixings; of two of one point the first one stays."""
    parameters = {
        "instruments": [fixing.point.instrument for fixing in fixings],
        "times": [fixing.point.time for fixing in fixings],
        "evidence": [to_evidence(fixing) for fixing in fixings],
    }
    await connection.execute(_STORE, parameters)
