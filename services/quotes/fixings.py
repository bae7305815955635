"""Stored fixings, and the evidence they are decided from.

What is read here lies at or before the stored watermark, where the record no longer changes. So
any number of replicas may decide the same point: they decide alike, and the first one is kept.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from services.kit.database import Database, RawConnection
from services.quotes import instruments
from services.quotes.fixing import EVIDENCE_TICKS, Evidence, Fixing, Point, VoidReason, decide
from services.quotes.record import last_watermark
from services.quotes.tick import Tick

_STORED = """
    SELECT f.instrument_id, f.time, f.rule_version, f.tick, f.void_reason, f.ticks_before,
           f.ticks_after, f.watermark, f.feed_time
    FROM unnest(%s::int[], %s::timestamptz[]) AS p (instrument_id, time)
    JOIN fixing f USING (instrument_id, time)
"""
# The longest age a tick may have is 600 seconds; nothing older can matter.
_EVIDENCE = f"""
    SELECT p.n,
        coalesce((SELECT watermark >= p.time FROM run
                  WHERE start_time <= p.time ORDER BY start_time DESC LIMIT 1), false)
            AND p.time >= (SELECT time FROM horizon) + interval '600 seconds',
        (SELECT max(time) FROM heartbeat
         WHERE time <= p.time AND time > p.time - interval '1 hour'),
        (SELECT to_jsonb(t) FROM tick t
         WHERE t.instrument_id = p.instrument_id AND NOT t.late
           AND t.time <= p.time AND t.time > p.time - interval '601 seconds'
         ORDER BY t.time DESC LIMIT 1),
        ARRAY (SELECT to_jsonb(t) FROM tick t
         WHERE t.instrument_id = p.instrument_id
           AND t.time <= p.time AND t.time > p.time - interval '1 hour'
         ORDER BY t.time DESC LIMIT {EVIDENCE_TICKS}),
        ARRAY (SELECT to_jsonb(t) FROM tick t
         WHERE t.instrument_id = p.instrument_id
           AND t.time > p.time AND t.time < p.time + interval '1 hour'
         ORDER BY t.time LIMIT {EVIDENCE_TICKS})
    FROM unnest(%s::int[], %s::timestamptz[]) WITH ORDINALITY AS p (instrument_id, time, n)
    ORDER BY p.n
"""
_STORE = """
    INSERT INTO fixing (instrument_id, time, rule_version, tick, void_reason, ticks_before,
                        ticks_after, watermark, feed_time)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Fixings:
    """Answers what a price was, once and for ever."""

    def __init__(self, database: Database) -> None:
        """Keep them in this database."""
        self._database = database

    async def fix(self, points: Iterable[Point]) -> dict[Point, Fixing]:
        """Return the fixings of these points, deciding and storing those that can be by now.

        A point that is missing in the answer is pending: the record does not reach it yet.
        """
        # In one order everywhere, so that two replicas at the same points never deadlock.
        wanted = sorted(set(points), key=lambda point: (point.instrument_id, point.time))
        async with self._database.raw() as connection:
            known = await _stored(connection, wanted)
            watermark = await last_watermark(connection)
            due = [
                point
                for point in wanted
                if watermark is not None and point not in known and point.time <= watermark
            ]
            if watermark is not None and due:
                await _store(connection, await _decided(connection, due, watermark))
                # Another replica may have been first, and then its fixing is the one.
                known |= await _stored(connection, due)
            await connection.commit()
        return known


async def _decided(
    connection: RawConnection, points: Sequence[Point], watermark: datetime
) -> list[Fixing]:
    in_force = await instruments.in_force(
        connection, [(point.instrument_id, point.time) for point in points]
    )
    rows = await (await connection.execute(_EVIDENCE, _columns(points))).fetchall()
    return [
        decide(
            point,
            Evidence(
                instrument=instrument,
                covered=covered,
                feed_time=feed_time,
                last_tick=row_tick(last) if last else None,
                ticks_before=[row_tick(row) for row in reversed(before)],
                ticks_after=[row_tick(row) for row in after],
                watermark=watermark,
            ),
        )
        for point, instrument, (_, covered, feed_time, last, before, after) in zip(
            points, in_force, rows, strict=True
        )
    ]


async def _stored(connection: RawConnection, points: Sequence[Point]) -> dict[Point, Fixing]:
    rows = await (await connection.execute(_STORED, _columns(points))).fetchall()
    found = (_fixing(row) for row in rows)
    return {fixing.point: fixing for fixing in found}


async def _store(connection: RawConnection, fixings: Sequence[Fixing]) -> None:
    rows = [
        (
            fixing.point.instrument_id,
            fixing.point.time,
            fixing.rule_version,
            Jsonb(_json(fixing.tick)) if fixing.tick else None,
            fixing.void_reason and fixing.void_reason.value,
            Jsonb([_json(tick) for tick in fixing.ticks_before]),
            Jsonb([_json(tick) for tick in fixing.ticks_after]),
            fixing.watermark,
            fixing.feed_time,
        )
        for fixing in fixings
    ]
    await connection.cursor().executemany(_STORE, rows)


def _columns(points: Sequence[Point]) -> tuple[list[int], list[datetime]]:
    return [point.instrument_id for point in points], [point.time for point in points]


def _fixing(row: Sequence[Any]) -> Fixing:
    instrument_id, time, rule_version, tick, reason, before, after, watermark, feed_time = row
    return Fixing(
        point=Point(instrument_id, time),
        tick=_tick(instrument_id, tick) if tick else None,
        void_reason=VoidReason(reason) if reason else None,
        ticks_before=tuple(_tick(instrument_id, item) for item in before),
        ticks_after=tuple(_tick(instrument_id, item) for item in after),
        watermark=watermark,
        feed_time=feed_time,
        rule_version=rule_version,
    )


def _json(tick: Tick) -> list[object]:
    """Write a tick as number, time, price, source time and lateness; times in microseconds."""
    source = tick.source_time and (tick.source_time - _EPOCH) // _MICROSECOND
    return [tick.number, (tick.time - _EPOCH) // _MICROSECOND, tick.price, source, tick.late]


def _tick(instrument_id: int, data: Sequence[Any]) -> Tick:
    number, time, price, source, late = data
    source_time = None if source is None else _EPOCH + source * _MICROSECOND
    return Tick(instrument_id, number, _EPOCH + time * _MICROSECOND, price, source_time, late)


def row_tick(row: dict[str, Any]) -> Tick:
    """Return the tick that Postgres wrote as JSON."""
    source = row["source_time"]
    return Tick(
        row["instrument_id"],
        row["number"],
        datetime.fromisoformat(row["time"]),
        row["price"],
        datetime.fromisoformat(source) if source else None,
        row["late"],
    )
