"""Four eyes on a real database: what was approved happens once, whatever fails in between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio

from services.kit.approval import Proposal, State
from services.kit.approvals import OPEN_FOR, Approvals
from services.kit.clock import ManualClock, utc
from services.kit.database import Database
from services.kit.errors import Failure
from services.kit.ids import uuid7
from services.kit.journal import Journal
from services.kit.reason import Reason
from services.kit.settings import DatabaseSettings
from veritick.event.v1.event_pb2 import Event
from veritick.type.v1.staff_proposal_pb2 import StaffProposal

pytest_plugins = ["tests.service.kit_fixtures"]

NOON = utc(2026, 11, 23, 12)
KIND = "note"


@dataclass
class Desk:
    """Where staff propose notes, and what was written by now."""

    database: Database
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOON))
    written: dict[UUID, str] = field(default_factory=dict)
    calls: int = 0
    trouble: list[Exception] = field(default_factory=list)
    """What the next calls meet, the first one first."""

    def __post_init__(self) -> None:
        self.journal = Journal("kit", self.database)
        self.approvals = Approvals(
            database=self.database,
            journal=self.journal,
            ids=uuid7,
            now=self.clock.now,
            kinds={KIND: self.write},
        )

    async def write(self, proposal: Proposal) -> str:
        """Write the note, once."""
        self.calls += 1
        if self.trouble:
            raise self.trouble.pop(0)
        self.written.setdefault(proposal.proposal_id, str(proposal.content["text"]))
        return f"note-{proposal.proposal_id}"

    async def propose(self, person: UUID, request_id: UUID | None = None, note: str = "a") -> UUID:
        proposal = await self.approvals.propose(
            KIND,
            {"text": note},
            reason="it has to be said",
            person=person,
            request_id=request_id or uuid4(),
        )
        return proposal.proposal_id

    async def told(self) -> list[StaffProposal]:
        """Return what the journal says, in order."""
        entries = await self.journal.read(0, 100)
        return [
            Event.FromString(entry.payload).staff_proposal_changed.proposal
            for entry in entries
            if entry.type == "staff.proposal.changed.v1"
        ]


@pytest_asyncio.fixture
async def desk(kit_database: Database) -> AsyncIterator[Desk]:
    yield Desk(kit_database)


ANA, BEN, CAL = uuid4(), uuid4(), uuid4()


async def test_what_another_person_approves_is_done_and_every_step_is_told(desk: Desk) -> None:
    key = await desk.propose(ANA)
    assert desk.written == {}
    done = await desk.approvals.approve(KIND, key, BEN, "looks right")
    assert (done.state, done.result) == (State.EXECUTED, f"note-{key}")
    assert desk.written == {key: "a"}
    told = await desk.told()
    states = [StaffProposal.State.Name(item.state) for item in told]
    assert states == ["PENDING", "APPROVED", "EXECUTED"]
    last = told[-1]
    assert (last.proposed_by, last.decided_by) == (str(ANA), str(BEN))
    assert (last.decision_note, last.reason) == ("looks right", "it has to be said")
    assert json.loads(last.content) == {"text": "a"}
    assert await desk.approvals.get(KIND, key) == done


async def test_nobody_decides_what_he_proposed(desk: Desk, kit_settings: DatabaseSettings) -> None:
    key = await desk.propose(ANA)
    for decide in (desk.approvals.approve, desk.approvals.reject):
        with pytest.raises(Failure) as refused:
            await decide(KIND, key, ANA, "")
        assert refused.value.reason is Reason.SAME_PERSON
    assert (await desk.approvals.get(KIND, key)).state == State.PENDING
    with pytest.raises(psycopg.errors.CheckViolation):
        await change(kit_settings, "state = 2, decided_by = proposed_by, decided_at = now()")


async def change(settings: DatabaseSettings, assignments: str) -> None:
    """Change all proposals, as the service's role."""
    url = settings.database_url.get_secret_value()
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute(f"UPDATE proposal SET {assignments}")


