"""The terms under which a book sells orders, and the expiry they give one.

Source: rules.md, "Contract terms".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from services.kit.errors import Failure, Violation
from services.kit.reason import Reason
from services.trading.order import OrderRequest

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


AMOUNT_MAX = 10**15
"""The most that a stake or an exposure may be set to, in minor units: what is won on a stake and
what is owed on all of them stays within 64 bits."""


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


def check_terms(terms: Terms, currency: str) -> None:
    """Refuse terms under which a book of this currency could sell nothing, or not rightly.

    What a field by itself may be is in the contract. Failure INVALID_REQUEST, naming the fields.
    """
    found = [
        Violation(f"terms.{field}", description)
        for field, is_right, description in (
            ("stake_min", terms.currency == currency, f"must be in {currency}"),
            ("stake_min", terms.stake_min >= 1, "must be at least 1"),
            ("stake_max", terms.stake_min <= terms.stake_max, "must not be below stake_min"),
            ("stake_max", terms.stake_max <= AMOUNT_MAX, f"must be at most {AMOUNT_MAX}"),
            (
                "duration_seconds_max",
                terms.duration_seconds_min <= terms.duration_seconds_max,
                "must not be below duration_seconds_min",
            ),
            (
                "payout_fixed_bp",
                terms.payout_min_bp <= terms.payout_fixed_bp <= terms.payout_max_bp,
                "must lie between payout_min_bp and payout_max_bp",
            ),
            (
                "exposure_max",
                1 <= terms.exposure_max <= AMOUNT_MAX,
                f"must lie between 1 and {AMOUNT_MAX}",
            ),
        )
        if not is_right
    ]
    if found:
        text = f"{found[0].field} {found[0].description}."
        raise Failure(Reason.INVALID_REQUEST, text, violations=found)


def expiry_of(request: OrderRequest, now: datetime) -> datetime:
    """Return when an order placed now would expire; whether it may, `check_expiry` tells.

    A duration counts from now and is rounded up to a whole second. One that is not positive lies
    in no session and in no terms; it is those that refuse it.
    """
    if request.expire_time is not None:
        return request.expire_time
    seconds = max(request.duration_seconds or 0, 1)
    return ceil_to_second(now + timedelta(seconds=seconds))


def ceil_to_second(moment: datetime) -> datetime:
    """Return the first whole second at or after a moment."""
    if moment.microsecond == 0:
        return moment
    return moment.replace(microsecond=0) + SECOND


def check_expiry(request: OrderRequest, terms: Terms, expires_at: datetime, now: datetime) -> None:
    """Check 6 of acceptance, the expiry within terms.

    A clock expiry lies on one of their grids and is bought before its cutoff. Failures:
    DURATION_OUT_OF_RANGE, EXPIRY_NOT_ON_GRID, EXPIRY_CUTOFF_PASSED.
    """
    if request.expire_time is not None:
        _check_clock_expiry(expires_at, terms, now)
        return
    seconds = request.duration_seconds or 0
    if not terms.duration_seconds_min <= seconds <= terms.duration_seconds_max:
        raise _out_of_range(terms)


def is_too_short(terms: Terms, opened_at: datetime, expires_at: datetime) -> bool:
    """Tell whether an order lasts less than these terms allow, however its expiry was named."""
    lasts = expires_at - opened_at
    if lasts >= timedelta(seconds=terms.duration_seconds_min):
        return False
    before_cutoff = lasts >= timedelta(seconds=terms.expiry_cutoff_seconds)
    return not (before_cutoff and _on_grid(expires_at, terms.expiry_grid_minutes))


def _check_clock_expiry(expiry: datetime, terms: Terms, now: datetime) -> None:
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
