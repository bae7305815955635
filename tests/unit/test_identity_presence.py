"""Time signed in is counted once for all sessions, up to a limit, and given back if not used."""

from datetime import date, timedelta
from uuid import UUID

import pytest

from services.identity.presence import Presence, admitted, departed
from services.kit.clock import utc
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.values import Period

DAY, WEEK, MONTH = Period
NOON = utc(2026, 11, 26, 12)
MINUTE = timedelta(minutes=1)
LIFETIME = 15 * MINUTE
NOTHING_YET = Presence(UUID(int=1), NOON.date(), NOON)


def test_tokens_last_as_long_as_the_limit_and_not_beyond() -> None:
    limits = [(DAY, 20 * MINUTE)]

    first, until = admitted(NOTHING_YET, limits, NOON, NOON + LIFETIME)
    second, end = admitted(first, limits, until, until + LIFETIME)

    assert (until, end) == (NOON + 15 * MINUTE, NOON + 20 * MINUTE)
    with pytest.raises(Failure) as over:
        admitted(second, limits, end, end + LIFETIME)
    assert over.value.reason is Reason.SESSION_TIME_LIMIT
    assert over.value.metadata == {
        "period": "DAY",
        "limit_minutes": "20",
        "until": "2026-11-27T00:00:00+00:00",
    }


def test_time_of_two_sessions_at_once_counts_once() -> None:
    limits = [(DAY, 20 * MINUTE)]

    first, _ = admitted(NOTHING_YET, limits, NOON, NOON + LIFETIME)
    second, until = admitted(first, limits, NOON + 5 * MINUTE, NOON + 5 * MINUTE + LIFETIME)

    assert until == NOON + 20 * MINUTE
    assert second.in_day == 20 * MINUTE


def test_the_limit_that_leaves_least_counts() -> None:
    used = Presence(UUID(int=1), NOON.date(), NOON, in_week=50 * MINUTE)

    _, until = admitted(used, [(DAY, 20 * MINUTE), (WEEK, 55 * MINUTE)], NOON, NOON + LIFETIME)

    assert until == NOON + 5 * MINUTE


def test_who_leaves_has_back_what_he_did_not_use() -> None:
    present, _ = admitted(NOTHING_YET, [(MONTH, 60 * MINUTE)], NOON, NOON + LIFETIME)

    gone = departed(present, NOON + 5 * MINUTE)

    assert (gone.in_day, gone.in_month) == (5 * MINUTE, 5 * MINUTE)
    assert departed(gone, NOON + 10 * MINUTE) == gone


@pytest.mark.parametrize(
    ("day", "left"),
    [
        (date(2026, 11, 26), (5, 6, 7)),
        (date(2026, 11, 27), (0, 6, 7)),
        (date(2026, 11, 30), (0, 0, 7)),
        (date(2026, 12, 1), (0, 0, 0)),
    ],
)
def test_spans_begin_anew_with_their_period(day: date, left: tuple[int, int, int]) -> None:
    used = Presence(UUID(int=1), NOON.date(), NOON, 5 * MINUTE, 6 * MINUTE, 7 * MINUTE).on(day)

    assert tuple(used.used(period) // MINUTE for period in Period) == left
