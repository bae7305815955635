"""The terms under which a book sells orders, and the expiry they give one.

Source: rules.md, "Contract terms".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from services.kit.errors import Failure
from services.kit.reason import Reason
from services.trading.order import OrderRequest

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


class Terms(NamedTuple):
    """One version of the terms of an instrument. The fields are the columns of `terms`.

    Amounts are in minor units of `currency`; `exposure_max` is the most profit the book may owe on
    open orders of one direction.
    """

    instrument: str
    version: int
    currency: str
    stake_min: int
    stake_max: int
    duration_seconds_min: int
    duration_seconds_max: int
    expiry_grid_minutes: list[int]
    expiry_cutoff_seconds: int
    payout_bp: int
    payout_fixed_bp: int
    payout_min_bp: int
    payout_max_bp: int
    open_orders_max: int
    exposure_max: int


@dataclass(frozen=True)
class TermsDefaults:
    """The terms an instrument gets in a book before anybody sets others."""

    currency: str = "USD"
    stake_min: int = 100
    stake_max: int = 100_000
    duration_seconds_min: int = 5
    duration_seconds_max: int = 86_400
    expiry_grid_minutes: tuple[int, ...] = (1, 5, 15, 60)
    expiry_cutoff_seconds: int = 30
    payout_fixed_bp: int = 8_500
    payout_min_bp: int = 6_500
    payout_max_bp: int = 9_000
    open_orders_max: int = 200
    exposure_max: int = 100_000_000

    def for_instrument(self, instrument: str) -> Terms:
        """Return version 1 of an instrument's terms."""
        return Terms(
            instrument=instrument,
            version=1,
            currency=self.currency,
            stake_min=self.stake_min,
            stake_max=self.stake_max,
            duration_seconds_min=self.duration_seconds_min,
            duration_seconds_max=self.duration_seconds_max,
            expiry_grid_minutes=list(self.expiry_grid_minutes),
            expiry_cutoff_seconds=self.expiry_cutoff_seconds,
            payout_bp=self.payout_fixed_bp,
            payout_fixed_bp=self.payout_fixed_bp,
            payout_min_bp=self.payout_min_bp,
            payout_max_bp=self.payout_max_bp,
            open_orders_max=self.open_orders_max,
            exposure_max=self.exposure_max,
        )


def expiry_of(request: OrderRequest, terms: Terms, now: datetime) -> datetime:
    """Return when an order placed now would expire: a whole second.

    A duration counts from now and is rounded up. A clock expiry lies on one of the grids of the
    terms and is bought before its cutoff. Failures: DURATION_OUT_OF_RANGE, EXPIRY_NOT_ON_GRID,
    EXPIRY_CUTOFF_PASSED.
    """
    if request.expire_time is not None:
        return _clock_expiry(request.expire_time, terms, now)
    seconds = request.duration_seconds or 0
    if not terms.duration_seconds_min <= seconds <= terms.duration_seconds_max:
        raise _out_of_range(terms)
    return ceil_to_second(now + timedelta(seconds=seconds))


def ceil_to_second(moment: datetime) -> datetime:
    """Return the first whole second at or after a moment."""
    if moment.microsecond == 0:
        return moment
    return moment.replace(microsecond=0) + SECOND


def _clock_expiry(expiry: datetime, terms: Terms, now: datetime) -> datetime:
    if not _on_grid(expiry, terms.expiry_grid_minutes):
        metadata = {}
        if terms.expiry_grid_minutes:
            following = next_on_grid(now, min(terms.expiry_grid_minutes))
            metadata["next_expire_time"] = following.isoformat()
        message = "That moment is not one of the clock expiries offered."
        raise Failure(Reason.EXPIRY_NOT_ON_GRID, message, metadata=metadata)
    if expiry - now < timedelta(seconds=terms.expiry_cutoff_seconds):
        cutoff = {"cutoff_seconds": str(terms.expiry_cutoff_seconds)}
        message = "It is too late to buy for that expiry."
        raise Failure(Reason.EXPIRY_CUTOFF_PASSED, message, metadata=cutoff)
    if expiry - now > timedelta(seconds=terms.duration_seconds_max):
        raise _out_of_range(terms)
    return expiry


def _on_grid(expiry: datetime, grid_minutes: list[int]) -> bool:
    since_midnight = expiry - _midnight(expiry)
    return any(since_midnight % (minutes * MINUTE) == timedelta(0) for minutes in grid_minutes)


def next_on_grid(now: datetime, minutes: int) -> datetime:
    """Return the first moment after now on a grid of so many minutes past midnight UTC."""
    width = minutes * MINUTE
    return _midnight(now) + ((now - _midnight(now)) // width + 1) * width


def _midnight(moment: datetime) -> datetime:
    return datetime(moment.year, moment.month, moment.day, tzinfo=UTC)


def _out_of_range(terms: Terms) -> Failure:
    low, high = terms.duration_seconds_min, terms.duration_seconds_max
    return Failure(
        Reason.DURATION_OUT_OF_RANGE,
        f"An order lasts {low} to {high} seconds.",
        metadata={"duration_seconds_min": str(low), "duration_seconds_max": str(high)},
    )
