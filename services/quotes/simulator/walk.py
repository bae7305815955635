"""One simulated price: a random walk in whole units of its last decimal place."""

from datetime import datetime
from math import isqrt
from random import Random

from services.kit.values import Price, parse_price
from services.quotes.simulator.listing import Listed, volatility_percent

_MILLION = 1_000_000
_FOLD_MAX = 4
_TICKS_TO_RETURN = 200_000


class Walk:
    """The price of one symbol."""

    def __init__(self, listed: Listed, random: Random, last: str | None = None) -> None:
        """Begin at the listed price, or go on from the last one."""
        self._listed = listed
        self._random = random
        self.scale = len(listed.start.partition(".")[2])
        self._anchor = parse_price(listed.start, self.scale)
        self._mantissa = parse_price(last, self.scale) if last else self._anchor
        self._remainder = 0

    @property
    def price(self) -> str:
        """The price as decimal text."""
        return self.at(self._mantissa)

    def at(self, mantissa: int) -> str:
        """Write a mantissa of this symbol as decimal text."""
        return str(Price(mantissa, self.scale))

    def step(self, now: datetime, ticks_per_second_milli: int) -> str:
        """Move on by one tick and return the new price.

        Far from where it began it is pulled back, so that years of running lead nowhere absurd.
        """
        ppm = self._listed.ppm_per_second * volatility_percent(self._listed.kind, now.hour) // 100
        noise = int(self._random.gauss(0, _MILLION))
        # The move of a tick is that of a second over the root of the ticks in one.
        root = max(isqrt(ticks_per_second_milli * 1000), 1)
        moved = self._mantissa * ppm * noise * 1000 // (root * _MILLION)
        moved += (self._anchor - self._mantissa) * _MILLION // _TICKS_TO_RETURN
        # What is smaller than the last decimal place is not lost, or quiet symbols would stand.
        change, self._remainder = divmod(moved + self._remainder, _MILLION)
        low, high = self._anchor // _FOLD_MAX, self._anchor * _FOLD_MAX
        self._mantissa = min(max(self._mantissa + change, low, 1), high)
        return self.price

    def spiked(self, basis_points: int) -> str:
        """Return a price far off the present one, which stays."""
        return self.at(max(1, self._mantissa + self._mantissa * basis_points // 10_000))
