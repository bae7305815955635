"""When an instrument trades: a weekly timetable of its venue, turned into spans of absolute time.

A session is open ≤ t < close. Times of the timetable are wall-clock times of the venue, so a
window keeps its local hours when the clocks change, and its length in hours varies.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.kit.errors import Failure
from services.kit.reason import Reason

MINUTES_PER_DAY = 1440
MINUTES_PER_WEEK = 7 * MINUTES_PER_DAY
AHEAD = timedelta(days=7)
"""How far ahead sessions are told."""

_LONGEST_CLOSURE = timedelta(days=60)
_FIRST_YEAR, _LAST_YEAR = 2000, 2199
_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_ALWAYS = datetime(1, 1, 3, tzinfo=UTC)
_NEVER = datetime(9999, 12, 29, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """A weekly span in minutes since Monday 00:00 of the venue; it may cross the week's end."""

    open_minute: int
    close_minute: int


@dataclass(frozen=True, slots=True)
class Holiday:
    """A local date that closes wholly (minute 0), or from a minute of the day on."""

    date: date
    close_minute: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """One span of trading. None: it has always been open, or does not close."""

    open_time: datetime | None
    close_time: datetime | None

    def contains(self, moment: datetime) -> bool:
        """Tell whether trading goes on at a moment: open ≤ t < close."""
        return self._opened(moment) and (self.close_time is None or moment < self.close_time)

    def settles(self, moment: datetime) -> bool:
        """Tell whether a price may be fixed at a moment: the close belongs to its session."""
        return self._opened(moment) and (self.close_time is None or moment <= self.close_time)

    def _opened(self, moment: datetime) -> bool:
        return self.open_time is None or self.open_time <= moment


@dataclass(frozen=True, slots=True)
class Schedule:
    """The weekly windows of a venue in its own time zone, and the days that differ."""

    time_zone: str
    windows: tuple[Window, ...]
    holidays: tuple[Holiday, ...] = ()


AROUND_THE_CLOCK = Schedule("UTC", (Window(0, MINUTES_PER_WEEK),))

_Span = tuple[datetime, datetime]


def check_schedule(schedule: Schedule) -> None:
    """Raise Failure INVALID_SCHEDULE when no timetable could look like this."""
    if _zone(schedule.time_zone) is None:
        raise _invalid("There is no such time zone.", time_zone=schedule.time_zone)
    if not schedule.windows:
        raise _invalid("A schedule without a window never trades.")
    for window in schedule.windows:
        length = window.close_minute - window.open_minute
        if not 0 <= window.open_minute < MINUTES_PER_WEEK or not 0 < length <= MINUTES_PER_WEEK:
            raise _invalid("A window closes after it opens, and within a week.")
    if _overlap(schedule.windows):
        raise _invalid("Windows overlap.")
    dates = [holiday.date for holiday in schedule.holidays]
    if len(set(dates)) < len(dates):
        raise _invalid("A date is named twice among the holidays.")
    if any(not _FIRST_YEAR <= day.year <= _LAST_YEAR for day in dates):
        raise _invalid(f"A holiday lies between {_FIRST_YEAR} and {_LAST_YEAR}.")


def sessions(schedule: Schedule, start: datetime, end: datetime) -> list[Session]:
    """Return the sessions that touch start ≤ t ≤ end, whole, in order, adjacent ones merged."""
    zone = _zone(schedule.time_zone)
    if zone is None:
        return []
    base = _weekly(schedule.windows, zone, start, end)
    spans = _without(_merged(base), _closures(schedule.holidays, zone))
    return [_session(span) for span in spans if span[0] <= end and span[1] >= start]


def session_at(schedule: Schedule, moment: datetime) -> Session | None:
    """Return the session in progress at a moment, if any."""
    return next((s for s in sessions(schedule, moment, moment) if s.contains(moment)), None)


def settles_at(schedule: Schedule, moment: datetime) -> bool:
    """Tell whether a price may be fixed at a moment (rules.md, "Fixing")."""
    return any(session.settles(moment) for session in sessions(schedule, moment, moment))


def upcoming(schedule: Schedule, now: datetime) -> tuple[Session, ...]:
    """Return the session in progress and those that begin within the next seven days."""
    found = sessions(schedule, now, now + AHEAD)
    return tuple(s for s in found if s.close_time is None or s.close_time > now)


def next_open(schedule: Schedule, now: datetime) -> datetime | None:
    """Return when the next session opens, looking two months ahead."""
    for session in sessions(schedule, now, now + _LONGEST_CLOSURE):
        if session.open_time is not None and session.open_time > now:
            return session.open_time
    return None


def _weekly(
    windows: Sequence[Window], zone: ZoneInfo, start: datetime, end: datetime
) -> Iterator[_Span]:
    """Yield the weekly windows, before holidays, of all weeks that could touch the range."""
    if sum(window.close_minute - window.open_minute for window in windows) == MINUTES_PER_WEEK:
        yield _ALWAYS, _NEVER
        return
    first = start.astimezone(zone).date()
    monday = first - timedelta(days=first.weekday()) - 2 * _WEEK
    while monday <= end.astimezone(zone).date():
        for window in windows:
            span = (
                _local(monday, window.open_minute, zone),
                _local(monday, window.close_minute, zone),
            )
            if span[0] < span[1]:
                yield span
        monday += _WEEK


def _local(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """Return the moment of a wall-clock time; an hour that is skipped counts as the one after."""
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001
    return wall.replace(tzinfo=zone).astimezone(UTC)


def _closures(holidays: Iterable[Holiday], zone: ZoneInfo) -> list[_Span]:
    return _merged(
        (_local(h.date, h.close_minute, zone), _local(h.date + _DAY, 0, zone)) for h in holidays
    )


def _merged(spans: Iterable[_Span]) -> list[_Span]:
    merged: list[_Span] = []
    for opened, closed in sorted(spans):
        if merged and opened <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], closed)
        else:
            merged.append((opened, closed))
    return merged


def _without(spans: Iterable[_Span], closures: Sequence[_Span]) -> Iterator[_Span]:
    for opened, closed in spans:
        at = opened
        for closure_start, closure_end in closures:
            if closure_end <= at or closure_start >= closed:
                continue
            if closure_start > at:
                yield at, closure_start
            at = closure_end
        if at < closed:
            yield at, closed


def _session(span: _Span) -> Session:
    opened, closed = span
    return Session(
        None if opened == _ALWAYS else opened,
        None if closed == _NEVER else closed,
    )


def _overlap(windows: Sequence[Window]) -> bool:
    """Tell whether two windows share a minute, also around the end of the week."""
    ordered = sorted(windows, key=lambda window: window.open_minute)
    around = Window(ordered[0].open_minute + MINUTES_PER_WEEK, 0)
    return any(a.close_minute > b.open_minute for a, b in pairwise([*ordered, around]))


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _invalid(message: str, **metadata: str) -> Failure:
    return Failure(Reason.INVALID_SCHEDULE, message, metadata=metadata)