async def test_the_service_cannot_change_what_was_proposed(
    desk: Desk, kit_settings: DatabaseSettings
) -> None:
    await desk.propose(ANA)
    for assignment in ("content = '{}'", "reason = 'x'", "proposed_by = gen_random_uuid()"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await change(kit_settings, assignment)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        url = kit_settings.database_url.get_secret_value()
        async with await psycopg.AsyncConnection.connect(url) as connection:
            await connection.execute("DELETE FROM proposal")


async def test_a_decision_stands(desk: Desk) -> None:
    approved, rejected = await desk.propose(ANA), await desk.propose(ANA)
    await desk.approvals.approve(KIND, approved, BEN, "")
    await desk.approvals.reject(KIND, rejected, BEN, "no")
    for key, state in ((approved, "EXECUTED"), (rejected, "REJECTED")):
        for decide in (desk.approvals.approve, desk.approvals.reject):
            with pytest.raises(Failure) as refused:
                await decide(KIND, key, CAL, "")
            assert refused.value.reason is Reason.PROPOSAL_NOT_PENDING
            assert refused.value.metadata == {"state": state}
    assert list(desk.written) == [approved]


async def test_who_repeats_his_decision_is_answered_with_the_first(desk: Desk) -> None:
    key = await desk.propose(ANA)
    first = await desk.approvals.approve(KIND, key, BEN, "")
    assert await desk.approvals.approve(KIND, key, BEN, "") == first
    assert desk.calls == 1
    other = await desk.propose(ANA)
    no = await desk.approvals.reject(KIND, other, BEN, "no")
    assert await desk.approvals.reject(KIND, other, BEN, "no") == no


async def test_who_proposed_something_takes_it_back_for_good(desk: Desk) -> None:
    key = await desk.propose(ANA)
    with pytest.raises(Failure) as refused:
        await desk.approvals.withdraw(KIND, key, BEN, "not mine")
    assert refused.value.reason is Reason.NOT_PROPOSER

    withdrawn = await desk.approvals.withdraw(KIND, key, ANA, "the wrong account")

    assert (withdrawn.state, withdrawn.ended_at) == (State.WITHDRAWN, desk.clock.now())
    assert (withdrawn.decided_by, withdrawn.note) == (None, "the wrong account")
    assert await desk.approvals.withdraw(KIND, key, ANA, "again") == withdrawn
    for decide in (desk.approvals.approve, desk.approvals.reject):
        with pytest.raises(Failure) as refused:
            await decide(KIND, key, BEN, "")
        assert refused.value.metadata == {"state": "WITHDRAWN"}
    await desk.approvals.carry_on()
    assert desk.written == {}
    states = [StaffProposal.State.Name(item.state) for item in await desk.told()]
    assert states == ["PENDING", "WITHDRAWN"]


async def test_what_was_decided_is_not_taken_back(desk: Desk) -> None:
    key = await desk.propose(ANA)
    desk.trouble = [Failure(Reason.UNAVAILABLE, "away")]
    await desk.approvals.approve(KIND, key, BEN, "")
    with pytest.raises(Failure) as refused:
        await desk.approvals.withdraw(KIND, key, ANA, "too late")
    assert refused.value.metadata == {"state": "APPROVED"}
    await desk.approvals.carry_on()
    assert desk.written == {key: "a"}


async def test_what_was_proposed_is_found_by_its_request_id(desk: Desk) -> None:
    request_id = uuid4()
    assert await desk.approvals.earlier(ANA, request_id) is None
    key = await desk.propose(ANA, request_id)
    earlier = await desk.approvals.earlier(ANA, request_id)
    assert earlier is not None
    assert earlier.proposal_id == key
    assert await desk.approvals.earlier(BEN, request_id) is None


async def test_of_many_who_decide_at_once_one_does(desk: Desk) -> None:
    key = await desk.propose(ANA)
    people = [uuid4() for _ in range(8)]
    decisions = [
        (desk.approvals.approve if number % 2 else desk.approvals.reject)(KIND, key, person, "")
        for number, person in enumerate(people)
    ]
    outcomes = await asyncio.gather(*decisions, return_exceptions=True)
    assert sum(isinstance(outcome, Proposal) for outcome in outcomes) == 1
    assert len(desk.written) <= 1
    assert len(await desk.told()) == (3 if desk.written else 2)


async def test_a_request_id_proposes_once(desk: Desk) -> None:
    request_id = uuid4()
    keys = {await desk.propose(ANA, request_id) for _ in range(3)}
    assert len(keys) == 1
    assert len(await desk.told()) == 1
    with pytest.raises(Failure) as refused:
        await desk.propose(ANA, request_id, note="b")
    assert refused.value.reason is Reason.REQUEST_ID_REUSED
    # Another person's ids are his own.
    assert await desk.propose(BEN, request_id, note="b") not in keys


async def test_an_approval_survives_an_outage_and_is_carried_out_once(desk: Desk) -> None:
    key = await desk.propose(ANA)
    desk.trouble = [Failure(Reason.UNAVAILABLE, "away"), Failure(Reason.INTERNAL, "broken")]
    waiting = await desk.approvals.approve(KIND, key, BEN, "")
    assert waiting.state == State.APPROVED
    await desk.approvals.carry_on()
    assert (await desk.approvals.get(KIND, key)).state == State.APPROVED
    await asyncio.gather(*(desk.approvals.carry_on() for _ in range(4)))
    assert (await desk.approvals.get(KIND, key)).state == State.EXECUTED
    assert desk.written == {key: "a"}
    assert len(await desk.told()) == 3
    calls = desk.calls
    await desk.approvals.carry_on()
    assert desk.calls == calls


async def test_a_crash_between_approval_and_effect_loses_neither(desk: Desk) -> None:
    key = await desk.propose(ANA)
    desk.trouble = [ConnectionResetError("the process is gone")]
    with pytest.raises(ConnectionResetError):
        await desk.approvals.approve(KIND, key, BEN, "")
    assert (await desk.approvals.get(KIND, key)).state == State.APPROVED
    restarted = Desk(desk.database, desk.clock, desk.written)
    await restarted.approvals.carry_on()
    assert (await desk.approvals.get(KIND, key)).state == State.EXECUTED


async def test_what_the_rules_refuse_has_failed_for_good(desk: Desk) -> None:
    key = await desk.propose(ANA)
    desk.trouble = [Failure(Reason.INSUFFICIENT_FUNDS, "too little")]
    failed = await desk.approvals.approve(KIND, key, BEN, "")
    assert (failed.state, failed.result) == (State.FAILED, "INSUFFICIENT_FUNDS: too little")
    await desk.approvals.carry_on()
    assert desk.calls == 1


async def test_what_nobody_decides_in_time_is_over(desk: Desk) -> None:
    key = await desk.propose(ANA)
    desk.clock.advance(OPEN_FOR - timedelta(microseconds=1))
    await desk.approvals.carry_on()
    assert (await desk.approvals.get(KIND, key)).state == State.PENDING
    desk.clock.advance(timedelta(microseconds=1))
    with pytest.raises(Failure) as refused:
        await desk.approvals.approve(KIND, key, BEN, "")
    assert refused.value.metadata == {"state": "EXPIRED"}
    await desk.approvals.carry_on()
    over = await desk.approvals.get(KIND, key)
    assert (over.state, over.decided_by, over.ended_at) == (State.EXPIRED, None, desk.clock.now())


async def test_proposals_are_listed_by_state_newest_first(desk: Desk) -> None:
    keys = [await desk.propose(ANA) for _ in range(5)]
    await desk.approvals.reject(KIND, keys[2], BEN, "no")
    page = await desk.approvals.page(KIND, None, None, 2)
    assert [item.proposal_id for item in page] == [keys[4], keys[3]]
    rest = await desk.approvals.page(KIND, None, page[-1].proposal_id, 9)
    assert [item.proposal_id for item in rest] == [keys[2], keys[1], keys[0]]
    rejected = await desk.approvals.page(KIND, State.REJECTED, None, 9)
    assert [item.proposal_id for item in rejected] == [keys[2]]
    assert await desk.approvals.page("other", None, None, 9) == []
    with pytest.raises(Failure) as refused:
        await desk.approvals.get("other", keys[0])
    assert refused.value.reason is Reason.PROPOSAL_NOT_FOUND


async def test_a_step_that_cannot_be_journalled_is_not_made(
    desk: Desk, kit_settings: DatabaseSettings
) -> None:
    key = await desk.propose(ANA)
    assert kit_settings.migration_url
    with psycopg.connect(kit_settings.migration_url.get_secret_value()) as owner:
        owner.execute("ALTER TABLE journal ADD CHECK (subject <> 'proposals') NOT VALID")
    with pytest.raises(psycopg.errors.CheckViolation):
        await desk.approvals.approve(KIND, key, BEN, "")
    assert (await desk.approvals.get(KIND, key)).state == State.PENDING
    assert desk.written == {}
