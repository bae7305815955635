"""How an order closes: a pure function of the order and the fixing (rules.md, "Outcome")."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import NamedTuple
from uuid import UUID

from services.settlement.fixing import Fixing, Point, VoidReason

RULE_VERSION = 1
"""Version of the rule below, and of the canonical text of the receipts it leads to."""


class Direction(IntEnum):
    """What an order bets on. The numbers are the contract's."""

    UP = 1
    DOWN = 2


class Outcome(IntEnum):
    """How an order closes. The numbers are the contract's."""

    WIN = 1
    LOSS = 2
    DRAW = 3
    VOID = 4


class DueOrder(NamedTuple):
    """What there is to know about an order in order to decide it."""

    order_id: UUID
    instrument: str
    direction: Direction
    entry_price: int
    """The mantissa, at the instrument's scale."""

    expires_at: datetime

    @property
    def point(self) -> Point:
        """What has to be fixed to decide it."""
        return Point(self.instrument, self.expires_at)


class Decision(NamedTuple):
    """How one order closes, and by which version of the rule."""

    order_id: UUID
    point: Point
    outcome: Outcome
    void_reason: VoidReason | None
    rule_version: int = RULE_VERSION


def decide(order: DueOrder, fixing: Fixing) -> Decision:
    """Return how the order closes at this fixing, which is the one of its point."""
    close = None if fixing.tick is None else fixing.tick.price
    outcome = outcome_of(order.direction, order.entry_price, close)
    return Decision(order.order_id, fixing.point, outcome, fixing.void_reason)


def outcome_of(direction: Direction, entry_price: int, close_price: int | None) -> Outcome:
    """Return the outcome: UP wins above the entry price, DOWN below it; no price is VOID."""
    if close_price is None:
        return Outcome.VOID
    if close_price == entry_price:
        return Outcome.DRAW
    went = Direction.UP if close_price > entry_price else Direction.DOWN
    return Outcome.WIN if went is direction else Outcome.LOSS
