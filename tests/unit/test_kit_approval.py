"""Who may decide a proposal, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.kit.approval import (
    Proposal,
    State,
    check_decision,
    check_withdrawal,
    is_same,
    was_decided,
    was_withdrawn,
)
from services.kit.clock import utc
from services.kit.errors import Failure
from services.kit.reason import Reason

NOON = utc(2026, 11, 23, 12)
ANA, BEN, CAL = (UUID(int=number) for number in (1, 2, 3))


def proposal(**changes: Any) -> Proposal:
    made = Proposal(
        proposal_id=UUID(int=10),
        kind="note",
        content={"text": "hello"},
        reason="to be seen",
        proposed_by=ANA,
        request_id=UUID(int=11),
        proposed_at=NOON,
        expires_at=NOON + timedelta(days=1),
        state=State.PENDING,
    )
    return made._replace(**changes)


@pytest.mark.parametrize(
    ("state", "person", "hours", "refusal"),
    [
        (State.PENDING, BEN, 0, None),
        (State.PENDING, BEN, 23.9, None),
        (State.PENDING, ANA, 0, Reason.SAME_PERSON),
        (State.PENDING, BEN, 24, Reason.PROPOSAL_NOT_PENDING),
        (State.PENDING, ANA, 24, Reason.PROPOSAL_NOT_PENDING),
        *((state, BEN, 0, Reason.PROPOSAL_NOT_PENDING) for state in State if state > State.PENDING),
    ],
)
def test_another_person_decides_in_time(
    state: State, person: UUID, hours: float, refusal: Reason | None
) -> None:
    now = NOON + timedelta(hours=hours)
    if refusal is None:
        check_decision(proposal(state=state), person, now)
        return
    with pytest.raises(Failure) as refused:
        check_decision(proposal(state=state), person, now)
    assert refused.value.reason is refusal


def test_a_proposal_whose_time_is_over_says_so_before_anybody_noted_it() -> None:
    with pytest.raises(Failure) as refused:
        check_decision(proposal(), BEN, NOON + timedelta(days=1))
    assert refused.value.metadata == {"state": "EXPIRED"}


@pytest.mark.parametrize(
    ("state", "decision", "person", "known"),
    [
        (State.APPROVED, State.APPROVED, BEN, True),
        (State.EXECUTED, State.APPROVED, BEN, True),
        (State.FAILED, State.APPROVED, BEN, True),
        (State.EXECUTED, State.APPROVED, CAL, False),
        (State.EXECUTED, State.REJECTED, BEN, False),
        (State.REJECTED, State.REJECTED, BEN, True),
        (State.REJECTED, State.APPROVED, BEN, False),
    ],
)
def test_a_decision_is_known_again_by_who_made_it(
    state: State, decision: State, person: UUID, known: bool
) -> None:
    assert was_decided(proposal(state=state, decided_by=BEN), decision, person) is known


@pytest.mark.parametrize(
    ("state", "person", "hours", "refusal"),
    [
        (State.PENDING, ANA, 0, None),
        (State.PENDING, ANA, 23.9, None),
        (State.PENDING, ANA, 24, Reason.PROPOSAL_NOT_PENDING),
        (State.PENDING, BEN, 0, Reason.NOT_PROPOSER),
        (State.EXECUTED, BEN, 0, Reason.NOT_PROPOSER),
        *((state, ANA, 0, Reason.PROPOSAL_NOT_PENDING) for state in State if state > State.PENDING),
    ],
)
def test_who_proposed_it_takes_it_back_before_it_is_decided(
    state: State, person: UUID, hours: float, refusal: Reason | None
) -> None:
    now = NOON + timedelta(hours=hours)
    if refusal is None:
        check_withdrawal(proposal(state=state), person, now)
        return
    with pytest.raises(Failure) as refused:
        check_withdrawal(proposal(state=state), person, now)
    assert refused.value.reason is refusal


@pytest.mark.parametrize(
    ("state", "person", "known"),
    [(State.WITHDRAWN, ANA, True), (State.WITHDRAWN, BEN, False), (State.REJECTED, ANA, False)],
)
def test_a_withdrawal_is_known_again_by_who_made_it(
    state: State, person: UUID, known: bool
) -> None:
    assert was_withdrawn(proposal(state=state), person) is known


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"proposal_id": UUID(int=99), "proposed_at": NOON + timedelta(hours=1)}, True),
        ({"content": {"text": "other"}}, False),
        ({"kind": "ban"}, False),
        ({"reason": "another"}, False),
    ],
)
def test_the_same_is_asked_for_by_kind_content_and_reason(
    change: dict[str, Any], same: bool
) -> None:
    assert is_same(proposal(), proposal(**change)) is same
