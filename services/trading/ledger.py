"""The ledger as it is read: statements and the trial balance."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from services.kit.database import Database

_STATEMENT = """
    SELECT entry_id, transfer_id, kind, amount, currency, balance, order_id, time FROM entry
    WHERE account_id = :account_id AND balance IS NOT NULL
      AND entry_id < :before {kind} ORDER BY entry_id DESC LIMIT :limit
"""
_TRIAL_BALANCE = """
    SELECT side, currency, sum(amount)::bigint
    FROM (
        SELECT account_id AS side, currency, amount FROM entry WHERE balance IS NULL
        UNION ALL
        SELECT contra_account_id, currency, -amount FROM entry
    ) movements
    GROUP BY side, currency
    UNION ALL
    SELECT NULL, currency, sum(posted)::bigint FROM account GROUP BY currency
    ORDER BY 2, 1
"""
NEWEST = 2**63 - 1
"""Before this entry id lie all of them."""


class StatementLine(NamedTuple):
    """One line of a user's statement. Amounts are in minor units."""

    entry_id: int
    transfer_id: UUID
    kind: int
    amount: int
    currency: str
    balance: int
    order_id: UUID | None
    time: datetime


class TrialBalanceLine(NamedTuple):
    """The balance of a system account, or of all users together when it names none."""

    account_id: UUID | None
    currency: str
    balance: int


class Ledger:
    """Reads one book's ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def statement(
        self, account_id: UUID, kind: int | None, before: int, limit: int
    ) -> list[StatementLine]:
        """Return an account's entries, newest first, those before an entry id."""
        query = _STATEMENT.format(kind="" if kind is None else "AND kind = :kind")
        parameters = {"account_id": account_id, "before": before, "limit": limit, "kind": kind}
        async with self._database.connection() as connection:
            rows = await connection.execute(text(query), parameters)
            return [StatementLine(*row) for row in rows]

    async def trial_balance(self) -> list[TrialBalanceLine]:
        """Return the balance of every system account and of all users; they sum to zero."""
        async with self._database.connection() as connection:
            rows = await connection.execute(text(_TRIAL_BALANCE))
            return [TrialBalanceLine(*row) for row in rows]
