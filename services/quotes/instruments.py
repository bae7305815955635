"""Stored instruments: the present ones, and every version that was ever in force."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from services.kit.clock import Clock
from services.kit.database import RawConnection
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.quotes.instrument import Definition, Instrument, InstrumentStatus, MarketStatus
from services.quotes.record import last_watermark
from services.quotes.session import Holiday, Schedule, Window

LEADERSHIP = "ingestor"
"""The name under which ingestors run for the lead."""

_COLUMNS = """
    i.id, v.version, v.effective_time, i.symbol, v.display_name, v.asset_class, i.price_scale,
    v.feed_symbol, v.schedule, v.status, v.max_tick_age_seconds, v.feed_silence_max_seconds,
    v.position, v.recorded
"""
_CURRENT = f"""
    SELECT {_COLUMNS} FROM instrument i
    JOIN instrument_version v ON v.instrument_id = i.id AND v.version = i.version
    ORDER BY v.position, i.symbol
"""
_IN_FORCE = f"""
    SELECT p.n, {_COLUMNS} FROM unnest(%s::int[], %s::timestamptz[])
         WITH ORDINALITY AS p (instrument_id, time, n)
    JOIN instrument i ON i.id = p.instrument_id
    JOIN LATERAL (
        SELECT * FROM instrument_version
        WHERE instrument_id = p.instrument_id AND effective_time <= p.time
        ORDER BY version DESC LIMIT 1
    ) AS v ON true
"""
_INSERT = "INSERT INTO instrument (symbol, price_scale, version) VALUES (%s, %s, 0) RETURNING id"
_ADVANCE = "UPDATE instrument SET version = %s WHERE id = %s AND version = %s"
_INSERT_VERSION = """
    INSERT INTO instrument_version
        (instrument_id, version, effective_time, display_name, asset_class, status, schedule,
         recorded, feed_symbol, max_tick_age_seconds, feed_silence_max_seconds, position)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_ANNOUNCED = "SELECT id, announced_status FROM instrument WHERE announced_status IS NOT NULL"
# A version that was replaced meanwhile is not announced: its successor's change has been told.
_ANNOUNCE = """
    UPDATE instrument i SET announced_status = a.status
    FROM unnest(%s::int[], %s::int[], %s::text[]) AS a (id, version, status)
    WHERE i.id = a.id AND i.version = a.version
    RETURNING i.id
"""
# Every transaction of the ingestor holds this row; whoever locks it runs alone.
_STOP_THE_WATERMARK = "SELECT 1 FROM leader WHERE name = %s FOR UPDATE"
_INSTANT = timedelta(microseconds=1)


async def current(connection: RawConnection) -> list[Instrument]:
    """Return all instruments as they are now, by position and symbol."""
    return [_instrument(row) for row in await (await connection.execute(_CURRENT)).fetchall()]


async def generation(connection: RawConnection) -> int:
    """Return a number that grows with every change of any instrument."""
    cursor = await connection.execute("SELECT coalesce(sum(version), 0) FROM instrument")
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def in_force(
    connection: RawConnection, points: Sequence[tuple[int, datetime]]
) -> list[Instrument | None]:
    """Return the version in force at each (instrument, moment); None before the first."""
    found: list[Instrument | None] = [None] * len(points)
    columns = [instrument for instrument, _ in points], [moment for _, moment in points]
    cursor = await connection.execute(_IN_FORCE, columns)
    for ordinal, *row in await cursor.fetchall():
        found[ordinal - 1] = _instrument(row)
    return found


async def next_moment(connection: RawConnection, clock: Clock) -> datetime:
    """Return a moment later than the watermark, and stop it there until the transaction ends.

    A change that takes effect then is on record before anything at or after it can be judged.
    """
    await connection.execute(_STOP_THE_WATERMARK, [LEADERSHIP])
    watermark = await last_watermark(connection)
    now = clock.now()
    return now if watermark is None else max(now, watermark + _INSTANT)


async def create(
    connection: RawConnection, definition: Definition, effective: datetime
) -> Instrument:
    """Add an instrument. Errors: INSTRUMENT_EXISTS."""
    try:
        cursor = await connection.execute(_INSERT, [definition.symbol, definition.price_scale])
    except UniqueViolation as error:
        message = "An instrument with this symbol exists."
        metadata = {"instrument": definition.symbol}
        raise Failure(Reason.INSTRUMENT_EXISTS, message, metadata=metadata) from error
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101  an INSERT returns its row
    return await add_version(connection, Instrument(row[0], 0, effective, definition), effective)


async def add_version(
    connection: RawConnection, instrument: Instrument, effective: datetime
) -> Instrument:
    """Store an instrument as the version after its own, in force from a moment on.

    Errors: INSTRUMENT_CHANGED when somebody else did so first.
    """
    version = instrument.version + 1
    advanced = await connection.execute(_ADVANCE, [version, instrument.id, instrument.version])
    if advanced.rowcount != 1:
        message = "The instrument was changed meanwhile; read it again."
        metadata = {"version": str(version)}
        raise Failure(Reason.INSTRUMENT_CHANGED, message, metadata=metadata)
    wanted = instrument.definition
    values = [
        instrument.id,
        version,
        effective,
        wanted.display_name,
        wanted.asset_class,
        wanted.status.value,
        Jsonb(_schedule_json(wanted.schedule)),
        instrument.recorded,
        wanted.feed_symbol,
        wanted.max_tick_age_seconds,
        wanted.feed_silence_max_seconds,
        wanted.position,
    ]
    await connection.execute(_INSERT_VERSION, values)
    return Instrument(instrument.id, version, effective, wanted, instrument.recorded)


async def announced(connection: RawConnection) -> dict[int, MarketStatus]:
    """Return the market status that each instrument was last announced with."""
    rows = await (await connection.execute(_ANNOUNCED)).fetchall()
    return {row[0]: MarketStatus(row[1]) for row in rows}


async def announce(
    connection: RawConnection, statuses: Iterable[tuple[Instrument, MarketStatus]]
) -> set[int]:
    """Remember the market status that instruments are announced with.

    Returns the ids of those whose version is still the current one; the others stay as they are.
    Until the transaction ends nobody can give these another version.
    """
    triples = [(known.id, known.version, status.value) for known, status in statuses]
    columns = [list(column) for column in zip(*triples, strict=True)] or [[], [], []]
    return {row[0] for row in await (await connection.execute(_ANNOUNCE, columns)).fetchall()}


def _instrument(row: Sequence[Any]) -> Instrument:
    definition = Definition(
        symbol=row[3],
        display_name=row[4],
        asset_class=row[5],
        price_scale=row[6],
        feed_symbol=row[7],
        schedule=_schedule(row[8]),
        status=InstrumentStatus(row[9]),
        max_tick_age_seconds=row[10],
        feed_silence_max_seconds=row[11],
        position=row[12],
    )
    return Instrument(row[0], row[1], row[2], definition, row[13])


def _schedule_json(schedule: Schedule) -> dict[str, object]:
    return {
        "time_zone": schedule.time_zone,
        "windows": [[window.open_minute, window.close_minute] for window in schedule.windows],
        "holidays": [[day.date.isoformat(), day.close_minute] for day in schedule.holidays],
    }


def _schedule(data: dict[str, Any]) -> Schedule:
    return Schedule(
        data["time_zone"],
        tuple(Window(opened, closed) for opened, closed in data["windows"]),
        tuple(Holiday(date.fromisoformat(day), minute) for day, minute in data["holidays"]),
    )
