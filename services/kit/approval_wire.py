"""Proposals as messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from services.kit.approval import Proposal, State
from services.kit.errors import Failure
from services.kit.journal import NewEvent, new_event
from services.kit.pages import decode_page_token, encode_page_token, parse_filter
from services.kit.reason import Reason
from services.kit.wire import to_timestamp
from veritick.event.v1.event_pb2 import Event, StaffProposalChanged
from veritick.type.v1.staff_proposal_pb2 import StaffProposal

PROPOSALS = "proposals"
"""The journal subject of what is proposed."""

_PAGE = 50

Spell = Callable[[UUID], str]
"""Writes the id of a proposal: as it is, or within the scope that owns it."""


class Asked(NamedTuple):
    """Which proposals a list is asked for: what `Approvals.page` takes after their kind."""

    state: State | None
    before: UUID | None
    limit: int

    def following(self, found: Sequence[Proposal]) -> str:
        """Return the token that continues after these; empty when they are the last."""
        return encode_page_token([str(found[-1].proposal_id)]) if len(found) == self.limit else ""


def asked(request: Any, *others: str) -> Asked:
    """Return what a request to list proposals asks for.

    Its filter may name a state, and what `others` names. Failures: INVALID_FILTER,
    INVALID_PAGE_TOKEN.
    """
    name = parse_filter(request.filter, {"state", *others}).get("state")
    if name is not None and name not in State.__members__:
        metadata = {"filter": request.filter[:100]}
        raise Failure(Reason.INVALID_FILTER, "There is no such state.", metadata=metadata)
    before = decode_page_token(request.page_token, UUID)[0] if request.page_token else None
    return Asked(None if name is None else State[name], before, request.page_size or _PAGE)


def to_proposal(proposal: Proposal, spell: Spell) -> StaffProposal:
    """Return a proposal as the contract's message."""
    decided, ended = proposal.decided_at, proposal.ended_at
    return StaffProposal(
        proposal_id=spell(proposal.proposal_id),
        kind=proposal.kind,
        content=json.dumps(dict(proposal.content), sort_keys=True),
        reason=proposal.reason,
        state=StaffProposal.State.ValueType(proposal.state),
        proposed_by=str(proposal.proposed_by),
        propose_time=to_timestamp(proposal.proposed_at),
        expire_time=to_timestamp(proposal.expires_at),
        decided_by=str(proposal.decided_by) if proposal.decided_by else None,
        decide_time=to_timestamp(decided) if decided else None,
        decision_note=proposal.note,
        end_time=to_timestamp(ended) if ended else None,
        result=proposal.result,
    )


def proposal_changed(proposal: Proposal, spell: Spell) -> NewEvent:
    """Return what a step of a proposal tells."""
    changed = StaffProposalChanged(proposal=to_proposal(proposal, spell))
    return new_event(PROPOSALS, Event(staff_proposal_changed=changed))
