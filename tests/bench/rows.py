"""What the bench measures: rows, growths, and how they are timed."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

REPEATS = 3

Measure = Callable[[], Awaitable[float]]
"""Runs once and returns a figure in the row's unit."""


@dataclass(frozen=True)
class Row:
    """Ours beside theirs, in the same unit; the ratio is that of the medians, ours to theirs.

    Where there is nothing to measure beside it, `theirs` is the bound that must be kept.
    """

    id: str
    title: str
    unit: str
    ours: Sequence[float]
    theirs: Sequence[float]
    goal: float
    """The ratio to reach: at least this, or at most where less is better."""

    stretch: float | None = None
    less: bool = False
    """Less is better: a time, or a size."""

    @property
    def ratio(self) -> float:
        """How many times theirs ours is."""
        return median(self.ours) / median(self.theirs)

    @property
    def spread(self) -> float:
        """How far the values of either side lie apart, relative to their median."""
        sides = (self.ours, self.theirs)
        return max((max(values) - min(values)) / median(values) for values in sides)

    @property
    def bounded(self) -> bool:
        """Whether it stands beside a bound instead of a measurement."""
        return len(self.theirs) == 1

    @property
    def score(self) -> float:
        """How many times its goal it reaches: 1 is the goal, more is better."""
        return self.goal / self.ratio if self.less else self.ratio / self.goal

    @property
    def verdict(self) -> str:
        """Whether the goal was reached, or even the stretch."""
        if self.stretch is not None and self._reaches(self.stretch):
            return "stretch"
        return "goal" if self._reaches(self.goal) else "missed"

    def _reaches(self, ratio: float) -> bool:
        return self.ratio <= ratio if self.less else self.ratio >= ratio


@dataclass(frozen=True)
class Growth:
    """What one operation costs as something grows, and how steeply."""

    id: str
    title: str
    unit: str
    sizes: Sequence[int]
    costs: Sequence[Sequence[float]]
    """For each size, what an operation cost in each repeat."""

    goal: float = 0.1
    """The slope that still counts as flat: a cost that less than doubles over three decades."""

    @property
    def medians(self) -> list[float]:
        """The cost at each size."""
        return [median(costs) for costs in self.costs]

    @property
    def slope(self) -> float:
        """The exponent of growth: 0 is flat, 1 is proportional."""
        return slope(self.sizes, self.medians)

    @property
    def verdict(self) -> str:
        """Whether it is flat."""
        return "flat" if self.slope <= self.goal else "grows"


Measured = Row | Growth


def slope(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return the exponent k of the power law cost ~ size^k that fits best."""
    across = [math.log(size) for size in sizes]
    upward = [math.log(cost) for cost in costs]
    middle, height = fmean(across), fmean(upward)
    rise = sum((x - middle) * (y - height) for x, y in zip(across, upward, strict=True))
    return rise / sum((x - middle) ** 2 for x in across)


async def side_by_side(ours: Measure, theirs: Measure) -> tuple[list[float], list[float]]:
    """Measure both alternately, after one unmeasured round of each."""
    await ours()
    await theirs()
    left: list[float] = []
    right: list[float] = []
    for _ in range(REPEATS):
        left.append(await ours())
        right.append(await theirs())
    return left, right


async def repeated(measure: Measure) -> list[float]:
    """Measure again and again, after one unmeasured round."""
    await measure()
    return [await measure() for _ in range(REPEATS)]


async def growing(sizes: Sequence[int], measures: Sequence[Measure]) -> list[list[float]]:
    """Measure every size in turn, again and again, after one unmeasured round of each."""
    rounds = [[await measure() for measure in measures] for _ in range(1 + REPEATS)]
    return [[costs[place] for costs in rounds[1:]] for place in range(len(sizes))]
