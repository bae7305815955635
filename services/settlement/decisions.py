"""Fixings and decisions as they are stored, and the list of those still to be carried out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

from services.kit.arrays import integers, smallints, texts, timestamps, uuids
from services.kit.database import Database, RawConnection, committing
from services.kit.errors import Failure
from services.kit.leader import Term
from services.kit.reason import Reason
from services.settlement.fixing import Fixing, Point, VoidReason
from services.settlement.outcome import Decision, Outcome
from services.settlement.wire import from_evidence, to_evidence

_READ_FIXINGS: LiteralString = """
    SELECT evidence FROM fixing
    JOIN unnest(%(instruments)s::text[], %(times)s::timestamptz[]) AS p (instrument, time)
    USING (instrument, time)
"""
_STORE_FIXINGS: LiteralString = """
    INSERT INTO fixing (instrument, time, evidence)
    SELECT * FROM unnest(%(instruments)s::text[], %(times)s::timestamptz[], %(evidence)s::bytea[])
    ON CONFLICT DO NOTHING
"""
_OTHERWISE: LiteralString = """
    SELECT count(*) FROM fixing
    JOIN unnest(%(instruments)s::text[], %(times)s::timestamptz[], %(evidence)s::bytea[])
         AS d (instrument, time, evidence) USING (instrument, time)
    WHERE fixing.evidence <> d.evidence
"""
_STORE_DECISIONS: LiteralString = """
    INSERT INTO decision (order_id, book, instrument, expires_at, outcome, void_reason,
                          rule_version, decided_at)
    SELECT order_id, %(book)s, instrument, expires_at, outcome, void_reason, rule_version, %(now)s
    FROM unnest(%(orders)s::uuid[], %(instruments)s::text[], %(times)s::timestamptz[],
                %(outcomes)s::smallint[], %(void_reasons)s::smallint[], %(versions)s::integer[])
         AS d (order_id, instrument, expires_at, outcome, void_reason, rule_version)
    ON CONFLICT DO NOTHING
"""
_READ_DECISIONS: LiteralString = """
    SELECT order_id, instrument, expires_at, outcome, void_reason, rule_version
    FROM decision WHERE order_id = ANY (%(orders)s::uuid[]) ORDER BY expires_at, order_id
"""
_STORE_OUTSTANDING: LiteralString = """
    INSERT INTO outstanding (book, expires_at, order_id)
    SELECT %(book)s, expires_at, order_id
    FROM unnest(%(times)s::timestamptz[], %(orders)s::uuid[]) AS d (expires_at, order_id)
    ON CONFLICT DO NOTHING
"""
_READ_OUTSTANDING: LiteralString = """
    SELECT order_id, d.instrument, d.expires_at, d.outcome, d.void_reason, d.rule_version
    FROM outstanding o JOIN decision d USING (order_id)
    WHERE o.book = %(book)s
      AND (o.expires_at, o.order_id) > (%(time)s::timestamptz, %(order)s::uuid)
    ORDER BY o.expires_at, o.order_id LIMIT %(limit)s
"""
_FINISH: LiteralString = """
    DELETE FROM outstanding USING unnest(%(times)s::timestamptz[], %(orders)s::uuid[])
        AS d (expires_at, order_id)
    WHERE outstanding.book = %(book)s AND outstanding.expires_at = d.expires_at
      AND outstanding.order_id = d.order_id
