"""Four eyes: what one person proposes happens when another has approved it, once.

A service names the kinds of things that may be proposed, and how each is carried out (`Execute`).
Every step is stored and journalled in one transaction. Carrying out comes after the transaction
that approved, under the proposal's id as its request id: a crash in between leaves the proposal
APPROVED, and `carry_on` does it again, which an idempotent `Execute` answers with the first
result. A refusal ends it as FAILED; an outage, or a fault of ours, leaves it to be carried on.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kit.approval import (
    Proposal,
    State,
    check_decision,
    check_withdrawal,
    is_same,
    was_decided,
    was_withdrawn,
)
from services.kit.approval_wire import Spell, proposal_changed
from services.kit.audit import By, audited, by_caller, nameless
from services.kit.contract import reason_rule
from services.kit.database import Database
from services.kit.errors import Failure
from services.kit.ids import Ids
from services.kit.journal import Journal
from services.kit.principal import caller
from services.kit.reason import Reason

OPEN_FOR = timedelta(days=3)
"""A proposal that nobody decided expires: it was made for the circumstances of its day."""

CARRY_ON_MAX = 100

Execute = Callable[[Proposal], Awaitable[str]]
"""Does what was approved, idempotent by `proposal_id`, and returns the id of what was done."""

_COLUMNS = ", ".join(Proposal._fields)
_INSERT = text(
    "INSERT INTO proposal (proposal_id, kind, content, reason, proposed_by, request_id, "
    "proposed_at, expires_at, state, note, result) "
    "VALUES (:proposal_id, :kind, CAST(:content AS jsonb), :reason, :proposed_by, :request_id, "
    ":proposed_at, :expires_at, :state, :note, :result) ON CONFLICT DO NOTHING"
)
_ASKED = text(
    f"SELECT {_COLUMNS} FROM proposal WHERE proposed_by = :proposed_by AND request_id = :request_id"
)
_GET = f"SELECT {_COLUMNS} FROM proposal WHERE proposal_id = :proposal_id AND kind = :kind"
_LOCK = text(f"{_GET} FOR UPDATE")
_PAGE = text(
    f"SELECT {_COLUMNS} FROM proposal WHERE kind = :kind "
    "AND (CAST(:state AS smallint) IS NULL OR state = :state) "
    "AND (CAST(:before AS uuid) IS NULL OR proposal_id < :before) "
    "ORDER BY proposal_id DESC LIMIT :limit"
)
_UNFINISHED = text(
    f"SELECT {_COLUMNS} FROM proposal "
    "WHERE state = 2 OR (state = 1 AND expires_at <= :now) ORDER BY proposal_id LIMIT :limit"
)
_STORE = text(
    "UPDATE proposal SET state = :state, decided_by = :decided_by, decided_at = :decided_at, "
    "note = :note, ended_at = :ended_at, result = :result WHERE proposal_id = :proposal_id"
)
_log = structlog.stdlib.get_logger()


class Approvals:
    """The proposals in one database; its table is made by `kit.schema`."""

    def __init__(
        self,
        *,
        database: Database,
        journal: Journal,
        ids: Ids,
        now: Callable[[], datetime],
        kinds: Mapping[str, Execute],
        spell: Spell = str,
    ) -> None:
        """Carry out `kinds`; `spell` writes a proposal's id where others read it."""
        self._database = database
        self._journal = journal
        self._ids = ids
        self._now = now
        self._kinds = kinds
        self._spell = spell

    async def propose(
        self,
        kind: str,
        content: Mapping[str, str | int],
        *,
        reason: str,
        person: UUID,
        request_id: UUID,
    ) -> Proposal:
        """Store a proposal, or return the one made under this person's request id before.

        Failure REQUEST_ID_REUSED when that one asks for something else.
        """
        now = self._now()
        proposal = Proposal(
            proposal_id=self._ids(),
            kind=kind,
            content=content,
            reason=nameless(reason),
            proposed_by=person,
            request_id=request_id,
            proposed_at=now,
            expires_at=now + OPEN_FOR,
            state=int(State.PENDING),
        )
        values = proposal._asdict() | {"content": json.dumps(content)}
        async with self._database.transaction() as connection:
            if (await connection.execute(_INSERT, values)).rowcount:
                await self._tell(connection, proposal, now)
            else:
                rows = await connection.execute(_ASKED, values)
                proposal = _first_answer(Proposal(*rows.one()), proposal)
        self._journal.notify()
        return proposal

    async def approve(self, kind: str, proposal_id: UUID, person: UUID, note: str) -> Proposal:
        """Approve a proposal and carry it out; it is still APPROVED where that has to wait.

        Failures: PROPOSAL_NOT_FOUND, PROPOSAL_NOT_PENDING, SAME_PERSON.
        """
        decided = await self._decide(kind, proposal_id, State.APPROVED, person, note)
        return await self._carry_out(decided) if decided.state == State.APPROVED else decided

    async def reject(self, kind: str, proposal_id: UUID, person: UUID, note: str) -> Proposal:
        """Reject a proposal for good. Failures: as of `approve`."""
        return await self._decide(kind, proposal_id, State.REJECTED, person, note)

    async def withdraw(self, kind: str, proposal_id: UUID, person: UUID, note: str) -> Proposal:
        """Take back what this person proposed, before anybody has decided it.

        Failures: PROPOSAL_NOT_FOUND, PROPOSAL_NOT_PENDING, NOT_PROPOSER.
        """
        now = self._now()
        async with self._database.transaction() as connection:
            proposal = await _locked(connection, kind, proposal_id)
            if was_withdrawn(proposal, person):
                return proposal
            check_withdrawal(proposal, person, now)
            withdrawn = proposal._replace(
                state=int(State.WITHDRAWN), note=nameless(note), ended_at=now
            )
            await self._store(connection, withdrawn, now)
        self._journal.notify()
        return withdrawn

    async def earlier(self, person: UUID, request_id: UUID) -> Proposal | None:
        """Return what this person proposed under a request id, if he did.

        What is repeated is not held to the rules again that it had passed: it is answered first.
        """
        values = {"proposed_by": person, "request_id": request_id}
        async with self._database.connection() as connection:
            row = (await connection.execute(_ASKED, values)).first()
        return None if row is None else Proposal(*row)

    async def get(self, kind: str, proposal_id: UUID) -> Proposal:
        """Return a proposal of a kind. Failure PROPOSAL_NOT_FOUND."""
        async with self._database.connection() as connection:
            rows = await connection.execute(text(_GET), _key(kind, proposal_id))
            return _found(rows.first())

    async def page(
        self, kind: str, state: State | None, before: UUID | None, limit: int
    ) -> list[Proposal]:
        """Return proposals of a kind, newest first, those older than `before`."""
        condition = {"kind": kind, "state": state, "before": before, "limit": limit}
        async with self._database.connection() as connection:
            return [Proposal(*row) for row in await connection.execute(_PAGE, condition)]

    async def carry_on(self) -> None:
        """Carry out what was approved and is not done yet, and end what nobody decided in time."""
        condition = {"now": self._now(), "limit": CARRY_ON_MAX}
        async with self._database.connection() as connection:
            rows = (await connection.execute(_UNFINISHED, condition)).fetchall()
        for proposal in (Proposal(*row) for row in rows):
            if proposal.state == State.APPROVED:
                await self._carry_out(proposal)
            else:
                await self._end(proposal, State.EXPIRED, "")

    async def _decide(
        self, kind: str, proposal_id: UUID, state: State, person: UUID, note: str
    ) -> Proposal:
        now = self._now()
        async with self._database.transaction() as connection:
            proposal = await _locked(connection, kind, proposal_id)
            if was_decided(proposal, state, person):
                return proposal
            check_decision(proposal, person, now)
            decided = proposal._replace(
                state=int(state), decided_by=person, decided_at=now, note=nameless(note)
            )
            if state is State.REJECTED:
                decided = decided._replace(ended_at=now)
            await self._store(connection, decided, now)
        self._journal.notify()
        return decided

    async def _carry_out(self, proposal: Proposal) -> Proposal:
        try:
            result = await self._kinds[proposal.kind](proposal)
        except Failure as failure:
            if failure.reason is Reason.INTERNAL or reason_rule(failure.reason).retryable:
                _log.warning("an approved proposal waits", **_labels(proposal), reason=str(failure))
                return proposal
            return await self._end(proposal, State.FAILED, f"{failure.reason}: {failure.message}")
        return await self._end(proposal, State.EXECUTED, result)

    async def _end(self, proposal: Proposal, state: State, result: str) -> Proposal:
        """Note how it ended, unless somebody else did meanwhile."""
        now = self._now()
        async with self._database.transaction() as connection:
            present = await _locked(connection, proposal.kind, proposal.proposal_id)
            if present.state != proposal.state:
                return present
            ended = present._replace(state=int(state), ended_at=now, result=result)
            await self._store(connection, ended, now)
        self._journal.notify()
        return ended

    async def _store(self, connection: AsyncConnection, proposal: Proposal, now: datetime) -> None:
        await connection.execute(_STORE, proposal._asdict())
        await self._tell(connection, proposal, now)

    async def _tell(self, connection: AsyncConnection, proposal: Proposal, now: datetime) -> None:
        subject = f"proposal:{self._spell(proposal.proposal_id)}"
        step = f"{proposal.kind}.{State(proposal.state).name.lower()}"
        words = proposal.note or proposal.reason
        content = {"content": proposal.content}
        record = audited(step, subject, now, by=_by(proposal), after=content, reason=words)
        told = proposal_changed(proposal, self._spell)
        await self._journal.append(connection, [told, record], now)


def _by(proposal: Proposal) -> By:
    """Return who takes a step: the caller, or for what is carried on later, who approved it."""
    if caller().kind != "anonymous":
        return by_caller()
    return By(f"user:{proposal.decided_by}" if proposal.decided_by else "rule:expiry")


async def _locked(connection: AsyncConnection, kind: str, proposal_id: UUID) -> Proposal:
    return _found((await connection.execute(_LOCK, _key(kind, proposal_id))).first())


def _found(row: object) -> Proposal:
    if row is None:
        raise Failure(Reason.PROPOSAL_NOT_FOUND, "There is no such proposal.")
    return Proposal(*row)  # type: ignore[misc]


def _first_answer(earlier: Proposal, asked: Proposal) -> Proposal:
    if not is_same(earlier, asked):
        metadata = {"request_id": str(asked.request_id)}
        message = "This request id was used for another proposal."
        raise Failure(Reason.REQUEST_ID_REUSED, message, metadata=metadata)
    return earlier


def _key(kind: str, proposal_id: UUID) -> dict[str, object]:
    return {"kind": kind, "proposal_id": proposal_id}


def _labels(proposal: Proposal) -> dict[str, str]:
    return {"proposal": str(proposal.proposal_id), "kind": proposal.kind}
