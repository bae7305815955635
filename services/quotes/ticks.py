"""Stored ticks."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from struct import Struct

from services.kit.database import Database, RawConnection
from services.quotes.tick import Tick

_COPY = """
    COPY tick (instrument_id, number, time, price, source_time, late) FROM STDIN (FORMAT binary)
"""
# Rows as Postgres sends them itself: the count of columns, then the length and value of each. Made
# by hand, because a driver that looks at every value costs more than all else that a tick needs.
_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_ROW = Struct("!h ii iq iq iq iq i?")
_ROW_WITHOUT_SOURCE = Struct("!h ii iq iq iq i i?")
_TAIL = Struct("!h").pack(-1)
_NULL = -1
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# What was kept of a dropped day is nowhere else, so nothing comes twice.
_COLUMNS = "instrument_id, number, time, price, source_time, late"
_PAGE = f"""
    SELECT {_COLUMNS} FROM (
        SELECT {_COLUMNS} FROM tick UNION ALL SELECT {_COLUMNS} FROM kept_tick
    ) AS known
    WHERE instrument_id = %(instrument)s AND number > %(after)s
      AND time >= %(start)s AND time < %(end)s
    ORDER BY time LIMIT %(limit)s
"""
_LAST = """
    SELECT i.id, greatest(coalesce(last.number, 0), i.last_number), last.time,
           counted.number, counted.time, counted.price, counted.source_time
    FROM instrument i
    LEFT JOIN LATERAL (
        SELECT number, time FROM tick WHERE instrument_id = i.id ORDER BY time DESC LIMIT 1
    ) AS last ON true
    LEFT JOIN LATERAL (
        SELECT number, time, price, source_time FROM tick
        WHERE instrument_id = i.id AND NOT late AND time > %(since)s ORDER BY time DESC LIMIT 1
    ) AS counted ON true
"""
_SINCE = """
    SELECT instrument_id, number, time, price, source_time, late FROM tick
    WHERE time >= %(since)s ORDER BY instrument_id, time
"""
_LOOK_BACK = timedelta(days=1)


class Head:
    """Where an instrument's ticks have got to."""

    __slots__ = ("last_tick", "number", "time")

    def __init__(
        self, number: int = 0, time: datetime | None = None, last_tick: Tick | None = None
    ) -> None:
        """Remember the last number and time given out, and the last tick that counts."""
        self.number = number
        self.time = time
        self.last_tick = last_tick


async def copy(connection: RawConnection, ticks: Sequence[Tick]) -> None:
    """Store ticks in the caller's transaction."""
    async with connection.cursor().copy(_COPY) as stream:
        await stream.write(b"".join([_HEAD, *map(_row, ticks), _TAIL]))


def _row(tick: Tick) -> bytes:
    """Write a tick as a row of a binary COPY."""
    instrument, number, time, price, source, late = tick
    when = (time - _EPOCH) // _MICROSECOND
    if source is None:
        return _ROW_WITHOUT_SOURCE.pack(
            6, 4, instrument, 8, number, 8, when, 8, price, _NULL, 1, late
        )
    said = (source - _EPOCH) // _MICROSECOND
    return _ROW.pack(6, 4, instrument, 8, number, 8, when, 8, price, 8, said, 1, late)


async def heads(connection: RawConnection, now: datetime) -> dict[int, Head]:
    """Return where each instrument's ticks have got to."""
    cursor = await connection.execute(_LAST, {"since": now - _LOOK_BACK})
    found: dict[int, Head] = {}
    for instrument, number, time, counted, counted_time, price, source in await cursor.fetchall():
        last = Tick(instrument, counted, counted_time, price, source, False) if counted else None
        found[instrument] = Head(number, time, last)
    return found


async def since(connection: RawConnection, moment: datetime) -> list[Tick]:
    """Return all ticks from a moment on, by instrument and time."""
    cursor = await connection.execute(_SINCE, {"since": moment})
    return [Tick._make(row) for row in await cursor.fetchall()]


class Ticks:
    """Stored ticks, for reading."""

    def __init__(self, database: Database) -> None:
        """Read from this database."""
        self._database = database

    async def page(
        self, instrument_id: int, start: datetime, end: datetime, after: int, limit: int
    ) -> list[Tick]:
        """Return ticks with start ≤ t < end and a number above `after`, in order."""
        parameters = {
            "instrument": instrument_id,
            "start": start,
            "end": end,
            "after": after,
            "limit": limit,
        }
        async with self._database.raw() as connection:
            cursor = await connection.execute(_PAGE, parameters)
            return [Tick._make(row) for row in await cursor.fetchall()]
