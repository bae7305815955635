"""Decisions as they are stored, and the list of those still to be carried out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from services.kit.arrays import integers, smallints, texts, timestamps, uuids
from services.kit.database import Database, RawConnection
from services.kit.errors import Failure
from services.kit.leader import FENCED, Term, fenced
from services.kit.reason import Reason
from services.settlement.fixing import Fixing, Point, VoidReason
from services.settlement.fixings import Fixings, stored_fixings
from services.settlement.outcome import Decision, Outcome
from services.settlement.pace import CHUNK_MAX

# All or nothing: what rests on a fixing that is not stored is not decided.
_STORE: LiteralString = f"""
    WITH {FENCED}, known AS MATERIALIZED (
        SELECT d.* FROM fenced, unnest(%(orders)s::uuid[], %(instruments)s::text[],
                %(times)s::timestamptz[], %(outcomes)s::smallint[], %(void_reasons)s::smallint[],
                %(versions)s::integer[])
             AS d (order_id, instrument, time, outcome, void_reason, rule_version)
             JOIN fixing USING (instrument, time)
    ), complete AS MATERIALIZED (
        SELECT FROM known HAVING count(*) = cardinality(%(orders)s::uuid[])
    ), decided AS (
        INSERT INTO decision (order_id, book, instrument, expires_at, outcome, void_reason,
                              rule_version, decided_at)
        SELECT order_id, %(book)s, instrument, time, outcome, void_reason, rule_version, %(now)s
        FROM complete, known
        ON CONFLICT DO NOTHING
        RETURNING 1
    ), listed AS (
        INSERT INTO outstanding_chunk (book, orders) SELECT %(book)s, %(orders)s FROM complete
        RETURNING number
    )
    SELECT (SELECT count(*) FROM fenced), (SELECT number FROM listed),
           (SELECT count(*) FROM decided)
"""
_READ: LiteralString = """
    SELECT order_id, instrument, expires_at, outcome, void_reason, rule_version
    FROM decision WHERE order_id = ANY (%(orders)s::uuid[]) ORDER BY expires_at, order_id
"""
_READ_OUTSTANDING: LiteralString = """
    SELECT number, orders FROM outstanding_chunk WHERE book = %(book)s AND number > %(after)s
    ORDER BY number LIMIT 1
"""
FINISH: LiteralString = """
    finished AS (
        DELETE FROM outstanding_chunk USING fenced
        WHERE book = %(book)s AND number = %(chunk)s AND cardinality(%(left_over)s::uuid[]) = 0
    ), left_over AS (
        UPDATE outstanding_chunk SET orders = %(left_over)s FROM fenced
        WHERE book = %(book)s AND number = %(chunk)s AND cardinality(%(left_over)s::uuid[]) > 0
    )
"""
"""Takes a chunk off the list, as part of a fenced statement. Parameters: `finish_parameters`."""

# In chunks that a book takes at once.
_TAKE_OVER: LiteralString = f"""
    WITH {FENCED}, taken AS (
        DELETE FROM outstanding USING fenced WHERE book = %(book)s
        RETURNING order_id, expires_at
    ), sized AS (
        SELECT order_id, (row_number() OVER (ORDER BY expires_at, order_id) - 1) / %(size)s AS nth
        FROM taken
    ), listed AS (
        INSERT INTO outstanding_chunk (book, orders)
        SELECT %(book)s, array_agg(order_id) FROM sized GROUP BY nth
    )
    SELECT count(*) FROM fenced
"""
_VOIDED: LiteralString = "SELECT instrument, time FROM staff_void"


class Outstanding(NamedTuple):
    """A decision to carry out, with the fixing it rests on."""

    decision: Decision
    fixing: Fixing


class Chunk(NamedTuple):
    """Decisions that are carried out together: on the list until all have their receipts."""

    number: int
    """Its place in the list of its book."""

    items: Sequence[Outstanding]
    new: bool
    """None of them was made before, so none has a receipt."""


class Decisions:
    """The decisions about one book, and the fixings that those of all books rest on."""

    def __init__(self, database: Database, book: str, fixings: Fixings) -> None:
        """Keep the decisions about this book in this database."""
        self.fixings = fixings
        self._database = database
        self._book = book

    async def take_over(self, term: Term) -> None:
        """List in chunks what a build before this one had listed order by order.

        Goes with the table `outstanding`. Errors: LeadershipLost, DatabaseUnavailable.
        """
        async with self._database.raw() as connection:
            await fenced(connection, term, _TAKE_OVER, {"book": self._book, "size": CHUNK_MAX})

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
    ) -> Chunk:
        """Store decisions on fixings that are stored, list them, and return them as they stand.

        A decision that was stored before stays as it is. Errors: LeadershipLost,
        DatabaseUnavailable; Failure UNAVAILABLE when a fixing is not stored.
        """
        parameters = {
            "book": self._book,
            "orders": uuids([decision.order_id for decision in decisions]),
            "instruments": texts([decision.point.instrument for decision in decisions]),
            "times": timestamps([decision.point.time for decision in decisions]),
            "outcomes": smallints([decision.outcome for decision in decisions]),
            "void_reasons": smallints([decision.void_reason for decision in decisions]),
            "versions": integers([decision.rule_version for decision in decisions]),
            "now": now,
        }
        async with self._database.raw() as connection:
            number, stored = await fenced(connection, term, _STORE, parameters)
            if number is None:
                raise Failure(Reason.UNAVAILABLE, "A price to decide by is not stored.")
            if stored < len(decisions):
                items = await _read(connection, [decision.order_id for decision in decisions])
                return Chunk(number, items, new=False)
        items = [Outstanding(decision, fixings[decision.point]) for decision in decisions]
        return Chunk(number, items, new=True)

    async def outstanding(self, after: int = 0) -> Chunk | None:
        """Return the first chunk after a number whose decisions have no receipts yet, if any."""
        key = {"book": self._book, "after": after}
        async with self._database.raw() as connection:
            row = await (await connection.execute(_READ_OUTSTANDING, key)).fetchone()
            return Chunk(row[0], await _read(connection, row[1]), new=False) if row else None


def finish_parameters(chunk: Chunk, done: Collection[UUID]) -> dict[str, object]:
    """Return the parameters of FINISH: a chunk's orders that are not `done` stay on the list."""
    left_over = [
        item.decision.order_id for item in chunk.items if item.decision.order_id not in done
    ]
    return {"chunk": chunk.number, "left_over": uuids(left_over)}


async def _read(connection: RawConnection, orders: Sequence[UUID]) -> list[Outstanding]:
    """Return the decisions about these orders that are stored."""
    rows = await (await connection.execute(_READ, {"orders": uuids(orders)})).fetchall()
    decisions = [_decision(row) for row in rows]
    fixings = await stored_fixings(connection, {decision.point for decision in decisions})
    return [Outstanding(decision, fixings[decision.point]) for decision in decisions]


def _decision(row: tuple[Any, ...]) -> Decision:
    order_id, instrument, expires_at, outcome, void_reason, rule_version = row
    return Decision(
        order_id=order_id,
        point=Point(instrument, expires_at),
        outcome=Outcome(outcome),
        void_reason=None if void_reason is None else VoidReason(void_reason),
        rule_version=rule_version,
    )
