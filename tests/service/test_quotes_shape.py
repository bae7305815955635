"""How the cost of prices grows: statements per batch, and what each of them reads.

There are no timings here. A batch takes the same few statements whatever its size, and what is read
of the record is found by a key, however long the record has grown.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import LiteralString

import psycopg
import pytest
import pytest_asyncio

from services.kit.clock import utc
from services.kit.database import Database
from services.kit.leader import Term
from services.local.databases import Access
from services.quotes import ticks
from services.quotes.candle import Candle
from services.quotes.candles import Candles
from services.quotes.fixing import Point
from services.quotes.fixings import Fixings
from services.quotes.instruments import LEADERSHIP, create
from services.quotes.record import Batch, Record
from services.quotes.seed import seed_instruments
from services.quotes.tick import Tick
from services.quotes.ticks import Ticks
from tests.service.statements import read_whole, watched
from tests.stores import Postgres

NOON = utc(2026, 11, 23, 12)
SECOND = timedelta(seconds=1)
_LEAD: LiteralString = "INSERT INTO leader (name, epoch, expires_at) VALUES (%s, 1, 'infinity')"
_GROW: LiteralString = """
    SELECT partition_create(date '2026-11-23');
    INSERT INTO tick SELECT i, n, timestamptz '2026-11-23 06:00Z' + n * interval '1 s', 10000 + n,
        NULL, false FROM generate_series(1, 5) i, generate_series(1, 20000) n;
    INSERT INTO heartbeat SELECT timestamptz '2026-11-23 06:00Z' + n * interval '1 s'
        FROM generate_series(1, 20000) n;
    INSERT INTO candle SELECT i, w, timestamptz '2026-11-20Z' + n * w * interval '1 s',
        1, 1, 1, 1, 1, false
        FROM generate_series(1, 5) i, unnest(ARRAY[1, 60, 3600]) w, generate_series(1, 5000) n;
    INSERT INTO fixing SELECT 1, timestamptz '2026-11-22Z' + n * interval '1 s', 1, NULL, 'NO_TICK',
        '[]', '[]', timestamptz '2026-11-23Z', NULL FROM generate_series(1, 5000) n;
    INSERT INTO run (epoch, start_time, watermark, gap_reason)
        SELECT 1, timestamptz '2026-11-23Z' + n * interval '10 s',
               timestamptz '2026-11-23Z' + n * interval '10 s' + interval '9 s', 'STALL'
        FROM generate_series(1, 4000) n
"""


@pytest.fixture
def access(postgres: Postgres) -> Iterator[Access]:
    with postgres.database("quotes") as access:
        yield access


@pytest_asyncio.fixture
async def database(access: Access) -> AsyncIterator[Database]:
    async with Database(access.service, name="quotes") as database:
        async with database.raw() as connection:
            for definition in seed_instruments()[:5]:
                await create(connection, definition, NOON - 240 * 3600 * SECOND)
            await connection.commit()
        yield database


def batch(number: int, moment: datetime) -> Batch:
    """Return a batch of so many ticks, with and without the source's time, and as many candles."""
    found = [
        Tick(
            1,
            place,
            moment - SECOND + place * timedelta(microseconds=1),
            10_000 + place,
            moment - SECOND if place % 2 else None,
            False,
        )
        for place in range(1, number + 1)
    ]
    candles = [
        (1, 1, Candle(moment - place * SECOND, 5, 7, 3, 6, 2)) for place in range(1, number + 1)
    ]
    return Batch(moment, moment, found, candles)


@pytest.mark.parametrize("number", [1, 500])
async def test_a_batch_is_stored_by_the_same_statements_whatever_its_size(
    database: Database, access: Access, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with psycopg.connect(access.owner) as owner:
        owner.execute(_LEAD, [LEADERSHIP])
    record, term = Record(database), Term(LEADERSHIP, 1)
    run = await record.begin(term, NOON - 60 * SECOND, "START")
    assert run is not None
    stored = batch(number, NOON)
    with watched(monkeypatch) as seen:
        await record.store(term, run, stored)
    # The watermark within the fence, and the candles; ticks come by one COPY between the two.
    assert len(seen.texts) == 2
    async with database.raw() as connection:
        assert await ticks.since(connection, NOON - 60 * SECOND) == stored.ticks


async def test_nothing_that_is_read_often_reads_a_table_from_end_to_end(
    database: Database, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(grow, access.owner)
    moment = utc(2026, 11, 23, 10)
    with watched(monkeypatch) as seen:
        for width in (1, 5, 60, 300, 3600, 86_400):
            await Candles(database).page(1, width, None, NOON, 100, None)
            await Candles(database).page(1, width, moment, NOON, 100, None)
        await Ticks(database).page(1, moment, NOON, 5, 100)
        fixed = await Fixings(database).fix([Point(1, moment), Point(2, moment + SECOND)])
        await Fixings(database).fix([Point(1, moment)])
        await Record(database).watermark()
        async with database.raw() as connection:
            await ticks.heads(connection, NOON)
    assert len(fixed) == 2
    whole = {table for plan in seen.plans for table in read_whole(plan)}
    # Instruments are few, and the horizon is one row.
    assert whole <= {"instrument", "instrument_version", "horizon"}
    assert len(seen.plans) > 15


def grow(owner: str) -> None:
    """Fill the tables of the record, and let the planner know."""
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(_GROW)
        connection.execute("ANALYZE")
