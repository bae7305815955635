"""The record of the market: what was heard, when, and up to which moment it is complete.

One transaction stores ticks, heartbeat, finished candles and the watermark together, within the
leader's fence. So whoever sees a watermark sees everything up to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from services.kit.database import Database, RawConnection, committing
from services.kit.leader import FENCE_SQL, LeadershipLost, Term
from services.quotes import candles, partitions, ticks
from services.quotes.candle import Candle
from services.quotes.tick import Tick

# Runs follow each other: the one that began last has come furthest.
_LAST_WATERMARK = "SELECT watermark FROM run ORDER BY start_time DESC LIMIT 1"
_BEGIN = """
    INSERT INTO run (epoch, start_time, watermark, gap_reason)
    VALUES (%(epoch)s, %(start)s, %(start)s, %(reason)s) RETURNING id
"""
_ADVANCE = f"""
    WITH fence AS ({FENCE_SQL}), heard AS (
        INSERT INTO heartbeat (time) SELECT %(heartbeat)s::timestamptz FROM fence
        WHERE %(heartbeat)s::timestamptz IS NOT NULL
    )
    UPDATE run SET watermark = %(watermark)s, batches = batches + 1
    FROM fence WHERE id = %(run)s AND batches = %(batches)s
    RETURNING batches
"""
_BATCHES = "SELECT batches FROM run WHERE id = %s"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the ingestor, as far as it is stored. What lies between runs is a gap."""

    id: int
    start_time: datetime
    watermark: datetime
    batches: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """What is stored together: everything heard up to the watermark, since the one before."""

    watermark: datetime
    heartbeat: datetime | None
    """When the feed was last heard, if it was since the last watermark."""

    ticks: Sequence[Tick]
    candles: Sequence[tuple[int, int, Candle]]
    """Finished candles: instrument, width in seconds, candle."""


class Record:
    """The record, as its one live writer uses it."""

    def __init__(self, database: Database) -> None:
        """Write to this database."""
        self._database = database
        self._days: set[date] = set()

    async def watermark(self) -> datetime | None:
        """Return the moment up to which the record is complete; None before the first run."""
        async with self._database.raw() as connection:
            return await last_watermark(connection)

    async def begin(self, term: Term, start: datetime, reason: str) -> Run | None:
        """Begin a run at a moment, telling why the one before ended.

        None while the moment is not later than what is already known: then the clock went back,
        and nothing can be stored until it has caught up.
        """
        await self._prepare(start)
        async with self._database.raw() as connection, connection.transaction():
            await term.fence(connection)
            last = await last_watermark(connection)
            if last is not None and start <= last:
                return None
            parameters = {"epoch": term.epoch, "start": start, "reason": reason}
            row = await (await connection.execute(_BEGIN, parameters)).fetchone()
        assert row is not None  # noqa: S101  an INSERT returns its row
        return Run(int(row[0]), start, start)

    async def store(self, term: Term, run: Run, batch: Batch) -> Run:
        """Store a batch and return the run with it; LeadershipLost when it may not be stored.

        On any other error nothing was stored, except for CommitUnknown: then `resolve` tells.
        """
        await self._prepare(batch.watermark)
        async with self._database.raw() as connection:
            parameters = {
                "name": term.name,
                "epoch": term.epoch,
                "run": run.id,
                "batches": run.batches,
                "watermark": batch.watermark,
                "heartbeat": batch.heartbeat,
            }
            advanced = await connection.execute(_ADVANCE, parameters)
            if advanced.rowcount != 1:
                raise LeadershipLost(f"epoch {term.epoch} of {term.name} has passed")
            if batch.ticks:
                await ticks.copy(connection, batch.ticks)
            if batch.candles:
                await candles.store(connection, batch.candles)
            with committing():
                await connection.commit()
        return _advanced(run, batch)

    async def resolve(self, run: Run, batch: Batch) -> Run:
        """Return the run as it is after a COMMIT of this batch whose outcome was lost."""
        async with self._database.raw() as connection:
            row = await (await connection.execute(_BATCHES, [run.id])).fetchone()
        stored = row is not None and row[0] > run.batches
        return _advanced(run, batch) if stored else run

    async def _prepare(self, moment: datetime) -> None:
        """See that there are partitions for a moment and the day after it."""
        day = moment.date()
        if day not in self._days:
            async with self._database.raw() as connection, connection.transaction():
                await partitions.create(connection, [day, day + timedelta(days=1)])
            self._days = {day}


async def last_watermark(connection: RawConnection) -> datetime | None:
    """Return the moment up to which the record is complete; None before the first run."""
    row = await (await connection.execute(_LAST_WATERMARK)).fetchone()
    return row[0] if row else None


def _advanced(run: Run, batch: Batch) -> Run:
    return replace(run, watermark=batch.watermark, batches=run.batches + 1)
