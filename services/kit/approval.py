"""A proposal that a second person decides: values, and who may decide what.

PENDING ── approved ──> APPROVED ── carried out ──> EXECUTED | FAILED
   ├────── rejected ──> REJECTED, or its time passes: EXPIRED
   └────── taken back by who proposed it ──> WITHDRAWN
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple
from uuid import UUID

from services.kit.errors import Failure
from services.kit.reason import Reason


class State(IntEnum):
    """How far a proposal has come. The numbers are the contract's and the database's."""

    PENDING = 1
    APPROVED = 2
    """Decided, and being carried out."""

    EXECUTED = 3
    FAILED = 4
    """Approved, and then refused by the rules of what it asks for."""

    REJECTED = 5
    EXPIRED = 6
    WITHDRAWN = 7
    """Taken back by who proposed it, before anybody had decided."""


class Proposal(NamedTuple):
    """What somebody proposed, and what became of it. The fields are the columns of `proposal`."""

    proposal_id: UUID
    """Also the request id of what is done when it is approved."""

    kind: str
    content: Mapping[str, str | int]
    """What is to be done, in the words of its kind."""

    reason: str
    proposed_by: UUID
    request_id: UUID
    proposed_at: datetime
    expires_at: datetime
    state: int
    decided_by: UUID | None = None
    decided_at: datetime | None = None
    note: str = ""
    """What the one who decided or withdrew it said about that."""

    ended_at: datetime | None = None
    result: str = ""
    """What was done, by its id; of one that failed, why."""


def is_same(earlier: Proposal, asked: Proposal) -> bool:
    """Tell whether two proposals under one request id ask for the same."""
    ours = (earlier.kind, dict(earlier.content), earlier.reason)
    return ours == (asked.kind, dict(asked.content), asked.reason)


def was_decided(proposal: Proposal, state: State, person: UUID) -> bool:
    """Tell whether this person made this very decision before."""
    if proposal.decided_by != person:
        return False
    return (proposal.state == State.REJECTED) is (state is State.REJECTED)


def was_withdrawn(proposal: Proposal, person: UUID) -> bool:
    """Tell whether this person took it back before."""
    return proposal.state == State.WITHDRAWN and proposal.proposed_by == person


def check_decision(proposal: Proposal, person: UUID, now: datetime) -> None:
    """Raise unless this person may decide now. Failures: PROPOSAL_NOT_PENDING, SAME_PERSON."""
    _check_pending(proposal, now)
    if proposal.proposed_by == person:
        raise Failure(Reason.SAME_PERSON, "Somebody else has to decide what you proposed.")


def check_withdrawal(proposal: Proposal, person: UUID, now: datetime) -> None:
    """Raise unless this person may take it back now. Failures: PROPOSAL_NOT_PENDING, NOT_PROPOSER.

    Who proposed it is asked first: to anybody else it does not matter how far it has come.
    """
    if proposal.proposed_by != person:
        raise Failure(Reason.NOT_PROPOSER, "Only who proposed something takes it back.")
    _check_pending(proposal, now)


def _check_pending(proposal: Proposal, now: datetime) -> None:
    state = State(proposal.state)
    # One whose time is over has ended, even before anybody noted it.
    if state is State.PENDING and proposal.expires_at <= now:
        state = State.EXPIRED
    if state is not State.PENDING:
        metadata = {"state": state.name}
        message = "The proposal is not open any more."
        raise Failure(Reason.PROPOSAL_NOT_PENDING, message, metadata=metadata)
