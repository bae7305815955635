"""Erasing users: asked for by them or by staff, taken back while it waits, carried out by a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import api_keys, erasures, letters, protections, users
from services.identity.document_store import DocumentStore
from services.identity.erasure import (
    RETRY,
    Erasure,
    Obstacle,
    State,
    Step,
    barred_until,
    keeps_address,
    next_step,
    require_clear,
)
from services.identity.forgetting import destroy_documents, forget
from services.identity.ground import Ground
from services.identity.letter import LetterKind, moment
from services.identity.neighbours import Accounts
from services.identity.permission import Role
from services.identity.post import NO_FACTS, Post
from services.identity.session import EndReason
from services.identity.signing_out import SigningOut
from services.identity.staffing import existing
from services.identity.trace import Bounds
from services.identity.user import User, address_key
from services.identity.vault import Vault
from services.identity.wire import api_key_ended, user_changed, user_erased
from services.kit.approval import Proposal
from services.kit.audit import By, audited
from services.kit.contract import reason_rule
from services.kit.errors import Failure
from services.kit.jobs import Job
from services.kit.reason import Reason

ERASE = "user.erase"
"""The kind of the proposals, and what it is called on record."""

_EVERY = timedelta(seconds=5)
_TOGETHER = 100
_BY_TIME = By("rule:erasure")
_log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True)
class Pace:
    """How long an erasure takes."""

    wait: timedelta
    """From asking to the first step."""

    pause: timedelta
    """Between the steps."""


class Erasing:
    """Has users erased."""

    def __init__(
        self,
        ground: Ground,
        pace: Pace,
        *,
        signing_out: SigningOut,
        post: Post,
        accounts: Accounts | None,
        vault: Vault,
        store: DocumentStore | None,
        bounds: Bounds,
    ) -> None:
        self._ground = ground
        self._database = ground.database
        self._journal = ground.journal
        self._clock = ground.clock
        self.pace = pace
        self._signing_out = signing_out
        self._post = post
        self._accounts = accounts
        self._vault = vault
        self._store = store
        self._bounds = bounds

    async def standing(self, user_id: UUID) -> tuple[Erasure | None, set[Obstacle]]:
        """Return the erasure of a user that waits, and what stands in the way of one."""
        async with self._database.connection() as connection:
            going_on = await erasures.going_on(connection, user_id)
        return going_on, await self._obstacles(user_id)

    async def ask(self, user_id: UUID, *, by_staff: bool = False) -> Erasure:
        """Let a user be erased after the waiting period; asked again, the first request counts.

        Failures: USER_NOT_FOUND, ERASURE_OBSTRUCTED.
        """
        require_clear(await self._obstacles(user_id))
        now = self._clock.now()
        asked = Erasure(
            self._ground.ids(), user_id, State.WAITING, by_staff, now, now + self.pace.wait, now
        )
        async with self._database.transaction() as connection:
            user = await existing(connection, user_id, lock=True)
            if earlier := await erasures.going_on(connection, user_id):
                return earlier
            await erasures.add(connection, asked)
            facts = {"due": moment(asked.due_at)}
            await self._write_to(connection, user, LetterKind.ERASURE_ASKED, facts)
            after = {"erasure": str(asked.erasure_id), "due": asked.due_at, "byStaff": by_staff}
            record = audited("user.erase.ask", f"user:{user_id}", now, after=after)
            await self._journal.append(connection, [record], now)
        self._told()
        return asked

    async def withdraw(self, user_id: UUID) -> Erasure:
        """Take back an erasure that waits. Failure ERASURE_NOT_FOUND."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            waiting = await erasures.going_on(connection, user_id, lock=True)
            if waiting is None or waiting.state is not State.WAITING:
                raise Failure(Reason.ERASURE_NOT_FOUND, "Nothing waits that you could take back.")
            withdrawn = await erasures.step(connection, waiting, State.WITHDRAWN, now)
            user = await users.find(connection, user_id)
            await self._write_to(connection, user, LetterKind.ERASURE_WITHDRAWN)
            after = {"erasure": str(waiting.erasure_id)}
            record = audited("user.erase.withdraw", f"user:{user_id}", now, after=after)
            await self._journal.append(connection, [record], now)
        self._told()
        return withdrawn

    async def carry_out(self, proposal: Proposal) -> str:
        """Ask for what staff have approved; what waits already is what they wanted."""
        asked = await self.ask(UUID(str(proposal.content["user_id"])), by_staff=True)
        return str(asked.erasure_id)

    async def require_possible(self, user_id: UUID) -> None:
        """Refuse what can not be done. Failures: USER_NOT_FOUND, ERASURE_OBSTRUCTED."""
        require_clear(await self._obstacles(user_id))

    def job(self) -> Job:
        """Return the carrying out as a job; it bears being repeated."""
        return Job("erase-users", _EVERY, self.run)

    async def run(self) -> None:
        """Take every step whose time has come."""
        async with self._database.connection() as connection:
            due = await erasures.unfinished(connection, self._clock.now(), _TOGETHER)
        for erasure in due:
            try:
                await self._advance(erasure)
            except Failure as failure:
                if not reason_rule(failure.reason).retryable:
                    raise
                _log.warning("an erasure waits", **_labels(erasure), reason=failure.reason)

    async def _advance(self, erasure: Erasure) -> None:
        steps = {
            Step.SHUT_OUT: self._shut_out,
            Step.CLOSE_ACCOUNTS: self._close_accounts,
            Step.FORGET: self._forget,
        }
        current: Erasure | None = erasure
        while current is not None:
            step = next_step(current, self._clock.now(), self.pace.pause)
            current = await steps[step](current) if step else None

    async def _shut_out(self, erasure: Erasure) -> Erasure | None:
        """Sign the user out for good; None when something stands in the way, which is waited for.

        From here on nobody takes it back.
        """
        obstacles, now = await self._obstacles(erasure.user_id), self._clock.now()
        async with self._database.transaction() as connection:
            waiting = await self._locked(connection, erasure)
            if waiting is None:
                return None
            if obstacles:
                due = now + RETRY
                await erasures.step(connection, waiting, State.WAITING, now, due_at=due)
                _log.info("an erasure is obstructed", **_labels(erasure), obstacles=obstacles)
                return None
            await self._end_access(connection, erasure.user_id)
            user = await self._set_closed(connection, erasure.user_id, closed=True)
            await self._write_to(connection, user, LetterKind.ERASURE_BEGUN)
            closing = await erasures.step(connection, waiting, State.CLOSING, now)
        self._told()
        return closing

    async def _close_accounts(self, erasure: Erasure) -> Erasure | None:
        """Close the accounts; let the user in again when an order slipped in before."""
        obstacles = set[Obstacle]()
        if self._accounts is not None:
            obstacles = await self._accounts.close(erasure.user_id)
        now = self._clock.now()
        async with self._database.transaction() as connection:
            closing = await self._locked(connection, erasure)
            if closing is None:
                return None
            if not obstacles:
                return await erasures.step(connection, closing, State.CLOSED, now)
            await self._set_closed(connection, erasure.user_id, closed=False)
            due = now + RETRY
            await erasures.step(connection, closing, State.WAITING, now, due_at=due)
        self._told()
        return None

    async def _forget(self, erasure: Erasure) -> Erasure | None:
        user_id, now = erasure.user_id, self._clock.now()
        async with self._database.connection() as connection:
            user = await users.find(connection, user_id)
            waiting = await letters.waiting(connection, address_key(user.email) or "")
        if keeps_address(erasure, now, letters_waiting=waiting):
            return None
        await destroy_documents(self._ground, self._store, user_id)
        async with self._database.transaction() as connection:
            closed = await self._locked(connection, erasure)
            if closed is None:
                return None
            await self._bar(connection, user)
            await forget(connection, user_id, self._bounds, now)
            record = audited(ERASE, f"user:{user_id}", now, by=_BY_TIME)
            changed = user_changed(await users.find(connection, user_id))
            await self._journal.append(
                connection, [changed, user_erased(user_id, now), record], now
            )
            done = await erasures.step(connection, closed, State.DONE, now)
        self._told()
        _log.info("user erased", **_labels(erasure))
        return done

    async def _locked(self, connection: AsyncConnection, erasure: Erasure) -> Erasure | None:
        """Return an erasure, locked, unless it has come further meanwhile."""
        present = await erasures.going_on(connection, erasure.user_id, lock=True)
        return present if present == erasure else None

    async def _obstacles(self, user_id: UUID) -> set[Obstacle]:
        async with self._database.connection() as connection:
            user = await existing(connection, user_id)
        if user.erased_at is not None:
            raise Failure(Reason.USER_NOT_FOUND, "This user was erased.")
        own = {Obstacle.STAFF_ROLE} if set(user.roles) - {Role.TRADER} else set[Obstacle]()
        if self._accounts is None:
            return own
        return own | await self._accounts.obstacles(user_id)

    async def _end_access(self, connection: AsyncConnection, user_id: UUID) -> None:
        """End sessions and keys: it is heard everywhere within a second."""
        now = self._clock.now()
        await self._signing_out.end_all_in(connection, user_id, EndReason.ERASED)
        for key in await api_keys.live(connection, user_id, now):
            await api_keys.end(connection, key.key_id, now)
            await self._journal.append(connection, [api_key_ended(key, now)], now)

    async def _set_closed(
        self, connection: AsyncConnection, user_id: UUID, *, closed: bool
    ) -> User:
        now = self._clock.now()
        await users.change(connection, user_id, closed_at=now if closed else None)
        user = await users.renew_authority(connection, user_id, now)
        action = "user.close" if closed else "user.reopen"
        record = audited(action, f"user:{user_id}", now, by=_BY_TIME)
        await self._journal.append(connection, [user_changed(user), record], now)
        return user

    async def _bar(self, connection: AsyncConnection, user: User) -> None:
        """Let a ban or a self-exclusion go on to keep the address out."""
        now = self._clock.now()
        protection = await protections.latest(connection, user.user_id)
        barred, until = barred_until(
            now,
            protection.excluded_until,
            banned=user.banned,
            banned_until=user.banned_until,
        )
        if barred:
            mark = self._vault.marks(address_key(user.email) or "")[0]
            await erasures.bar(connection, mark, until)

    async def _write_to(
        self,
        connection: AsyncConnection,
        user: User,
        kind: LetterKind,
        facts: Mapping[str, str] = NO_FACTS,
    ) -> None:
        await self._post.queue(connection, kind, address_key(user.email) or "", facts)

    def _told(self) -> None:
        self._journal.notify()
        self._post.hurry()


def _labels(erasure: Erasure) -> dict[str, str]:
    return {"erasure": str(erasure.erasure_id), "user_id": str(erasure.user_id)}
