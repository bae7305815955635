"""Limits, breaks and self-exclusion: what counts at once, what later, and what never shortens."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from services.identity.protection import (
    LOOSENED_AFTER,
    Kind,
    Limit,
    Protection,
    excluded,
    kept,
    limited,
    months_after,
    resting,
)
from services.kit.clock import utc
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.values import Period

NOON = utc(2026, 11, 26, 12)
LATER = NOON + LOOSENED_AFTER
NOBODY = Protection(UUID(int=1))


def losing(value: int | None) -> Limit:
    return Limit(Kind.LOSS, Period.DAY, value)


@pytest.mark.parametrize(
    ("present", "asked", "at_once", "later"),
    [
        (None, 100, 100, 100),
        (100, 50, 50, 50),
        (100, 0, 0, 0),
        (100, 100, 100, 100),
        (100, 200, 100, 200),
        (100, None, 100, None),
        (None, None, None, None),
    ],
)
def test_a_tighter_limit_counts_at_once_and_a_looser_one_a_day_later(
    present: int | None, asked: int | None, at_once: int | None, later: int | None
) -> None:
    changed = losing(present).asked(asked, NOON)

    assert changed.at(NOON).value == at_once
    assert changed.at(LATER - timedelta(microseconds=1)).value == at_once
    assert changed.at(LATER).value == later


def test_asking_again_for_the_same_does_not_put_it_off() -> None:
    again = losing(100).asked(200, NOON).asked(200, NOON + timedelta(hours=23))

    assert again.next_at == LATER


def test_another_wish_takes_the_place_of_one_on_its_way_and_waits_anew() -> None:
    asked_at = NOON + timedelta(hours=1)
    changed = losing(100).asked(200, NOON).asked(300, asked_at)

    assert changed == Limit(Kind.LOSS, Period.DAY, 100, asked_at + LOOSENED_AFTER, 300)


def test_what_was_loosened_a_day_ago_is_what_the_next_wish_is_measured_by() -> None:
    changed = losing(100).asked(200, NOON).asked(150, LATER)

    assert changed == losing(150)


def test_a_change_on_its_way_can_be_called_off() -> None:
    before = limited(limited(NOBODY, losing(100), NOON), losing(None), NOON)

    assert kept(before, Kind.LOSS, Period.DAY, NOON).limits == (losing(100),)


def test_a_limit_that_was_removed_a_day_ago_is_no_more() -> None:
    removed = limited(limited(NOBODY, losing(100), NOON), losing(None), NOON)

    assert removed.at(LATER).limits == ()


def test_limits_of_other_kinds_and_periods_stay() -> None:
    weekly, stakes = Limit(Kind.LOSS, Period.WEEK, 500), Limit(Kind.STAKE, Period.DAY, 900)
    both = limited(limited(NOBODY, weekly, NOON), stakes, NOON)

    assert set(limited(both, losing(100), NOON).limits) == {weekly, stakes, losing(100)}


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        (utc(2026, 11, 26, 12), 6, utc(2027, 5, 26, 12)),
        (utc(2026, 8, 31), 6, utc(2027, 2, 28)),
        (utc(2027, 8, 31), 6, utc(2028, 2, 29)),
        (utc(2026, 12, 31), 12, utc(2027, 12, 31)),
        (utc(2024, 2, 29), 60, utc(2029, 2, 28)),
    ],
)
def test_an_exclusion_lasts_calendar_months(start: datetime, months: int, end: datetime) -> None:
    assert months_after(start, months) == end
    assert excluded(NOBODY, months, start).excluded_until == end


def test_breaks_and_exclusions_only_become_longer() -> None:
    away = excluded(resting(NOBODY, 24, NOON), 12, NOON)

    assert resting(away, 48, NOON).break_until == NOON + timedelta(hours=48)
    with pytest.raises(Failure) as shorter_break:
        resting(away, 23, NOON)
    with pytest.raises(Failure) as shorter_exclusion:
        excluded(away, 6, NOON)

    assert shorter_break.value.reason is shorter_exclusion.value.reason is Reason.PROTECTION_LOCKED
    assert shorter_break.value.metadata == {"until": "2026-11-27T12:00:00+00:00"}


def test_what_is_over_is_left_out() -> None:
    away = excluded(resting(NOBODY, 24, NOON), 6, NOON)

    assert away.at(NOON + timedelta(hours=24)).break_until is None
    assert away.at(utc(2027, 5, 26, 11)).excluded_until is not None
    assert away.at(utc(2027, 5, 26, 12)).excluded_until is None
