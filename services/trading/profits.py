"""What an account won and lost, by day and instrument, as settling counted it."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from services.kit.database import Database


class DailyProfit(NamedTuple):
    """An account's closed orders of one day and instrument; amounts are in minor units.

    The first fields are the columns of `account_statistics`.
    """

    day: date
    """The day on which they closed, UTC."""

    instrument: str
    orders: int
    winners: int
    losers: int
    refunds: int
    """Draws and voids."""

    stakes: int
    returned: int

    @property
    def profit(self) -> int:
        """What came back less what was paid."""
        return self.returned - self.stakes


class Days(NamedTuple):
    """Which rows are listed: days from `start` to before `end`, None without end on that side."""

    start: date | None
    end: date | None
    instrument: str | None


_PROFITS = f"""
    SELECT {", ".join(DailyProfit._fields)} FROM account_statistics
    WHERE account_id = :account_id
      AND day >= coalesce(CAST(:start AS date), '-infinity')
      AND day < coalesce(CAST(:end AS date), 'infinity')
      AND instrument = coalesce(CAST(:instrument AS text), instrument)
      AND (CAST(:before_day AS date) IS NULL
           OR (day, instrument) < (:before_day, :before_instrument))
    ORDER BY day DESC, instrument DESC LIMIT :limit
"""


class Profits:
    """Reads the statistics of one book's accounts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_day(
        self, account_id: UUID, days: Days, before: tuple[date, str] | None, limit: int
    ) -> list[DailyProfit]:
        """Return an account's profits, newest day first, those before a (day, instrument)."""
        day, instrument = before or (None, None)
        parameters = {"before_day": day, "before_instrument": instrument, "limit": limit}
        async with self._database.connection() as connection:
            rows = await connection.execute(
                text(_PROFITS), {"account_id": account_id, **days._asdict(), **parameters}
            )
            return [DailyProfit(*row) for row in rows]
