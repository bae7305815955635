"""When a user who wants to be told how long it has been is told."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from services.identity.sitting import Sitting, looked_at
from services.kit.clock import utc

USER = UUID(int=1)
NOON = utc(2026, 11, 26, 12)


def after(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def told_at(every: int, looks: dict[int, bool]) -> list[int]:
    """Return after how many minutes a user is told; `looks` says when he was seen to be there."""
    sitting, told = Sitting(USER, every), []
    for minute, present in looks.items():
        sitting, due = looked_at(sitting, after(minute), present=present)
        if due:
            told.append(minute)
    return told


@pytest.mark.parametrize(
    ("every", "looks", "told"),
    [
        (30, {0: True, 29: True}, []),
        (30, {0: True, 30: True}, [30]),
        (30, {0: True, 31: True, 60: True, 61: True}, [31, 61]),
        (15, {0: True, 15: True, 16: False, 17: True, 31: True, 32: True}, [15, 32]),
        (15, {0: False, 20: True, 34: True, 35: True}, [35]),
        # Nobody looked for a while: told once, not once for each time that was missed.
        (15, {0: True, 50: True, 51: True}, [50]),
    ],
)
def test_a_user_is_told_as_often_as_he_wanted(
    every: int, looks: dict[int, bool], told: list[int]
) -> None:
    assert told_at(every, looks) == told


def test_a_sitting_lasts_until_its_user_is_away() -> None:
    sitting, _ = looked_at(Sitting(USER, 15), NOON, present=True)
    sitting, _ = looked_at(sitting, after(15), present=True)
    assert (sitting.since, sitting.told_at) == (NOON, after(15))
    sitting, _ = looked_at(sitting, after(16), present=False)
    assert sitting == Sitting(USER, 15)
