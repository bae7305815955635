"""Lists of proposals: by state, page by page, alike wherever proposals are made."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.kit.approval import Proposal, State
from services.kit.approval_wire import asked
from services.kit.errors import Failure
from services.kit.reason import Reason
from veritick.identity.v1.role_service_pb2 import ListRoleProposalsRequest

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def proposal(number: int) -> Proposal:
    return Proposal(
        proposal_id=UUID(int=number),
        kind="role.grant",
        content={},
        reason="",
        state=State.PENDING,
        proposed_by=UUID(int=1),
        request_id=UUID(int=number),
        proposed_at=NOON,
        expires_at=NOON,
    )


def test_a_page_begins_where_the_one_before_it_ended() -> None:
    found = [proposal(9), proposal(8)]
    first = asked(ListRoleProposalsRequest(page_size=2))
    second = asked(ListRoleProposalsRequest(page_size=2, page_token=first.following(found)))
    assert (first.state, first.before, first.limit) == (None, None, 2)
    assert second.before == UUID(int=8)
    assert second.following(found[:1]) == ""


def test_a_filter_names_a_state_and_what_else_the_list_knows() -> None:
    assert asked(ListRoleProposalsRequest(filter="state=WITHDRAWN")).state is State.WITHDRAWN
    both = ListRoleProposalsRequest(filter="state=PENDING AND kind=role.grant")
    assert asked(both, "kind").state is State.PENDING


@pytest.mark.parametrize("text", ["state=LOST", "kind=role.grant", "state"])
def test_a_filter_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(Failure) as refused:
        asked(ListRoleProposalsRequest(filter=text))
    assert refused.value.reason is Reason.INVALID_FILTER
