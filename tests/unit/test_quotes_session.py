from datetime import date, datetime

import pytest

from services.kit.clock import utc
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.quotes.seed import FX_WEEK, METALS_WEEK, seed_instruments
from services.quotes.session import (
    AROUND_THE_CLOCK,
    Holiday,
    Schedule,
    Session,
    Window,
    check_schedule,
    next_open,
    session_at,
    sessions,
    settles_at,
    upcoming,
)

DAY = 1440
NEW_YORK = "America/New_York"
BERLIN = "Europe/Berlin"


def at(day: int, hour: int, minute: int = 0) -> int:
    return day * DAY + hour * 60 + minute


def daily(zone: str, opens: tuple[int, int], closes: tuple[int, int]) -> Schedule:
    return Schedule(zone, tuple(Window(at(d, *opens), at(d, *closes)) for d in range(5)))


NIGHTLY = Schedule(BERLIN, tuple(Window(at(d, 22), at(d, 26)) for d in range(7)))
LONG_NIGHTS = Schedule(BERLIN, tuple(Window(at(d, 22), at(d, 28)) for d in range(7)))
ADJACENT = Schedule("UTC", (Window(0, DAY), Window(DAY, 2 * DAY), Window(2 * DAY, 2 * DAY + 60)))
SHORT_DAY = Schedule(
    NEW_YORK,
    daily(NEW_YORK, (9, 30), (16, 0)).windows,
    (Holiday(date(2026, 11, 26)), Holiday(date(2026, 11, 27), 13 * 60)),
)

