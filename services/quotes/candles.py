"""Stored candles of three widths, and the others folded from them on reading."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.kit.clock import Clock
from services.kit.database import Database, RawConnection
from services.quotes.candle import HOUR, MINUTE, SECOND, Candle, base_of, start_of

_STORE = """
    INSERT INTO candle (instrument_id, width_seconds, start_time,
                        open, high, low, close, ticks, synthetic)
    SELECT * FROM unnest(%s::int[], %s::int[], %s::timestamptz[], %s::bigint[], %s::bigint[],
                         %s::bigint[], %s::bigint[], %s::int[], %s::boolean[])
    ON CONFLICT (instrument_id, width_seconds, start_time) DO UPDATE
    SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
        ticks = excluded.ticks, synthetic = excluded.synthetic
"""
_COPY = """
    COPY candle (instrument_id, width_seconds, start_time,
                 open, high, low, close, ticks, synthetic) FROM STDIN
"""
# Generated candles do not count in an interval that has real ones. The base rows are taken newest
# first, and enough of them to fill the page whatever their intervals hold.
_LIST = """
    WITH forming AS (
        SELECT %(f_start)s::timestamptz AS start_time, %(f_open)s::bigint AS open,
               %(f_high)s::bigint AS high, %(f_low)s::bigint AS low, %(f_close)s::bigint AS close,
               %(f_ticks)s::int AS ticks, false AS synthetic
    ), stored AS (
        SELECT start_time, open, high, low, close, ticks, synthetic FROM candle
        WHERE instrument_id = %(instrument)s AND width_seconds = %(base)s
          AND start_time >= %(start)s AND start_time < %(end)s
        ORDER BY start_time DESC LIMIT %(rows)s
    ), base AS (
        SELECT *, date_bin(%(interval)s, start_time, 'epoch') AS bucket FROM (
            SELECT * FROM stored
            UNION ALL
            SELECT * FROM forming
            WHERE start_time >= %(start)s AND start_time < %(end)s
              AND start_time NOT IN (SELECT start_time FROM stored)
        ) AS known
    ), judged AS (
        SELECT *, bool_or(NOT synthetic) OVER (PARTITION BY bucket) AS ticked FROM base
    )
    SELECT bucket, (array_agg(open ORDER BY start_time))[1], max(high), min(low),
           (array_agg(close ORDER BY start_time DESC))[1], sum(ticks)::int, bool_and(synthetic)
    FROM judged WHERE NOT (ticked AND synthetic)
    GROUP BY bucket ORDER BY bucket DESC LIMIT %(limit)s
"""
_EARLIER = """
    SELECT start_time < %(start)s FROM candle
    WHERE instrument_id = %(instrument)s AND width_seconds = %(base)s ORDER BY start_time LIMIT 1
"""
_REAL_SINCE = """
    SELECT instrument_id, start_time, open, high, low, close, ticks, synthetic FROM candle
    WHERE width_seconds = %(width)s AND start_time >= %(since)s AND start_time < %(until)s
      AND NOT synthetic AND instrument_id IN (SELECT id FROM instrument)
    ORDER BY instrument_id, start_time
"""
_FORGET = """
    DELETE FROM candle WHERE ctid = ANY (ARRAY (
        SELECT c.ctid FROM instrument i CROSS JOIN LATERAL (
            SELECT ctid FROM candle
            WHERE instrument_id = i.id AND width_seconds = %(width)s AND start_time < %(before)s
            LIMIT 2000
        ) AS c LIMIT 20000))
"""
_BEGINNING = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class Page:
    """Candles, oldest first, and whether there are earlier ones."""

    candles: list[Candle]
    more: bool


async def store(connection: RawConnection, candles: Sequence[tuple[int, int, Candle]]) -> None:
    """Store finished candles (instrument, width, candle) in the caller's transaction."""
    rows = [(instrument, width, *candle) for instrument, width, candle in candles]
    await connection.execute(_STORE, [list(column) for column in zip(*rows, strict=True)])


async def copy(connection: RawConnection, instrument_id: int, width: int, text: bytes) -> None:
    """Store new candles, given as lines for COPY without their first two columns."""
    prefix = f"{instrument_id}\t{width}\t".encode()
    async with connection.cursor().copy(_COPY) as stream:
        await stream.write(b"".join(prefix + line for line in text.splitlines(keepends=True)))


async def real_since(
    connection: RawConnection, width: int, since: datetime, until: datetime
) -> list[tuple[int, Candle]]:
    """Return the ticked candles of one width with since ≤ start < until, by instrument."""
    parameters = {"width": width, "since": since, "until": until}
    cursor = await connection.execute(_REAL_SINCE, parameters)
    return [(row[0], Candle._make(row[1:])) for row in await cursor.fetchall()]


class Candles:
    """Stored candles, for reading."""

    def __init__(self, database: Database) -> None:
        """Read from this database."""
        self._database = database

    async def page(
        self,
        instrument_id: int,
        interval_seconds: int,
        start: datetime | None,
        end: datetime,
        limit: int,
        forming: Candle | None,
    ) -> Page:
        """Return the newest `limit` candles that start within start ≤ t < end.

        `forming` is the candle in progress of the width `base_of(interval_seconds)`.
        """
        base = base_of(interval_seconds)
        first = _aligned_up(start, interval_seconds) if start else _BEGINNING
        parameters = {
            "instrument": instrument_id,
            "base": base,
            "interval": timedelta(seconds=interval_seconds),
            "start": first,
            "end": _aligned_up(end, interval_seconds),
            "rows": (limit + 1) * (interval_seconds // base),
            "limit": limit + 1,
            **_forming_parameters(forming),
        }
        async with self._database.raw() as connection:
            rows = await (await connection.execute(_LIST, parameters)).fetchall()
            more = len(rows) > limit
            if start and not more:
                row = await (await connection.execute(_EARLIER, parameters)).fetchone()
                more = bool(row and row[0])
        return Page([Candle._make(row) for row in reversed(rows[:limit])], more)


class CandleRetention:
    """Forgets narrow candles that are old; the widest are kept for ever."""

    def __init__(
        self, database: Database, clock: Clock, second_days: int, minute_days: int
    ) -> None:
        """Keep those of a second, and of a minute, for this many days."""
        self._database = database
        self._clock = clock
        self._keep = {SECOND: timedelta(days=second_days), MINUTE: timedelta(days=minute_days)}

    async def run(self) -> None:
        """Delete in pieces, so that no transaction is long."""
        for width, keep in self._keep.items():
            parameters = {"width": width, "before": self._clock.now() - keep}
            deleted = 1
            while deleted:
                async with self._database.raw() as connection, connection.transaction():
                    deleted = (await connection.execute(_FORGET, parameters)).rowcount


def hour_so_far(candles: Sequence[tuple[int, Candle]], moment: datetime) -> dict[int, list[Candle]]:
    """Group minute candles of the hour in which a moment lies by instrument."""
    hour = start_of(moment, HOUR)
    grouped: dict[int, list[Candle]] = {}
    for instrument, candle in candles:
        if candle.start_time >= hour:
            grouped.setdefault(instrument, []).append(candle)
    return grouped


def _aligned_up(moment: datetime, width_seconds: int) -> datetime:
    start = start_of(moment, width_seconds)
    return start if start == moment else start + timedelta(seconds=width_seconds)


def _forming_parameters(forming: Candle | None) -> dict[str, object]:
    values = forming[:6] if forming else (None,) * 6
    names = ("f_start", "f_open", "f_high", "f_low", "f_close", "f_ticks")
    return dict(zip(names, values, strict=True))
