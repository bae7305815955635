"""Whether an order is accepted: checks 3 to 10 of rules.md, "Acceptance", in their order.

Check 1 is the contract's field rules; `placing` makes check 2 and the replay of check 3, which need
what is stored, and then calls these in turn. Every refusal is a Failure with its own reason, and
costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.values import Money, Price, basis_points_of
from services.trading.market import (
    SKEW_MAX,
    WATERMARK_AGE_MAX,
    Instrument,
    InstrumentStatus,
    MarketView,
)
from services.trading.order import Direction, OrderRequest, Tick
from services.trading.protection import Guard, check_own_limits
from services.trading.terms import Terms, check_expiry, expiry_of


class AccountState(IntEnum):
    """Whether an account takes part. The numbers are the contract's and the database's."""

    OPEN = 1
    FROZEN = 2
    CLOSED = 3


@dataclass(slots=True)
class Funds:
    """An account while a batch is decided: each accepted order lowers what the next may use."""

    currency: str
    state: AccountState
    posted: int
    held: int
    open_orders: int

    @property
    def available(self) -> int:
        """What may be spent, in minor units."""
        return self.posted - self.held


@dataclass(frozen=True, slots=True)
class Offer:
    """What the market and the terms give an order that is asked for now."""

    instrument: Instrument
    terms: Terms
    entry: Tick
    opens_at: datetime
    expires_at: datetime


def check_account(funds: Funds) -> None:
    """Check 3: the account takes part. Failures: ACCOUNT_CLOSED, ACCOUNT_FROZEN."""
    if funds.state is AccountState.CLOSED:
        raise Failure(Reason.ACCOUNT_CLOSED, "The account is closed.")
    if funds.state is AccountState.FROZEN:
        raise Failure(Reason.ACCOUNT_FROZEN, "The account is frozen.")


def offer(request: OrderRequest, terms: Terms | None, market: MarketView, now: datetime) -> Offer:
    """Make checks 4 to 8; return what the market offers this request now, in market time."""
    instrument = market.instruments.get(request.instrument)
    instrument, terms = check_instrument(request, instrument, terms)
    expires_at = expiry_of(request, now)
    check_session(instrument, expires_at, now)
    check_stake(request, terms)
    check_expiry(request, terms, expires_at, now)
    check_market_known(instrument, market, now)
    entry = check_tick(instrument, market, now)
    check_protections(request, terms, instrument, entry, now)
    return Offer(instrument, terms, entry, now, expires_at)


def check_instrument(
    request: OrderRequest, instrument: Instrument | None, terms: Terms | None
) -> tuple[Instrument, Terms]:
    """Check 4: the instrument is ENABLED for this book, which has terms for it.

    Failures: INSTRUMENT_NOT_FOUND, INSTRUMENT_HALTED, INSTRUMENT_NOT_TRADABLE.
    """
    metadata = {"instrument": request.instrument}
    if instrument is None or terms is None:
        raise Failure(Reason.INSTRUMENT_NOT_FOUND, "No such instrument.", metadata=metadata)
    if instrument.status is InstrumentStatus.HALTED:
        raise Failure(Reason.INSTRUMENT_HALTED, "Trading is halted.", metadata=metadata)
    if instrument.status is not InstrumentStatus.ENABLED:
        metadata["status"] = instrument.status.name
        message = "The instrument takes no new orders."
        raise Failure(Reason.INSTRUMENT_NOT_TRADABLE, message, metadata=metadata)
    return instrument, terms


def check_session(instrument: Instrument, expires_at: datetime, now: datetime) -> None:
    """Check 5: now lies in an open session [open, close), the expiry in (now, close] of the same.

    Failures: MARKET_CLOSED, EXPIRY_CUTOFF_PASSED, EXPIRY_OUTSIDE_SESSION.
    """
    metadata = {"instrument": instrument.symbol}
    session = instrument.session_at(now)
    if session is None:
        if next_open := instrument.next_open(now):
            metadata["next_open_time"] = next_open.isoformat()
        raise Failure(Reason.MARKET_CLOSED, "The market is closed.", metadata=metadata)
    if expires_at <= now:
        message = "The order would expire at once."
        raise Failure(Reason.EXPIRY_CUTOFF_PASSED, message, metadata={"cutoff_seconds": "0"})
    if session.close_time is not None and expires_at > session.close_time:
        metadata["close_time"] = session.close_time.isoformat()
        message = "The market closes before the order would expire."
        raise Failure(Reason.EXPIRY_OUTSIDE_SESSION, message, metadata=metadata)


def check_stake(request: OrderRequest, terms: Terms) -> None:
    """Check 6, the stake within terms; `terms.check_expiry` makes the rest of it.

    Failures: CURRENCY_MISMATCH, STAKE_BELOW_MINIMUM, STAKE_ABOVE_MAXIMUM.
    """
    if request.stake.currency != terms.currency:
        metadata = {"currency_code": terms.currency}
        message = f"Stakes are in {terms.currency} here."
        raise Failure(Reason.CURRENCY_MISMATCH, message, metadata=metadata)
    if request.stake.minor_units < terms.stake_min:
        metadata = {"stake_min_minor_units": str(terms.stake_min)}
        raise Failure(Reason.STAKE_BELOW_MINIMUM, "The stake is too small.", metadata=metadata)
    if request.stake.minor_units > terms.stake_max:
        metadata = {"stake_max_minor_units": str(terms.stake_max)}
        raise Failure(Reason.STAKE_ABOVE_MAXIMUM, "The stake is too large.", metadata=metadata)


def check_market_known(instrument: Instrument, market: MarketView, now: datetime) -> None:
    """Check 7: the clocks agree, the view is current, and the feed is fresh.

    Failures: CLOCK_SKEWED, MARKET_VIEW_STALE, FEED_SILENT.
    """
    metadata = {"instrument": instrument.symbol}
    if abs(market.skew) > SKEW_MAX:
        raise Failure(Reason.CLOCK_SKEWED, "The market's clock and ours differ.")
    watermark = market.watermark
    if not market.complete or watermark is None or now - watermark >= WATERMARK_AGE_MAX:
        message = "The book is not up to date with the market."
        raise Failure(
            Reason.MARKET_VIEW_STALE,
            message,
            metadata=metadata,
            retry_after=timedelta(milliseconds=500),
        )
    heard = market.feed_time
    if heard is None or now - heard >= instrument.feed_silence_max:
        raise Failure(Reason.FEED_SILENT, "The price feed is silent.", metadata=metadata)


def check_tick(instrument: Instrument, market: MarketView, now: datetime) -> Tick:
    """Check 7, the tick: return the latest one, younger than `max_tick_age`.

    Failure TICK_TOO_OLD.
    """
    tick = market.last_tick(instrument.symbol)
    if tick is None or now - tick.time >= instrument.max_tick_age:
        metadata = {"instrument": instrument.symbol}
        raise Failure(Reason.TICK_TOO_OLD, "There is no fresh price.", metadata=metadata)
    return tick


def check_protections(
    request: OrderRequest, terms: Terms, instrument: Instrument, entry: Tick, now: datetime
) -> None:
    """Check 8: what the caller asked to be protected from.

    Failures: PAYOUT_BELOW_LIMIT, ENTRY_PRICE_BEYOND_LIMIT, VALID_UNTIL_PASSED,
    LAST_SEEN_TICK_AHEAD.
    """
    if request.min_payout_bp is not None and terms.payout_bp < request.min_payout_bp:
        metadata = {"payout_bp": str(terms.payout_bp)}
        raise Failure(Reason.PAYOUT_BELOW_LIMIT, "The payout has fallen.", metadata=metadata)
    limit = request.entry_price_limit
    if limit is not None and _is_worse(entry.price, instrument.price_scale, limit, request):
        metadata = {"entry_price_mantissa": str(entry.price)}
        message = "The price has moved past your limit."
        raise Failure(Reason.ENTRY_PRICE_BEYOND_LIMIT, message, metadata=metadata)
    if request.valid_until is not None and now > request.valid_until:
        metadata = {"valid_until": request.valid_until.isoformat()}
        raise Failure(Reason.VALID_UNTIL_PASSED, "The order came too late.", metadata=metadata)
    seen = request.last_seen_tick_number
    if seen is not None and entry.number < seen:
        metadata = {"last_tick_number": str(entry.number)}
        message = "You have seen a newer price than the book holds."
        raise Failure(Reason.LAST_SEEN_TICK_AHEAD, message, metadata=metadata)


def check_limits(
    request: OrderRequest, terms: Terms, funds: Funds, owed: int, guard: Guard | None
) -> None:
    """Check 9: limits of the account, of the instrument, and the user's own.

    `owed` is the profit the book would owe if every open order of this instrument and direction
    won, in minor units. Whom nothing protects has no `guard`. Failures: OPEN_ORDERS_LIMIT,
    EXPOSURE_LIMIT, LOSS_LIMIT, STAKE_LIMIT.
    """
    if funds.open_orders >= terms.open_orders_max:
        metadata = {"open_orders_max": str(terms.open_orders_max)}
        message = "The account has too many open orders."
        raise Failure(Reason.OPEN_ORDERS_LIMIT, message, metadata=metadata)
    if owed + profit_of(request.stake.minor_units, terms.payout_bp) > terms.exposure_max:
        metadata = {"instrument": request.instrument, "direction": request.direction.name}
        message = "The book takes no more of this direction now."
        raise Failure(Reason.EXPOSURE_LIMIT, message, metadata=metadata)
    if guard is not None:
        check_own_limits(guard, request.stake.minor_units)


def check_funds(stake: Money, funds: Funds) -> None:
    """Check 10: available ≥ stake. Failures: CURRENCY_MISMATCH, INSUFFICIENT_FUNDS."""
    if funds.currency != stake.currency:
        metadata = {"currency_code": funds.currency}
        message = f"The account holds {funds.currency}."
        raise Failure(Reason.CURRENCY_MISMATCH, message, metadata=metadata)
    if funds.available < stake.minor_units:
        metadata = {"available_minor_units": str(funds.available)}
        message = "The available balance is smaller than the stake."
        raise Failure(Reason.INSUFFICIENT_FUNDS, message, metadata=metadata)


def profit_of(stake: int, payout_bp: int) -> int:
    """Return what a win pays beyond the stake, floored to the minor unit."""
    return basis_points_of(stake, payout_bp)


def _is_worse(price: int, scale: int, limit: Price, request: OrderRequest) -> bool:
    """Compare exactly: both are brought to the finer scale."""
    finest = max(scale, limit.scale)
    entry: int = price * 10 ** (finest - scale)
    bound: int = limit.mantissa * 10 ** (finest - limit.scale)
    return entry > bound if request.direction is Direction.UP else entry < bound