CASES = [
    ("FX opens on Sunday at 17:00 in New York, in winter", FX_WEEK,
     utc(2026, 11, 22, 22), (utc(2026, 11, 22, 22), utc(2026, 11, 27, 22))),
    ("a microsecond earlier it is closed", FX_WEEK,
     utc(2026, 11, 22, 21, 59, 59, 999_999), None),
    ("the close is outside", FX_WEEK, utc(2026, 11, 27, 22), None),
    ("a microsecond before the close is inside", FX_WEEK,
     utc(2026, 11, 27, 21, 59, 59, 999_999), (utc(2026, 11, 22, 22), utc(2026, 11, 27, 22))),
    ("in summer it opens an hour earlier in UTC", FX_WEEK,
     utc(2026, 7, 6), (utc(2026, 7, 5, 21), utc(2026, 7, 10, 21))),
    ("the week in which the clocks go forward is an hour shorter", FX_WEEK,
     utc(2027, 3, 9), (utc(2027, 3, 7, 22), utc(2027, 3, 12, 22))),
    ("and begins on the day of the change by the new time", FX_WEEK,
     utc(2027, 3, 15), (utc(2027, 3, 14, 21), utc(2027, 3, 19, 21))),
    ("when they go back, by the old", FX_WEEK,
     utc(2026, 11, 2), (utc(2026, 11, 1, 22), utc(2026, 11, 6, 22))),
    ("a night over the skipped hour", NIGHTLY,
     utc(2026, 3, 29, 0, 30), (utc(2026, 3, 28, 21), utc(2026, 3, 29, 1))),
    ("a night over the repeated hour is an hour longer", LONG_NIGHTS,
     utc(2026, 10, 25, 1, 30), (utc(2026, 10, 24, 20), utc(2026, 10, 25, 3))),
    ("one that ends within it ends when the hour first comes", NIGHTLY,
     utc(2026, 10, 24, 23), (utc(2026, 10, 24, 20), utc(2026, 10, 25, 0))),
    ("Sunday night runs into Monday", NIGHTLY,
     utc(2026, 11, 23, 0, 30), (utc(2026, 11, 22, 21), utc(2026, 11, 23, 1))),
    ("adjacent windows are one session", ADJACENT,
     utc(2026, 11, 24), (utc(2026, 11, 23), utc(2026, 11, 25, 1))),
    ("around the clock has neither begin nor end", AROUND_THE_CLOCK,
     utc(2026, 11, 28, 3), (None, None)),
    ("a holiday closes the whole day", SHORT_DAY, utc(2026, 11, 26, 16), None),
    ("an early close", SHORT_DAY,
     utc(2026, 11, 27, 17), (utc(2026, 11, 27, 14, 30), utc(2026, 11, 27, 18))),
    ("after it the day is over", SHORT_DAY, utc(2026, 11, 27, 18), None),
    ("the daily break of metals", METALS_WEEK, utc(2026, 11, 24, 22, 30), None),
    ("and after it they trade on", METALS_WEEK,
     utc(2026, 11, 24, 23), (utc(2026, 11, 24, 23), utc(2026, 11, 25, 22))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("schedule", "moment", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_the_session_of_a_moment(
    schedule: Schedule, moment: datetime, expected: tuple[datetime, datetime] | None
) -> None:
    found = session_at(schedule, moment)
    assert found == (Session(*expected) if expected else None)


def test_the_close_settles_but_does_not_trade() -> None:
    close = utc(2026, 11, 27, 22)
    assert settles_at(FX_WEEK, close)
    assert session_at(FX_WEEK, close) is None
    assert not settles_at(FX_WEEK, utc(2026, 11, 27, 22, 0, 0, 1))
    assert settles_at(FX_WEEK, utc(2026, 11, 22, 22))
    assert not settles_at(FX_WEEK, utc(2026, 11, 22, 21, 59, 59, 999_999))


def test_a_holiday_ends_what_else_would_never_end() -> None:
    schedule = Schedule("UTC", AROUND_THE_CLOCK.windows, (Holiday(date(2026, 12, 25)),))
    assert sessions(schedule, utc(2026, 12, 24), utc(2026, 12, 27)) == [
        Session(None, utc(2026, 12, 25)),
        Session(utc(2026, 12, 26), None),
    ]
    assert next_open(schedule, utc(2026, 12, 25, 5)) == utc(2026, 12, 26)


def test_what_comes_within_a_week_is_told() -> None:
    saturday = utc(2026, 11, 28, 12)
    told = upcoming(FX_WEEK, saturday)
    assert [session.open_time for session in told] == [utc(2026, 11, 29, 22)]
    assert next_open(FX_WEEK, saturday) == utc(2026, 11, 29, 22)
    assert upcoming(FX_WEEK, utc(2026, 11, 27, 22)) == told
    assert len(upcoming(FX_WEEK, utc(2026, 11, 25))) == 2
    assert upcoming(AROUND_THE_CLOCK, saturday) == (Session(None, None),)
    assert next_open(AROUND_THE_CLOCK, saturday) is None


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule("Mars/Olympus", (Window(0, 60),)),
        Schedule("../../etc/passwd", (Window(0, 60),)),
        Schedule("UTC", ()),
        Schedule("UTC", (Window(60, 60),)),
        Schedule("UTC", (Window(0, 10081),)),
        Schedule("UTC", (Window(-1, 60),)),
        Schedule("UTC", (Window(10080, 10090),)),
        Schedule("UTC", (Window(0, 100), Window(99, 200))),
        Schedule("UTC", (Window(0, 100), Window(10000, 10100))),
        Schedule("UTC", (Window(0, 60),), (Holiday(date(2026, 1, 1)),) * 2),
        Schedule("UTC", (Window(0, 60),), (Holiday(date(9999, 12, 31)),)),
    ],
)
def test_an_impossible_schedule_is_refused(schedule: Schedule) -> None:
    with pytest.raises(Failure) as refused:
        check_schedule(schedule)
    assert refused.value.reason is Reason.INVALID_SCHEDULE


def test_every_seeded_instrument_can_be() -> None:
    seeded = seed_instruments()
    for definition in seeded:
        check_schedule(definition.schedule)
    assert len({definition.symbol for definition in seeded}) == len(seeded) >= 28
    assert seeded[0].symbol == "BTCUSD"
