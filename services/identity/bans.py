"""Bans: who was shut out, why, by whom and until when (rules.md, "Fraud and bans")."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import users
from services.identity.ground import Ground
from services.identity.letter import LetterKind, moment
from services.identity.notices import Notices
from services.identity.session import EndReason
from services.identity.signing_out import SigningOut
from services.identity.staffing import existing
from services.identity.user import User
from services.identity.wire import user_changed
from services.kit.audit import audited
from services.kit.errors import Failure, Violation
from services.kit.reason import Reason

_metadata = sa.MetaData()

bans = sa.Table(
    "bans",
    _metadata,
    sa.Column("ban_id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid),
    sa.Column("reason", sa.Text),
    sa.Column("banned_by", sa.Uuid),
    sa.Column("banned_at", sa.DateTime(timezone=True)),
    sa.Column("until", sa.DateTime(timezone=True)),
    sa.Column("lifted_by", sa.Uuid),
    sa.Column("lifted_at", sa.DateTime(timezone=True)),
    sa.Column("lift_reason", sa.Text),
)
_log = structlog.stdlib.get_logger()


class Bans:
    """Bans users and lifts bans. A user has one ban at a time: another takes its place."""

    def __init__(self, ground: Ground, signing_out: SigningOut, notices: Notices) -> None:
        self._database = ground.database
        self._journal = ground.journal
        self._clock = ground.clock
        self._ids = ground.ids
        self._signing_out = signing_out
        self._notices = notices

    async def ban(
        self, user_id: UUID, *, reason: str, person: UUID, until: datetime | None
    ) -> User:
        """Shut a user out, for good or `until` a moment, and end everything he is signed in with.

        Failures: USER_NOT_FOUND, SAME_PERSON for oneself, INVALID_REQUEST for a moment of the past.
        """
        now = self._clock.now()
        if user_id == person:
            raise Failure(Reason.SAME_PERSON, "Nobody bans himself.")
        if until is not None and until <= now:
            violation = Violation("until_time", "must lie in the future")
            raise Failure(
                Reason.INVALID_REQUEST, "until_time must lie in the future.", violations=[violation]
            )
        row = {
            "ban_id": self._ids(),
            "user_id": user_id,
            "reason": reason,
            "banned_by": person,
            "banned_at": now,
            "until": until,
        }
        async with self._database.transaction() as connection:
            await existing(connection, user_id, lock=True)
            await _lift(connection, user_id, person, now, "replaced by another ban")
            await connection.execute(sa.insert(bans).values(row))
            await self._signing_out.end_all_in(connection, user_id, EndReason.BLOCKED)
            user = await self._told(connection, user_id, reason, banned=True, banned_until=until)
        self._journal.notify()
        _log.warning("user banned", user_id=str(user_id), by=str(person))
        return user

    async def lift(self, user_id: UUID, *, reason: str, person: UUID) -> User:
        """Let a user in again; who is not banned stays so. Failure USER_NOT_FOUND."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            user = await existing(connection, user_id, lock=True)
            if not user.banned:
                return user
            await _lift(connection, user_id, person, now, reason)
            user = await self._told(connection, user_id, reason, banned=False, banned_until=None)
        self._journal.notify()
        return user

    async def _told(
        self, connection: AsyncConnection, user_id: UUID, reason: str, **columns: object
    ) -> User:
        now = self._clock.now()
        await users.change(connection, user_id, **columns)
        user = await users.renew_authority(connection, user_id, now)
        action = "user.ban" if user.banned else "user.unban"
        record = audited(action, f"user:{user_id}", now, after=columns, reason=reason)
        await self._journal.append(connection, [user_changed(user), record], now)
        await self._notices.write(connection, *_letter(user))
        return user


def _letter(user: User) -> tuple[LetterKind, UUID, dict[str, str]]:
    """Return what a user is written about a ban. Its reason is staff's and stays with them."""
    if not user.banned:
        return LetterKind.BAN_LIFTED, user.user_id, {}
    if user.banned_until is None:
        return LetterKind.BANNED, user.user_id, {}
    return LetterKind.SUSPENDED, user.user_id, {"until": moment(user.banned_until)}


async def _lift(
    connection: AsyncConnection, user_id: UUID, person: UUID, now: datetime, reason: str
) -> None:
    change = (
        sa.update(bans)
        .where(bans.c.user_id == user_id, bans.c.lifted_at.is_(None))
        .values(lifted_by=person, lifted_at=now, lift_reason=reason)
    )
    await connection.execute(change)
