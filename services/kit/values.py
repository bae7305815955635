"""Money and prices as integers, with the two functions that may round; and calendar periods.

No float comes near an amount. Both kinds fit the 64-bit integers of the database and the contract.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum

BASIS_POINTS = 10_000
"""The whole, in basis points: 8500 of them are 85 %."""

_MINOR_DIGITS = {"JPY": 0, "KRW": 0, "USDT": 6}
"""Decimals of a currency's minor unit, where they are not two."""

_LARGEST = 2**63 - 1
_LARGEST_SCALE = 18
_DECIMAL_TEXT = re.compile(
    r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,2})?"
)
# Wide enough that nothing the pattern admits is rounded before the one intended rounding.
_EXACT = Context(prec=200, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in the minor unit of a currency: 1050 in USD is $10.50."""

    minor_units: int
    currency: str

    def __str__(self) -> str:
        """Write the amount in the currency's major unit, with all its decimals: `10.50`."""
        return str(Price(self.minor_units, _MINOR_DIGITS.get(self.currency, 2)))


@dataclass(frozen=True, slots=True)
class Price:
    """A price as `mantissa / 10**scale`: 108345 at scale 5 is 1.08345."""

    mantissa: int
    scale: int

    def __str__(self) -> str:
        """Write the price with exactly `scale` decimals."""
        return format(Decimal(self.mantissa).scaleb(-self.scale, _EXACT), "f")


def parse_price(text: str, scale: int) -> int:
    """Return the mantissa, at this scale, of a price written as decimal text.

    Digits beyond the scale are rounded half to even, so that a feed quoting finer than the
    instrument is biased neither way. An exponent is understood (`1e-5`), since feeds write small
    prices so. ValueError on anything else: an empty text, NaN, infinity, separators, or a number
    whose mantissa does not fit 64 bits. Whether the price makes sense (a sign, zero) is the
    caller's to judge.
    """
    if not 0 <= scale <= _LARGEST_SCALE:
        raise ValueError(f"a scale lies in 0..{_LARGEST_SCALE}: {scale}")
    if not _DECIMAL_TEXT.fullmatch(text):
        raise ValueError(f"not a decimal number: {text[:40]!r}")
    mantissa = _mantissa(text, scale)
    if abs(mantissa) > _LARGEST:
        raise ValueError(f"a price too large for scale {scale}: {text!r}")
    return mantissa


def _mantissa(text: str, scale: int) -> int:
    whole, _, fraction = text.partition(".")
    digits = whole + fraction.ljust(scale, "0")
    if len(fraction) <= scale and digits.isdigit():
        # Nearly every price: there is nothing to round.
        return int(digits)
    return int(Decimal(text).scaleb(scale, _EXACT).to_integral_value(context=_EXACT))


def basis_points_of(amount: int, basis_points: int) -> int:
    """Return this share of an amount, floored to the minor unit (rules.md, "Money").

    This is the one function that rounds money. Floor means toward minus infinity, so a share of a
    negative amount is never closer to zero than the exact one: -1 at 8500 bp is -1.
    """
    return amount * basis_points // BASIS_POINTS


class Period(StrEnum):
    """A calendar period of UTC, over which something is counted."""

    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"

    def start(self, day: date) -> date:
        """Return the first day of the period that a day lies in; weeks begin on Monday."""
        if self is Period.DAY:
            return day
        if self is Period.WEEK:
            return day - timedelta(days=day.weekday())
        return day.replace(day=1)

    def end(self, day: date) -> datetime:
        """Return when the period that a day lies in ends."""
        within_next = self.start(day) + timedelta(days=_DAYS_MAX[self])
        return datetime.combine(self.start(within_next), time(), UTC)


_DAYS_MAX = {Period.DAY: 1, Period.WEEK: 7, Period.MONTH: 31}
