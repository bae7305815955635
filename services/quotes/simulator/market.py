"""The simulated market: which symbols there are, and when each of them ticks next."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from services.kit.values import Price, parse_price
from services.quotes.simulator.listing import LISTED, listed
from services.quotes.simulator.recording import Recorded
from services.quotes.simulator.walk import Walk

_MILLI = 1000
_TOTAL_WEIGHT = sum(item.weight for item in LISTED.values())


@dataclass(frozen=True, slots=True)
class Priced:
    """A price at a moment."""

    symbol: str
    price: str
    time: datetime


@dataclass(frozen=True)
class Replay:
    """One symbol that is not simulated."""

    symbol: str
    prices: list[Recorded]
    speed_milli: int = _MILLI
    """How much faster than recorded, in thousandths."""

    loop: bool = True

    def due(self, index: int, began: datetime) -> datetime | None:
        """Return when the n-th price comes; None when there is none any more."""
        rounds, place = divmod(index, len(self.prices))
        if rounds and not self.loop:
            return None
        # A round lasts as long as the recording, and a second more before it begins again.
        length = self.prices[-1].offset + timedelta(seconds=1)
        return began + (rounds * length + self.prices[place].offset) * _MILLI / self.speed_milli


class Market:
    """Prices in order of time, for ever."""

    def __init__(
        self,
        random: Random,
        now: datetime,
        last: dict[str, str],
        ticks_per_second: int,
        replay: Replay | None = None,
    ) -> None:
        """Begin now, from the last prices where they are known."""
        self._random = random
        self._last = last
        self._per_weight_milli = max(1, ticks_per_second * _MILLI // _TOTAL_WEIGHT)
        self._replay = replay
        self._replay_began = now
        self._walks: dict[str, Walk] = {}
        self._due: list[tuple[datetime, str, int]] = []
        self._frozen: set[str] = set()
        for symbol in LISTED:
            if symbol not in self.recordings:
                self.add(symbol, now)

    def add(self, symbol: str, now: datetime) -> None:
        """Begin to quote a symbol; one that is quoted already goes on.

        So a recording begins when somebody first asks for it, and nobody misses its begin.
        """
        if symbol in self._walks:
            return
        if symbol in self.recordings:
            self._replay_began = now
        self._walks[symbol] = Walk(listed(symbol), self._random, self._last.get(symbol))
        self._plan(symbol, 0, now)

    def due_until(self, now: datetime) -> Iterator[Priced]:
        """Yield the prices that came up to now, and plan those to come."""
        while self._due and self._due[0][0] <= now:
            due, symbol, index = heapq.heappop(self._due)
            self._plan(symbol, index + 1, max(due, now - timedelta(seconds=1)))
            if symbol not in self._frozen:
                yield Priced(symbol, self._price(symbol, index, now), now)

    def next_due(self) -> datetime:
        """Return when the next price comes."""
        return self._due[0][0]

    def freeze(self, symbols: set[str] | None) -> None:
        """Let these symbols stand still; all when none are named."""
        self._frozen |= symbols or set(self._walks)

    def resume(self, symbols: set[str] | None) -> None:
        """Let these symbols move again."""
        self._frozen -= symbols or set(self._walks)

    def spike(self, symbols: set[str] | None, basis_points: int, now: datetime) -> Iterator[Priced]:
        """Yield one price of each symbol that is far off."""
        for symbol in symbols or self._walks:
            if symbol in self._walks:
                yield Priced(symbol, self._walks[symbol].spiked(basis_points), now)

    def prices(self) -> dict[str, str]:
        """Return the last simulated price of every symbol."""
        return self._last | {symbol: walk.price for symbol, walk in self._walks.items()}

    @property
    def recordings(self) -> list[str]:
        """The symbols that replay a recording."""
        return [self._replay.symbol] if self._replay else []

    def _rate_milli(self, symbol: str) -> int:
        return max(1, listed(symbol).weight * self._per_weight_milli)

    def _price(self, symbol: str, index: int, now: datetime) -> str:
        if self._replay and symbol == self._replay.symbol:
            return self._replay.prices[index % len(self._replay.prices)].price
        return self._walks[symbol].step(now, self._rate_milli(symbol))

    def _plan(self, symbol: str, index: int, after: datetime) -> None:
        if self._replay and symbol == self._replay.symbol:
            due = self._replay.due(index, self._replay_began)
        else:
            # Arrivals without memory, as those of real trades are.
            due = after + timedelta(seconds=self._random.expovariate(1) * 1000 / self._rate(symbol))
        if due is not None:
            heapq.heappush(self._due, (due, symbol, index))

    def _rate(self, symbol: str) -> int:
        return self._rate_milli(symbol)


def speed_milli(text: str) -> int:
    """Read a speed such as `1` or `2.5`. Errors: ValueError."""
    speed = parse_price(text, Price(0, 3).scale)
    if not 1 <= speed <= 1_000_000:
        raise ValueError("a speed lies in 0.001 to 1000")
    return speed
