"""The end of a user: what is done when, and who may not come back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from services.identity.erasure import (
    LETTERS_WITHIN,
    Erasure,
    Obstacle,
    State,
    Step,
    barred_until,
    keeps_address,
    next_step,
    require_clear,
)
from services.kit.clock import utc
from services.kit.errors import Failure
from services.kit.reason import Reason

NOON = utc(2026, 11, 26, 12)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
PAUSE = timedelta(minutes=1)
ASKED = Erasure(
    UUID(int=1),
    UUID(int=2),
    State.WAITING,
    by_staff=False,
    asked_at=NOON,
    due_at=NOON + DAY,
    stepped_at=NOON,
)


@pytest.mark.parametrize(
    ("state", "after", "step"),
    [
        (State.WAITING, DAY - SECOND, None),
        (State.WAITING, DAY, Step.SHUT_OUT),
        (State.CLOSING, PAUSE - SECOND, None),
        (State.CLOSING, PAUSE, Step.CLOSE_ACCOUNTS),
        (State.CLOSED, PAUSE - SECOND, None),
        (State.CLOSED, PAUSE, Step.FORGET),
        (State.DONE, 2 * DAY, None),
        (State.WITHDRAWN, 2 * DAY, None),
    ],
)
def test_each_step_waits_for_its_time(state: State, after: timedelta, step: Step | None) -> None:
    assert next_step(replace(ASKED, state=state), NOON + after, PAUSE) is step


def test_the_address_is_kept_for_the_last_letter_but_not_for_ever() -> None:
    assert keeps_address(ASKED, NOON, letters_waiting=True)
    assert not keeps_address(ASKED, NOON, letters_waiting=False)
    assert not keeps_address(ASKED, NOON + LETTERS_WITHIN, letters_waiting=True)


def test_what_stands_in_the_way_is_named() -> None:
    require_clear([])
    with pytest.raises(Failure) as refused:
        require_clear([Obstacle.OPEN_ORDERS, Obstacle.BALANCE])
    assert refused.value.reason is Reason.ERASURE_OBSTRUCTED
    assert refused.value.metadata == {"obstacles": "BALANCE OPEN_ORDERS"}


@pytest.mark.parametrize(
    ("excluded", "banned", "ban_ends", "barred"),
    [
        (None, False, None, (False, None)),
        (NOON - DAY, False, None, (False, None)),
        (NOON + DAY, False, None, (True, NOON + DAY)),
        (None, True, NOON - DAY, (False, None)),
        (NOON + DAY, True, NOON + 2 * DAY, (True, NOON + 2 * DAY)),
        (NOON + 2 * DAY, True, NOON + DAY, (True, NOON + 2 * DAY)),
        (NOON + DAY, True, None, (True, None)),
    ],
)
def test_bans_and_exclusions_outlive_their_user(
    excluded: datetime | None, banned: bool, ban_ends: datetime | None, barred: tuple[bool, object]
) -> None:
    assert barred_until(NOON, excluded, banned=banned, banned_until=ban_ends) == barred
