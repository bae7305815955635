"""The table `blocked_user`: who may not trade now, as identity's journal tells (check 3)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kit.errors import Failure
from services.kit.reason import Reason

_BLOCK = text(
    "INSERT INTO blocked_user (user_id, until) VALUES (:user_id, :until) "
    "ON CONFLICT (user_id) DO UPDATE SET until = excluded.until"
)
_UNBLOCK = text("DELETE FROM blocked_user WHERE user_id = :user_id")


async def note_block(
    connection: AsyncConnection, user_id: UUID, *, blocked: bool, until: datetime | None
) -> None:
    """Remember whether a user is blocked, for good when `until` no moment; in one's transaction."""
    if blocked:
        await connection.execute(_BLOCK, {"user_id": user_id, "until": until})
    else:
        await connection.execute(_UNBLOCK, {"user_id": user_id})


def check_blocked(until: datetime | None, now: datetime) -> None:
    """Raise USER_BLOCKED while a block lasts: for good when `until` no moment."""
    if until is None or now < until:
        metadata = {"until": until.isoformat()} if until else {}
        raise Failure(Reason.USER_BLOCKED, "You may not trade now.", metadata=metadata)
