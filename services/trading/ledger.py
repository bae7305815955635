"""The ledger as it is read: statements, past balances, transfers and the trial balance.

System accounts have no balance row that every order would contend on. Theirs is a rollup, made now
and then by a job, and the sum of what was entered after it.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from services.kit.database import Database

ROLLUP_AFTER_ENTRIES = 10_000
"""So many new entries are worth a new rollup; so few are quickly summed."""


class Transfer(NamedTuple):
    """A transfer that was asked for and made. The fields are the columns of `transfer`."""

    transfer_id: UUID
    account_id: UUID
    request_id: UUID
    request_hash: bytes
    kind: int
    system: int
    """The other side, a SystemAccount."""

    amount: int
    currency: str
    balance: int
    note: str
    time: datetime


NEWEST = 2**63 - 1
"""Before this entry id lie all of them."""

TRANSFER_COLUMNS = ", ".join(Transfer._fields)
_STATEMENT = """
    SELECT entry_id, transfer_id, kind, amount, currency, balance, order_id, time FROM entry
    WHERE account_id = :account_id AND balance IS NOT NULL
      AND entry_id < :before {condition} ORDER BY entry_id DESC LIMIT :limit
"""
# Seals are few and know when they were made: they tell where to look. The clock of a writer may
# step back a little, and begin a little before the end of its predecessor's: hence the second.
_SINCE = """
    AND time >= :start AND entry_id > coalesce(
        (SELECT last_entry_id FROM seal WHERE time < CAST(:start AS timestamptz) - interval '1 s'
         ORDER BY time DESC, seal_id DESC LIMIT 1), 0)
"""
_UNTIL = f"""
    AND time < :end AND entry_id <= coalesce(
        (SELECT last_entry_id FROM seal WHERE time > CAST(:end AS timestamptz) + interval '1 s'
         ORDER BY time, seal_id LIMIT 1), {NEWEST})
"""
_BALANCE_AT = f"""
    SELECT balance FROM entry
    WHERE account_id = :account_id AND balance IS NOT NULL
      AND time <= :time AND entry_id <= coalesce(
        (SELECT last_entry_id FROM seal WHERE time > CAST(:time AS timestamptz) + interval '1 s'
         ORDER BY time, seal_id LIMIT 1), {NEWEST})
    ORDER BY entry_id DESC LIMIT 1
"""
_TRANSFER = f"SELECT {TRANSFER_COLUMNS} FROM transfer WHERE "
_SYSTEM_BALANCES = """
    WITH newest AS (
        SELECT coalesce(max(last_entry_id), 0) AS last_entry_id FROM rollup
    ), movement AS (
        SELECT account_id, currency, amount FROM entry, newest
        WHERE entry_id > last_entry_id AND balance IS NULL
        UNION ALL
        SELECT contra_account_id, currency, -amount FROM entry, newest
        WHERE entry_id > last_entry_id
        UNION ALL
        SELECT account_id, currency, balance FROM rollup JOIN newest USING (last_entry_id)
    ), system AS (
        SELECT account_id, currency, sum(amount)::bigint AS balance
        FROM movement GROUP BY account_id, currency
    )
"""
TRIAL_BALANCE = f"""
    {_SYSTEM_BALANCES}
    SELECT account_id, currency, balance FROM system
    WHERE CAST(:currency AS text) IS NULL OR currency = :currency
    UNION ALL
    SELECT NULL, currency, sum(posted)::bigint FROM account
    WHERE CAST(:currency AS text) IS NULL OR currency = :currency
    GROUP BY currency
    ORDER BY 2, 1
"""
# A rollup is a set of rows that nobody changes: two that are made at once are the same rows.
_ROLL_UP = f"""
    {_SYSTEM_BALANCES}
    INSERT INTO rollup (last_entry_id, account_id, currency, balance)
    SELECT head.last_entry_id, account_id, currency, balance
    FROM system, newest, (SELECT max(entry_id) AS last_entry_id FROM entry) head
    WHERE head.last_entry_id - newest.last_entry_id >= :worth
    ON CONFLICT DO NOTHING
"""


class EntryFilter(NamedTuple):
    """Which of an account's entries are listed; None is no condition."""

    kind: int | None = None
    order_id: UUID | None = None
    start: datetime | None = None
    """Made at or after it."""

    end: datetime | None = None
    """Made before it."""


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
        self, account_id: UUID, condition: EntryFilter, before: int, limit: int
    ) -> list[StatementLine]:
        """Return an account's entries, newest first, those before an entry id."""
        query = _STATEMENT.format(condition=_condition(condition))
        parameters = {"account_id": account_id, "before": before, "limit": limit}
        parameters |= condition._asdict()
        async with self._database.connection() as connection:
            rows = await connection.execute(text(query), parameters)
            return [StatementLine(*row) for row in rows]

    async def balance_at(self, account_id: UUID, time: datetime) -> int:
        """Return an account's posted balance at a moment; 0 before its first entry."""
        parameters = {"account_id": account_id, "time": time}
        async with self._database.connection() as connection:
            found = await connection.execute(text(_BALANCE_AT), parameters)
            return int(found.scalar() or 0)

    async def transfer(self, transfer_id: UUID) -> Transfer | None:
        """Return a transfer that was asked for, by its id."""
        return await self._transfer("transfer_id = :transfer_id", transfer_id=transfer_id)

    async def transfer_asked(self, account_id: UUID, request_id: UUID) -> Transfer | None:
        """Return the transfer that was asked for under a request id, if it happened."""
        condition = "account_id = :account_id AND request_id = :request_id"
        return await self._transfer(condition, account_id=account_id, request_id=request_id)

    async def _transfer(self, condition: str, **parameters: UUID) -> Transfer | None:
        async with self._database.connection() as connection:
            row = (await connection.execute(text(_TRANSFER + condition), parameters)).fetchone()
            return Transfer(*row) if row else None

    async def trial_balance(self, currency: str | None = None) -> list[TrialBalanceLine]:
        """Return the balance of every system account and of all users; they sum to zero."""
        async with self._database.connection() as connection:
            rows = await connection.execute(text(TRIAL_BALANCE), {"currency": currency})
            return [TrialBalanceLine(*row) for row in rows]

    async def roll_up(self, worth: int = ROLLUP_AFTER_ENTRIES) -> None:
        """Keep the balances of system accounts as of now, if so many entries make it worth it."""
        async with self._database.transaction() as connection:
            await connection.execute(text(_ROLL_UP), {"worth": worth})


def _condition(wanted: EntryFilter) -> str:
    clauses = {
        "kind": "AND kind = :kind",
        "order_id": "AND order_id = :order_id",
        "start": _SINCE,
        "end": _UNTIL,
    }
    given = wanted._asdict()
    return " ".join(clause for name, clause in clauses.items() if given[name] is not None)
