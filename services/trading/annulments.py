"""Annulling results: whether what a banned user won or lost may be taken back, and how much it is.

Source: rules.md, "Fraud and bans". Orders keep their outcomes and receipts; what is taken back is
the result of whole days, as an adjustment that one person proposes and another approves.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from services.kit.database import Database
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.values import Money
from services.trading.book import Account

_BANNED = text(
    "SELECT FROM blocked_user WHERE user_id = :user_id AND (until IS NULL OR until > :now)"
)
_RESULT = text(
    "SELECT coalesce(sum(returned - stakes), 0)::bigint FROM account_statistics "
    "WHERE account_id = :account_id AND day BETWEEN :first AND :last"
)
# Dates in ISO 8601 are in order as texts. Proposals that were rejected or withdrawn, failed or
# expired do not count: nothing was annulled by them.
_OVERLAPPING = text(
    """
    SELECT proposal_id FROM proposal
    WHERE kind = 'adjustment' AND content ->> 'account_id' = :account_id
      AND content ->> 'first_date' <= :last AND content ->> 'last_date' >= :first
      AND state IN (1, 2, 3)
      AND (CAST(:before AS uuid) IS NULL OR proposal_id < :before)
    ORDER BY proposal_id LIMIT 1
    """
)


class Days(NamedTuple):
    """Whole days, UTC, the last one included."""

    first: date
    last: date


class Annulments:
    """Looks at what would be annulled in one book."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def amount(self, account: Account, days: Days) -> Money:
        """Return what the account would receive: the opposite of its result on these days.

        Failures: INVALID_TIME_RANGE, USER_NOT_BANNED, ACCOUNT_HAS_OPEN_ORDERS, ALREADY_ANNULLED.
        """
        if days.last < days.first:
            raise Failure(Reason.INVALID_TIME_RANGE, "The last day lies before the first.")
        if account.open_orders:
            metadata = {"open_orders": str(account.open_orders)}
            message = "Open orders close first: their results are not known yet."
            raise Failure(Reason.ACCOUNT_HAS_OPEN_ORDERS, message, metadata=metadata)
        await self._require_banned(account.user_id)
        await self.require_first(account.account_id, days)
        values = {"account_id": account.account_id, **days._asdict()}
        async with self._database.connection() as connection:
            result: int = (await connection.execute(_RESULT, values)).scalar_one()
        return Money(-result, account.currency)

    async def require_first(self, account_id: UUID, days: Days, before: UUID | None = None) -> None:
        """Raise ALREADY_ANNULLED if another proposal, made `before` one, is about such a day."""
        values = {
            "account_id": str(account_id),
            "first": days.first.isoformat(),
            "last": days.last.isoformat(),
            "before": before,
        }
        async with self._database.connection() as connection:
            earlier = (await connection.execute(_OVERLAPPING, values)).scalar_one_or_none()
        if earlier is not None:
            message = "Results of these days are being annulled, or were."
            metadata = {"proposal_id": str(earlier)}
            raise Failure(Reason.ALREADY_ANNULLED, message, metadata=metadata)

    async def _require_banned(self, user_id: UUID) -> None:
        values = {"user_id": user_id, "now": self._now()}
        async with self._database.connection() as connection:
            banned = (await connection.execute(_BANNED, values)).first() is not None
        if not banned:
            message = "Only results of a user who is banned are annulled."
            raise Failure(Reason.USER_NOT_BANNED, message)
