"""What the experiments saw, as one table."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.faults.load import Tally


@dataclass
class Finding:
    """What one experiment saw, over all its runs."""

    experiment: str
    runs: int = 0
    orders: int = 0
    acknowledged: int = 0
    lost: int = 0
    double: int = 0
    recovery_seconds: float = 0.0

    def add(self, tally: Tally, lost: int, recovery_seconds: float) -> None:
        """Take in one run."""
        self.runs += 1
        self.orders += tally.orders
        self.acknowledged += len(tally.acknowledged)
        self.lost += lost
        self.double += tally.doubles
        self.recovery_seconds = max(self.recovery_seconds, recovery_seconds)


class Report:
    """The findings of a session."""

    def __init__(self) -> None:
        self._findings: dict[str, Finding] = {}

    def finding(self, experiment: str) -> Finding:
        """Return the finding of an experiment."""
        return self._findings.setdefault(experiment, Finding(experiment))

    def lines(self) -> list[str]:
        """Return the table."""
        if not self._findings:
            return []
        head = f"{'experiment':58} {'runs':>4} {'orders':>6} {'ack.':>6} {'lost':>4} {'double':>6}"
        return [f"{head} {'recovery':>9}", *(_line(item) for item in self._findings.values())]

    def save(self, path: Path) -> None:
        """Write the findings as JSON."""
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps([asdict(item) for item in self._findings.values()], indent=2))


def _line(item: Finding) -> str:
    counts = f"{item.runs:4} {item.orders:6} {item.acknowledged:6} {item.lost:4} {item.double:6}"
    return f"{item.experiment:58} {counts} {item.recovery_seconds:7.1f} s"
