"""A row of the bench, and how rows are timed, printed and kept."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

REPEATS = 3
RESULTS = Path("build/bench.json")

Measure = Callable[[], Awaitable[float]]
"""Runs once and returns a rate: more is faster."""


@dataclass(frozen=True)
class Row:
    """Ours beside theirs, in the same unit; the ratio is of medians."""

    id: str
    title: str
    unit: str
    ours: Sequence[float]
    theirs: Sequence[float]
    goal: float

    @property
    def ratio(self) -> float:
        """How many times theirs ours is."""
        return median(self.ours) / median(self.theirs)

    def as_json(self) -> dict[str, object]:
        """Return what is kept of the row."""
        return {
            "title": self.title,
            "unit": self.unit,
            "ratio": round(self.ratio, 3),
            "ours": round(median(self.ours), 1),
            "theirs": round(median(self.theirs), 1),
            "goal": self.goal,
            "ours_all": [round(value, 1) for value in self.ours],
            "theirs_all": [round(value, 1) for value in self.theirs],
        }


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


def show(rows: Sequence[Row]) -> str:
    """Return the rows as a table."""
    lines = [f"{'row':4} {'ratio':>7} {'goal':>6} {'ours':>12} {'theirs':>12} {'spread':>8}  what"]
    return "\n".join([*lines, *map(_line, rows)])


def keep(rows: Sequence[Row]) -> None:
    """Write the rows to build/bench.json, over those of the same id that are there."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    known.update({row.id: row.as_json() for row in rows})
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(known, indent=2) + "\n")


def _line(row: Row) -> str:
    return (
        f"{row.id:4} {row.ratio:7.2f} {row.goal:6.2f} {median(row.ours):12,.0f} "
        f"{median(row.theirs):12,.0f} {_spread(row):8.0%}  {row.title} ({row.unit})"
    )


def _spread(row: Row) -> float:
    """How far the values of either side lie apart, relative to their median."""
    return max((max(values) - min(values)) / median(values) for values in (row.ours, row.theirs))
