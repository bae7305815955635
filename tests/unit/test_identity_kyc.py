"""Documents and levels (rules.md, "KYC")."""

from uuid import UUID

import pytest

from services.identity.kyc import (
    Document,
    Kind,
    Level,
    State,
    check_complete,
    check_part,
    check_reviewer,
    level_of,
    require_state,
)
from services.kit.clock import utc
from services.kit.errors import Failure
from services.kit.reason import Reason

ANA, BEN = UUID(int=1), UUID(int=2)


UNIT = 2 * 1024


def document(received: int = 0, state: State = State.UPLOADING) -> Document:
    """A document of 100 units of which some have arrived."""
    noon, size, there = utc(2026, 11, 26, 12), 100 * UNIT, received * UNIT
    return Document(UUID(int=9), ANA, Kind.IDENTITY, state, size, there, "", created_at=noon)


@pytest.mark.parametrize(
    ("confirmed", "approved", "level"),
    [
        (False, {Kind.IDENTITY, Kind.ADDRESS}, Level.NONE),
        (True, set(), Level.BASIC),
        (True, {Kind.IDENTITY}, Level.BASIC),
        (True, {Kind.ADDRESS}, Level.BASIC),
        (True, {Kind.IDENTITY, Kind.ADDRESS}, Level.VERIFIED),
    ],
)
def test_the_level_follows_what_is_known(
    approved: set[Kind], level: Level, *, confirmed: bool
) -> None:
    assert level_of(email_confirmed=confirmed, approved=approved) is level


@pytest.mark.parametrize(
    ("received", "offset", "length", "new"),
    [
        (0, 0, 40, True),
        (40, 40, 60, True),
        (99, 99, 1, True),  # the last may be small
        (40, 0, 40, False),
        (40, 10, 20, False),
    ],
)
def test_a_part_follows_or_was_there_before(
    received: int, offset: int, length: int, *, new: bool
) -> None:
    assert check_part(document(received), offset * UNIT, length * UNIT) is new


@pytest.mark.parametrize(
    ("received", "offset", "length", "reason"),
    [
        (40, 50, 10, Reason.UPLOAD_OFFSET_WRONG),
        (40, 30, 20, Reason.UPLOAD_OFFSET_WRONG),
        (0, 1, 1, Reason.UPLOAD_OFFSET_WRONG),
        (40, 40, 61, Reason.REQUEST_TOO_LARGE),
        (40, 40, 31, Reason.INVALID_REQUEST),
    ],
)
def test_any_other_part_is_refused(received: int, offset: int, length: int, reason: Reason) -> None:
    with pytest.raises(Failure) as refused:
        check_part(document(received), offset * UNIT, length * UNIT)
    assert refused.value.reason is reason
    if reason is Reason.UPLOAD_OFFSET_WRONG:
        assert refused.value.metadata == {"received": str(received * UNIT)}


def test_only_all_of_it_is_complete() -> None:
    check_complete(document(100))
    with pytest.raises(Failure) as refused:
        check_complete(document(99))
    assert refused.value.metadata == {"received": str(99 * UNIT)}


def test_nobody_reviews_a_document_of_their_own() -> None:
    check_reviewer(document(), BEN)
    with pytest.raises(Failure) as refused:
        check_reviewer(document(), ANA)
    assert refused.value.reason is Reason.SAME_PERSON


@pytest.mark.parametrize("state", [state for state in State if state is not State.IN_REVIEW])
def test_what_a_state_does_not_allow_names_the_state(state: State) -> None:
    with pytest.raises(Failure) as refused:
        require_state(document(state=state), State.IN_REVIEW)
    assert refused.value.reason is Reason.DOCUMENT_STATE_CONFLICT
    assert refused.value.metadata == {"state": state.value}
