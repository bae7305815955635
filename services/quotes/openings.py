"""The record of how markets stood, as it is read."""

from collections.abc import Iterable, Sequence

from services.kit.database import Database, RawConnection
from services.quotes import instruments
from services.quotes.fixing import Point
from services.quotes.fixings import row_tick
from services.quotes.opening import Facts, MarketRecord, judge
from services.quotes.record import last_watermark

# The longest silence and the longest age of a tick are 600 seconds; nothing older can matter.
_FACTS = """
    SELECT EXISTS (SELECT FROM run WHERE start_time <= p.time AND watermark >= p.time),
        p.time >= (SELECT time FROM horizon) + interval '600 seconds',
        (SELECT max(time) FROM heartbeat
         WHERE time <= p.time AND time > p.time - interval '601 seconds'),
        (SELECT to_jsonb(t) FROM tick t
         WHERE t.instrument_id = p.instrument_id AND NOT t.late
           AND t.time <= p.time AND t.time > p.time - interval '601 seconds'
         ORDER BY t.time DESC LIMIT 1)
    FROM unnest(%s::int[], %s::timestamptz[]) WITH ORDINALITY AS p (instrument_id, time, n)
    ORDER BY p.n
"""


class Openings:
    """Answers how markets stood."""

    def __init__(self, database: Database) -> None:
        """Read this database."""
        self._database = database

    async def at(self, points: Iterable[Point]) -> dict[Point, MarketRecord]:
        """Return how each market stood at its moment.

        A point that is missing in the answer is pending: the record does not reach it yet.
        """
        async with self._database.raw() as connection:
            watermark = await last_watermark(connection)
            known = [p for p in set(points) if watermark is not None and p.time <= watermark]
            return {record.point: record for record in await _records(connection, known)}


async def _records(connection: RawConnection, points: Sequence[Point]) -> list[MarketRecord]:
    columns = [point.instrument_id for point in points], [point.time for point in points]
    in_force = await instruments.in_force(connection, list(zip(*columns, strict=True)))
    rows = await (await connection.execute(_FACTS, columns)).fetchall()
    return [
        judge(point, Facts(instrument, covered, kept, feed_time, row_tick(tick) if tick else None))
        for point, instrument, (covered, kept, feed_time, tick) in zip(
            points, in_force, rows, strict=True
        )
    ]