"""
_VOIDED: LiteralString = "SELECT instrument, time FROM staff_void"
_BEFORE_ALL = ("-infinity", "00000000-0000-0000-0000-000000000000")


class Outstanding(NamedTuple):
    """A decision to carry out, with the fixing it rests on."""

    decision: Decision
    fixing: Fixing


class Decisions:
    """The decisions about one book."""

    def __init__(self, database: Database, book: str) -> None:
        """Keep the decisions about this book in this database."""
        self._database = database
        self._book = book

    async def fixings(self, points: Collection[Point]) -> dict[Point, Fixing]:
        """Return the fixings that decisions were made on before."""
        async with self._database.raw() as connection:
            return await stored_fixings(connection, points)

    async def voided(self) -> set[Point]:
        """Return every point whose price staff voided."""
        async with self._database.raw() as connection:
            rows = await (await connection.execute(_VOIDED)).fetchall()
        return {Point(*row) for row in rows}

    async def store(
        self,
        term: Term,
        decisions: Sequence[Decision],
        fixings: Mapping[Point, Fixing],
        now: datetime,
    ) -> list[Outstanding]:
        """Store decisions with the fixings they rest on, and return them as they stand.

        A decision or a fixing that was stored before stays as it is. All of these decisions are
        outstanding afterwards. Errors: LeadershipLost, DatabaseUnavailable; Failure UNAVAILABLE
        when another fixing of a point was stored since it was read.
        """
        parameters = _columns(self._book, decisions) | {
            "outcomes": smallints([decision.outcome for decision in decisions]),
            "void_reasons": smallints([decision.void_reason for decision in decisions]),
            "versions": integers([decision.rule_version for decision in decisions]),
            "now": now,
        }
        async with self._database.raw() as connection:
            with committing():
                async with connection.transaction():
                    await term.fence(connection)
                    await store_fixings(connection, fixings.values())
                    await _require_these(connection, fixings.values())
                    stored = await connection.execute(_STORE_DECISIONS, parameters)
                    await connection.execute(_STORE_OUTSTANDING, parameters)
            if stored.rowcount < len(decisions):
                rows = await connection.execute(_READ_DECISIONS, parameters)
                decisions = [_decision(row) for row in await rows.fetchall()]
                fixings = await stored_fixings(connection, {item.point for item in decisions})
        return [Outstanding(decision, fixings[decision.point]) for decision in decisions]

    async def outstanding(self, after: Decision | None, limit: int) -> list[Outstanding]:
        """Return decisions without a receipt by expiry and order, those after one."""
        time, order = (after.point.time, after.order_id) if after else _BEFORE_ALL
        key = {"book": self._book, "time": time, "order": order, "limit": limit}
        async with self._database.raw() as connection:
            rows = await (await connection.execute(_READ_OUTSTANDING, key)).fetchall()
            decisions = [_decision(row) for row in rows]
            fixings = await stored_fixings(connection, {decision.point for decision in decisions})
        return [Outstanding(decision, fixings[decision.point]) for decision in decisions]

    async def finish(self, connection: RawConnection, decisions: Sequence[Decision]) -> None:
        """Take decisions off the list, in the transaction that stores their receipts."""
        await connection.execute(_FINISH, _columns(self._book, decisions))


async def stored_fixings(
    connection: RawConnection, points: Collection[Point]
) -> dict[Point, Fixing]:
    """Return the fixings of these points that are stored."""
    parameters = {
        "instruments": [point.instrument for point in points],
        "times": [point.time for point in points],
    }
    rows = await (await connection.execute(_READ_FIXINGS, parameters)).fetchall()
    fixings = [from_evidence(row[0]) for row in rows]
    return {fixing.point: fixing for fixing in fixings}


async def store_fixings(connection: RawConnection, fixings: Collection[Fixing]) -> None:
    """Store fixings; of two of one point the first one stays."""
    await connection.execute(_STORE_FIXINGS, _fixing_columns(fixings))


async def _require_these(connection: RawConnection, fixings: Collection[Fixing]) -> None:
    """Refuse to decide on fixings that are not the stored ones: staff voided one just now."""
    row = await (await connection.execute(_OTHERWISE, _fixing_columns(fixings))).fetchone()
    if row is None or row[0]:
        raise Failure(Reason.UNAVAILABLE, "A fixing was stored by somebody else meanwhile.")


def _fixing_columns(fixings: Collection[Fixing]) -> dict[str, object]:
    return {
        "instruments": [fixing.point.instrument for fixing in fixings],
        "times": [fixing.point.time for fixing in fixings],
        "evidence": [to_evidence(fixing) for fixing in fixings],
    }


def _columns(book: str, decisions: Sequence[Decision]) -> dict[str, object]:
    return {
        "book": book,
        "orders": uuids([decision.order_id for decision in decisions]),
        "instruments": texts([decision.point.instrument for decision in decisions]),
        "times": timestamps([decision.point.time for decision in decisions]),
    }


def _decision(row: tuple[Any, ...]) -> Decision:
    order_id, instrument, expires_at, outcome, void_reason, rule_version = row
    return Decision(
        order_id=order_id,
        point=Point(instrument, expires_at),
        outcome=Outcome(outcome),
        void_reason=None if void_reason is None else VoidReason(void_reason),
        rule_version=rule_version,
    )
