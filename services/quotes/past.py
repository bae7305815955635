"""Gives each instrument with a first tick its generated past, in the background."""

import asyncio
from random import Random

import structlog

from services.kit.database import Database, RawConnection, committing
from services.kit.leader import Term
from services.quotes import candles
from services.quotes.history import Origin, copy_lines, past
from services.quotes.market import LiveMarket

_LOOK_SECONDS = 1.0
_REST_SECONDS = 0.05
# The clustered name of the seed: one instrument always gets one past.
_NEXT = """
    SELECT i.id, first.time, first.price FROM instrument i
    JOIN instrument_version v ON v.instrument_id = i.id AND v.version = i.version
    JOIN LATERAL (
        SELECT time, price FROM tick WHERE instrument_id = i.id AND NOT late ORDER BY time LIMIT 1
    ) AS first ON true
    WHERE i.past_made_at IS NULL ORDER BY v.position LIMIT 1
"""
_DONE = "UPDATE instrument SET past_made_at = now() WHERE id = %s AND past_made_at IS NULL"
_log = structlog.stdlib.get_logger()


class PastMaker:
    """Generates the pasts of instruments."""

    def __init__(self, database: Database, market: LiveMarket) -> None:
        """Store them in this database."""
        self._database = database
        self._market = market

    async def run(self, term: Term) -> None:
        """Look for instruments without a past, for a term. Errors: DatabaseUnavailable."""
        while True:
            made = await self.make_next(term)
            await asyncio.sleep(_REST_SECONDS if made else _LOOK_SECONDS)

    async def make_next(self, term: Term) -> bool:
        """Give the next instrument that lacks one its past, and tell whether there was one."""
        async with self._database.raw() as connection:
            row = await (await connection.execute(_NEXT)).fetchone()
        if row is None:
            return False
        instrument = self._market.instrument(row[0])
        origin = Origin(instrument.schedule, instrument.definition.asset_class, row[1], row[2])
        # Seconds of computing, all in all: the event loop has more urgent things to do.
        parts = await asyncio.to_thread(_generated, origin, instrument.symbol)
        async with self._database.raw() as connection:
            await term.fence(connection)
            await _store(connection, instrument.id, parts)
            with committing():
                await connection.commit()
        _log.info("past generated", instrument=instrument.symbol)
        return True


def _generated(origin: Origin, symbol: str) -> dict[int, bytes]:
    random = Random(f"{symbol} {origin.first_time.isoformat()}")  # noqa: S311  a picture
    return {width: copy_lines(made) for width, made in past(origin, random).items()}


async def _store(connection: RawConnection, instrument_id: int, parts: dict[int, bytes]) -> None:
    done = await connection.execute(_DONE, [instrument_id])
    if done.rowcount:
        for width, lines in parts.items():
            await candles.copy(connection, instrument_id, width, lines)
