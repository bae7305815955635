"""Which entries an order makes: pure, and balanced by construction.

An entry moves `amount` from its contra account to its account, so no entry, and no set of them,
can be out of balance. Only a user's account shows a running balance; system accounts are summed.
"""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import NamedTuple
from uuid import UUID

from services.trading.acceptance import profit_of
from services.trading.order import Order, Outcome


class SystemAccount(IntEnum):
    """A side of the ledger that belongs to no user. The numbers are the contract's."""

    ESCROW = 1
    HOUSE = 2
    ISSUE = 3
    CLEARING = 4
    ADJUSTMENT = 5

    @property
    def account_id(self) -> UUID:
        """Its id in the ledger: no user's account can have it."""
        return UUID(int=int(self))


NAMEABLE = frozenset({SystemAccount.HOUSE, SystemAccount.ISSUE, SystemAccount.CLEARING})
"""What another service may move money to and from. Escrow moves with orders alone, and the account
of adjustments by what two people agreed on."""


class EntryKind(IntEnum):
    """Why money moved. The numbers are the contract's."""

    OPENING = 1
    REFILL = 2
    STAKE = 3
    PAYOUT = 4
    REFUND = 5
    TRANSFER = 6
    LOST_STAKE = 7
    PROFIT = 8
    ADJUSTMENT = 9


class Entry(NamedTuple):
    """One movement between two accounts. The fields are the columns of `entry` after its id."""

    transfer_id: UUID
    kind: int
    account_id: UUID
    contra_account_id: UUID
    amount: int
    """What the account receives; negative when it pays. Never zero."""

    currency: str
    balance: int | None
    """The account's posted balance after it; None for a system account."""

    order_id: UUID | None
    time: datetime


ESCROW = SystemAccount.ESCROW.account_id
HOUSE = SystemAccount.HOUSE.account_id


def stake_entry(order: Order, balance: int) -> Entry:
    """Return the entry that pays an order: user → escrow. `balance` is the user's after it."""
    return Entry(
        transfer_id=order.order_id,
        kind=EntryKind.STAKE,
        account_id=order.account_id,
        contra_account_id=ESCROW,
        amount=-order.stake,
        currency=order.currency,
        balance=balance,
        order_id=order.order_id,
        time=order.opened_at,
    )


def returned_of(stake: int, payout_bp: int, outcome: Outcome) -> int:
    """Return what comes back to the user (rules.md, "Outcome")."""
    if outcome is Outcome.WIN:
        return stake + profit_of(stake, payout_bp)
    return 0 if outcome is Outcome.LOSS else stake


def closing_entries(
    order: Order, outcome: Outcome, balance: int, transfer_id: UUID, time: datetime
) -> list[Entry]:
    """Return the entries that close an order; escrow gives back exactly the stake it took.

    A win: house → escrow the profit, escrow → user all of it. A loss: escrow → house. A draw or
    void: escrow → user. `balance` is the user's before it.
    """

    def entry(kind: EntryKind, to: UUID, giver: UUID, amount: int, after: int | None) -> Entry:
        return Entry(
            transfer_id, kind, to, giver, amount, order.currency, after, order.order_id, time
        )

    user, returned = order.account_id, returned_of(order.stake, order.payout_bp, outcome)
    if outcome is Outcome.LOSS:
        return [entry(EntryKind.LOST_STAKE, HOUSE, ESCROW, order.stake, None)]
    if outcome is not Outcome.WIN:
        return [entry(EntryKind.REFUND, user, ESCROW, returned, balance + returned)]
    paid = entry(EntryKind.PAYOUT, user, ESCROW, returned, balance + returned)
    profit = returned - order.stake
    # A stake so small that its profit floors to nothing moves nothing from the house.
    return [entry(EntryKind.PROFIT, ESCROW, HOUSE, profit, None), paid] if profit else [paid]
