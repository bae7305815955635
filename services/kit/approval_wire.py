"""Proposals as messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import UUID

from services.kit.approval import Proposal
from services.kit.journal import NewEvent, new_event
from services.kit.wire import to_timestamp
from veritick.event.v1.event_pb2 import Event, StaffProposalChanged
from veritick.type.v1.staff_proposal_pb2 import StaffProposal

PROPOSALS = "proposals"
"""The journal subject of what is proposed."""

Spell = Callable[[UUID], str]
"""Writes the id of a proposal: as it is, or within the scope that owns it."""


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
