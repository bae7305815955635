"""A book in plain Python, as simple as it can be said: what the real one has to agree with."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.kit.reason import Reason

PAYOUT_BP = 8_500
STAKE_MIN, STAKE_MAX = 100, 100_000
ESCROW, HOUSE, ISSUE, CLEARING, ADJUSTMENT = 1, 2, 3, 4, 5
USERS = 0


@dataclass
class Account:
    """What a user has, and the answers given under his request ids."""

    posted: int
    held: int = 0
    open_orders: int = 0
    orders: dict[UUID, tuple[int, int]] = field(default_factory=dict)
    """(direction, stake) by request id."""

    movements: dict[UUID, object] = field(default_factory=dict)
    """What a transfer, refill or posting was, by request id."""

    holds: dict[UUID, tuple[int, datetime | None]] = field(default_factory=dict)
    """(amount, expiry) by request id."""

    @property
    def available(self) -> int:
        return self.posted - self.held


@dataclass
class Hold:
    """Money set aside."""

    account: UUID
    amount: int
    expires_at: datetime | None
    state: str = "PENDING"
    ended_by: UUID | None = None


@dataclass
class Reference:
    """Each method answers None when it happened or had happened, else why it did not."""

    chips: int
    open_orders_max: int
    exposure_max: int
    accounts: dict[UUID, Account] = field(default_factory=dict)
    system: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    owed: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    holds: dict[UUID, Hold] = field(default_factory=dict)

    def open(self, account: UUID) -> None:
        self.accounts[account] = Account(self.chips)
        self.system[ISSUE] -= self.chips

    def place(self, account: UUID, request: UUID, direction: int, stake: int) -> Reason | None:
        has = self.accounts[account]
        if request in has.orders:
            same = has.orders[request] == (direction, stake)
            return None if same else Reason.REQUEST_ID_REUSED
        if stake < STAKE_MIN:
            return Reason.STAKE_BELOW_MINIMUM
        if stake > STAKE_MAX:
            return Reason.STAKE_ABOVE_MAXIMUM
        if has.open_orders >= self.open_orders_max:
            return Reason.OPEN_ORDERS_LIMIT
        if self.owed[direction] + profit(stake) > self.exposure_max:
            return Reason.EXPOSURE_LIMIT
        if has.available < stake:
            return Reason.INSUFFICIENT_FUNDS
        has.orders[request] = (direction, stake)
        has.posted -= stake
        has.open_orders += 1
        self.owed[direction] += profit(stake)
        self.system[ESCROW] += stake
        return None

    def close(self, account: UUID, direction: int, stake: int, outcome: str) -> None:
        has = self.accounts[account]
        returned = {"WIN": stake + profit(stake), "LOSS": 0}.get(outcome, stake)
        has.posted += returned
        has.open_orders -= 1
        self.owed[direction] -= profit(stake)
        self.system[ESCROW] -= stake
        self.system[HOUSE] += stake - returned

    def transfer(self, account: UUID, request: UUID, amount: int) -> Reason | None:
        has = self.accounts[account]
        if request in has.movements:
            return None if has.movements[request] == amount else Reason.REQUEST_ID_REUSED
        if amount == 0:
            return Reason.INVALID_TRANSFER
        if has.available + amount < 0:
            return Reason.INSUFFICIENT_FUNDS
        has.movements[request] = amount
        has.posted += amount
        self.system[CLEARING] -= amount
        return None

    def adjust(self, account: UUID, amount: int) -> Reason | None:
        """Correct a balance, as two people agreed."""
        has = self.accounts[account]
        if amount == 0:
            return Reason.INVALID_TRANSFER
        if has.available + amount < 0:
            return Reason.INSUFFICIENT_FUNDS
        has.posted += amount
        self.system[ADJUSTMENT] -= amount
        return None

    def refill(self, account: UUID, request: UUID) -> Reason | None:
        has = self.accounts[account]
        if request in has.movements:
            return None if has.movements[request] == "refill" else Reason.REQUEST_ID_REUSED
        missing = self.chips - has.available
        if missing <= 0:
            return Reason.REFILL_NOT_ALLOWED
        has.movements[request] = "refill"
        has.posted += missing
        self.system[ISSUE] -= missing
        return None

    def hold(
        self, account: UUID, request: UUID, amount: int, expires_at: datetime | None
    ) -> Reason | None:
        has = self.accounts[account]
        if request in has.holds:
            same = has.holds[request] == (amount, expires_at)
            return None if same else Reason.REQUEST_ID_REUSED
        if amount <= 0:
            return Reason.INVALID_TRANSFER
        if has.available < amount:
            return Reason.INSUFFICIENT_FUNDS
        has.holds[request] = (amount, expires_at)
        has.held += amount
        return None

    def post(self, hold_id: UUID, request: UUID, now: datetime) -> Reason | None:
        hold = self.holds[hold_id]
        has = self.accounts[hold.account]
        if (hold.state, hold.ended_by) == ("POSTED", request):
            return None
        if not self._pending(hold, now):
            return Reason.HOLD_NOT_PENDING
        if request in has.movements:
            return Reason.REQUEST_ID_REUSED
        has.movements[request] = hold_id
        self._end(hold, "POSTED", request)
        has.posted -= hold.amount
        self.system[CLEARING] += hold.amount
        return None

    def void(self, hold_id: UUID, request: UUID, now: datetime) -> Reason | None:
        hold = self.holds[hold_id]
        if (hold.state, hold.ended_by) == ("VOIDED", request):
            return None
        if not self._pending(hold, now):
            return Reason.HOLD_NOT_PENDING
        self._end(hold, "VOIDED", request)
        return None

    def expire(self, now: datetime) -> int:
        over = [
            hold
            for hold in self.holds.values()
            if hold.state == "PENDING" and not self._pending(hold, now)
        ]
        for hold in over:
            self._end(hold, "EXPIRED", None)
        return len(over)

    def trial_balance(self) -> dict[int, int]:
        users = sum(account.posted for account in self.accounts.values())
        return {USERS: users} | self.system

    def _pending(self, hold: Hold, now: datetime) -> bool:
        over = hold.expires_at is not None and hold.expires_at <= now
        return hold.state == "PENDING" and not over

    def _end(self, hold: Hold, state: str, request: UUID | None) -> None:
        hold.state, hold.ended_by = state, request
        self.accounts[hold.account].held -= hold.amount


def profit(stake: int) -> int:
    return stake * PAYOUT_BP // 10_000
