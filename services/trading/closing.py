"""Closing the accounts of a user who is to be erased: they take no order and no money any more.

What an account did stays: orders, entries, receipts, under its id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import LiteralString, NamedTuple
from uuid import UUID

from services.kit.arrays import uuids
from services.kit.ids import Ids
from services.trading.acceptance import AccountState
from services.trading.book import ACCOUNT_COLUMNS, Account
from services.trading.commit import Transaction
from services.trading.market import MarketView
from services.trading.moving import Moving
from services.trading.recording import Recorder
from services.trading.statement import Part
from services.trading.wire import BookWire

_READ_ACCOUNTS_OF: LiteralString = f"""
    SELECT {ACCOUNT_COLUMNS} FROM account WHERE user_id = %(user_id)s ORDER BY account_id
"""
_CHANGE_STATE = Part(
    """
    states_changed AS (
        UPDATE account SET state = %(change.state)s
        WHERE account_id = ANY (%(change.accounts)s::uuid[])
        RETURNING 1
    )
    """,
    """require(
        (SELECT count(*) FROM states_changed) = cardinality(%(change.accounts)s::uuid[]),
        'accounts gone'
    )""",
)


class Obstacle(IntEnum):
    """Why accounts can not be closed for good. The numbers are the contract's."""

    OPEN_ORDERS = 1
    HELD_MONEY = 2
    BALANCE = 3
    FROZEN_ACCOUNT = 4


class CloseAccounts(NamedTuple):
    """Close a user's accounts, unless something stands in the way; or open them again."""

    user_id: UUID
    closed: bool = True


def obstacles(accounts: Iterable[Account], *, real: bool) -> list[Obstacle]:
    """Return why accounts can not be closed: only `real` money is anybody's."""
    found = set()
    for account in accounts:
        if account.open_orders:
            found.add(Obstacle.OPEN_ORDERS)
        if account.held:
            found.add(Obstacle.HELD_MONEY)
        if real and account.posted:
            found.add(Obstacle.BALANCE)
        if account.state == AccountState.FROZEN:
            found.add(Obstacle.FROZEN_ACCOUNT)
    return sorted(found)


class Closing(Moving):
    """The batch of CloseAccounts: idempotent."""

    kind = "close"

    def __init__(
        self, *, market: MarketView, ids: Ids, recorder: Recorder, wire: BookWire, real: bool
    ) -> None:
        """Close accounts of a book, whose money is `real` or not."""
        super().__init__(market=market, ids=ids, recorder=recorder, wire=wire)
        self._real = real

    async def commit(
        self, commands: Sequence[CloseAccounts], transaction: Transaction
    ) -> Sequence[list[Obstacle]]:
        """Close each user's accounts, or answer what stands in the way."""
        return [await self._close(command, transaction) for command in commands]

    async def _close(self, command: CloseAccounts, transaction: Transaction) -> list[Obstacle]:
        rows = await transaction.read(_READ_ACCOUNTS_OF, {"user_id": command.user_id})
        accounts = [Account(*row) for row in rows]
        if command.closed and (found := obstacles(accounts, real=self._real)):
            return found
        before, after = AccountState.OPEN, AccountState.CLOSED
        if not command.closed:
            before, after = after, before
        changed = [
            account._replace(state=int(after)) for account in accounts if account.state == before
        ]
        if changed:
            parameters = {
                "change.state": int(after),
                "change.accounts": uuids([account.account_id for account in changed]),
            }
            events = [self._wire.balance_changed(account) for account in changed]
            now = self._market.now()
            await self._recorder.record(transaction, [(_CHANGE_STATE, parameters)], [], events, now)
        return []
