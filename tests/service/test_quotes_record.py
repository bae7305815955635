"""What the stored record says about a moment, to the microsecond (rules.md, "Fixing")."""

from dataclasses import replace

import psycopg

from services.kit.clock import utc
from services.quotes import instruments
from services.quotes.fixing import Fixing, Point
from services.quotes.fixings import Fixings
from services.quotes.instrument import Definition, InstrumentStatus
from services.quotes.session import AROUND_THE_CLOCK
from tests.service.quotes_fixtures import World, seconds

pytest_plugins = ["tests.service.quotes_fixtures"]

NOON = utc(2026, 11, 23, 12)
DEFINITION = Definition("EURUSD", "EUR/USD", "FX", 5, "EURUSD", AROUND_THE_CLOCK)
LATE = 2
TICKS = {1: 0, LATE: 2, 3: 3, 4: 3.000001, 5: 11, 6: 19, 7: 21, 8: 29}
HEARTBEATS = (-11, -1, 0, 3, 5, 10, 15.000001, 20, 29)
HALTED_FROM, ENABLED_FROM = 20, 22
RUNS = ((-60, 30), (40, 100))
HORIZON = -610

CASES: dict[float, int | str | None] = {
    -10.000001: "NOT_COVERED",  # a tick as old as may be would be gone
    -10: "NO_TICK",
    -0.000001: "NO_TICK",
    0: 1,  # a tick exactly then
    2: 1,  # a late one is none
    3: 3,  # one a microsecond later comes after it
    3.000001: 4,
    8.000001: 4,  # five seconds old
    8.000002: "NO_TICK",
    14.999999: 5,
    15: "FEED_SILENT",  # heard five seconds before, and a microsecond later
    19.999999: 6,
    20: "INSTRUMENT_HALTED",
    21.999999: "INSTRUMENT_HALTED",
    22: 7,
    30: 8,  # a run covers its end
    30.000001: "NOT_COVERED",
    39.999999: "NOT_COVERED",
    40: "FEED_SILENT",  # and its beginning
    100: "FEED_SILENT",
    100.000001: None,  # pending
}


def keep(owner: str) -> None:
    """Store a record as ingestors would have, of two runs with a gap between them."""
    with psycopg.connect(owner) as connection:
        connection.execute("SELECT partition_create(%s)", [NOON.date()])
        connection.execute("UPDATE horizon SET time = %s", [NOON + seconds(HORIZON)])
        for epoch, (start, watermark) in enumerate(RUNS, start=1):
            connection.execute(
                "INSERT INTO run (epoch, start_time, watermark, gap_reason)"
                " VALUES (%s, %s, %s, 'START')",
                [epoch, NOON + seconds(start), NOON + seconds(watermark)],
            )
        for second in HEARTBEATS:
            connection.execute("INSERT INTO heartbeat VALUES (%s)", [NOON + seconds(second)])
        for number, second in TICKS.items():
            connection.execute(
                "INSERT INTO tick VALUES (1, %s, %s, 108000, NULL, %s)",
                [number, NOON + seconds(second), number == LATE],
            )


def told(fixing: Fixing | None) -> int | str | None:
    """Return the number of the tick that fixes, or why none does; None: pending."""
    if fixing is None:
        return None
    return fixing.tick.number if fixing.tick else str(fixing.void_reason)


async def test_what_the_record_says_about_each_moment(base: World) -> None:
    keep(base.access.owner)
    async with base.database() as database:
        async with database.raw() as connection:
            known = await instruments.create(connection, DEFINITION, NOON - seconds(60))
            halted = replace(DEFINITION, status=InstrumentStatus.HALTED)
            for second, definition in ((HALTED_FROM, halted), (ENABLED_FROM, DEFINITION)):
                known = await instruments.add_version(
                    connection, replace(known, definition=definition), NOON + seconds(second)
                )
            await connection.commit()
        fixings = Fixings(database)
        points = {second: Point(known.id, NOON + seconds(second)) for second in CASES}

        found = await fixings.fix(points.values())
        again = await fixings.fix(reversed(points.values()))

    assert {second: told(found.get(point)) for second, point in points.items()} == CASES
    assert found == again
    assert [tick.number for tick in found[points[2]].ticks_before] == [1, LATE]
    assert [tick.number for tick in found[points[2]].ticks_after] == [3, 4, 5]
