"""Users protect themselves, and every book is told before they are answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.identity import protections, sittings, users
from services.identity.ground import Ground
from services.identity.neighbours import Accounts
from services.identity.protection import (
    Action,
    Kind,
    Limit,
    Protection,
    excluded,
    kept,
    limited,
    resting,
)
from services.identity.protection_wire import protection_changed, to_protection
from services.identity.protections import Change
from services.identity.staffing import existing
from services.kit.audit import audited
from services.kit.values import Period

Decide = Callable[[Protection, datetime], Protection]


class Protecting:
    """Keeps what users set to protect themselves."""

    def __init__(self, ground: Ground, currency: str, accounts: Accounts | None) -> None:
        """Amounts are in this currency, that of the books in which the `accounts` are."""
        self._database = ground.database
        self._journal = ground.journal
        self._clock = ground.clock
        self._currency = currency
        self._accounts = accounts

    async def protection(self, user_id: UUID) -> Protection:
        """Return what protects a user now, or will. Failure USER_NOT_FOUND."""
        async with self._database.connection() as connection:
            await existing(connection, user_id)
            found = await protections.latest(connection, user_id)
        return found.at(self._clock.now())

    async def changes(
        self, user_id: UUID, action: Action | None, before: int | None, limit: int
    ) -> list[Change]:
        """Return a user's changes before a version, newest first. Failure USER_NOT_FOUND."""
        async with self._database.connection() as connection:
            await existing(connection, user_id)
            return await protections.changes(connection, user_id, action, before, limit)

    async def limit(self, user_id: UUID, asked: Limit) -> Protection:
        """Set a limit, or remove it."""
        return await self._change(
            user_id, Action.SET_LIMIT, lambda before, now: limited(before, asked, now)
        )

    async def keep(self, user_id: UUID, kind: Kind, period: Period) -> Protection:
        """Call off a change of a limit that does not count yet."""
        return await self._change(
            user_id,
            Action.CANCEL_LIMIT_CHANGE,
            lambda before, now: kept(before, kind, period, now),
        )

    async def rest(self, user_id: UUID, hours: int) -> Protection:
        """Begin a break. Failure PROTECTION_LOCKED while a longer one goes on."""
        return await self._change(
            user_id, Action.TAKE_BREAK, lambda before, now: resting(before, hours, now)
        )

    async def exclude(self, user_id: UUID, months: int) -> Protection:
        """Exclude a user from trading. Failure PROTECTION_LOCKED while he is for longer."""
        return await self._change(
            user_id, Action.EXCLUDE_SELF, lambda before, now: excluded(before, months, now)
        )

    async def remind(self, user_id: UUID, minutes: int) -> Protection:
        """Set after how many minutes of being signed in the user is to be told."""
        return await self._change(
            user_id,
            Action.SET_REALITY_CHECK,
            lambda before, _now: replace(before, reality_check_minutes=minutes),
        )

    async def _change(self, user_id: UUID, action: Action, decide: Decide) -> Protection:
        """Store what was decided, unless it changes nothing, and have the books count it.

        Failure UNAVAILABLE when they do not answer. Then it is stored, and they hear of it from
        the journal; the same again changes nothing more and asks them once more.
        """
        async with self._database.transaction() as connection:
            # The lock keeps simultaneous changes of one user in a row.
            await users.lock(connection, user_id)
            now = self._clock.now()
            before = (await protections.latest(connection, user_id)).at(now)
            after = decide(before, now)
            if after != before:
                after = replace(after, version=before.version + 1)
                await protections.add(connection, Change(action, after, now))
                await sittings.want(connection, user_id, after.reality_check_minutes)
                told = to_protection(after, self._currency)
                was = to_protection(before, self._currency)
                name = f"protection.{action.lower()}"
                record = audited(name, f"user:{user_id}", now, before=was, after=told)
                await self._journal.append(connection, [protection_changed(told), record], now)
        self._journal.notify()
        if self._accounts is not None and after.version:
            await self._accounts.protect(to_protection(after, self._currency))
        return after
