"""How a payout follows from what was closed lately (rules.md, "Payout recalculation").

A policy is a pure function of the terms and of recent history. It is asked every minute, and what
it answers applies to orders opened from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import NamedTuple

from services.kit.values import BASIS_POINTS
from services.trading.terms import Terms

LOOK_BACK = timedelta(minutes=30)
RECALCULATE_EVERY = timedelta(minutes=1)
ORDERS_MIN = 10
"""With fewer orders than this, their outcome says nothing."""


class Recent(NamedTuple):
    """The orders of an instrument closed within LOOK_BACK, refunds left out."""

    orders: int
    winners: int


Policy = Callable[[Terms, Recent], int]
"""Returns the payout, in basis points of the stake."""


def fixed(terms: Terms, _: Recent) -> int:
    """Return the fixed payout of the terms, whatever happened."""
    return terms.payout_fixed_bp


def win_rate(terms: Terms, recent: Recent) -> int:
    """Return 100 % less the share of winners, within the bounds of the terms.

    The share is rounded up to a basis point, so the payout is floored.
    """
    if recent.orders < ORDERS_MIN:
        return terms.payout_fixed_bp
    losers = recent.orders - recent.winners
    share = BASIS_POINTS * losers // recent.orders
    return min(max(share, terms.payout_min_bp), terms.payout_max_bp)


POLICIES: Mapping[str, Policy] = {"fixed": fixed, "win-rate": win_rate}
"""The policies a book may be set to, by name."""
