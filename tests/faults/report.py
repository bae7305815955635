"""What the experiments saw, as one table."""

from __future__ import annotations

import json
import os
import random
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

FINDING = "finding"
"""The property of a test's report under which a run of an experiment is kept."""

SEED = int(os.environ.get("VERITICK_FAULTS_SEED") or random.SystemRandom().randrange(1 << 30))
"""Chooses every moment at which something is hurt. Printed; set it to repeat a run."""

os.environ["VERITICK_FAULTS_SEED"] = str(SEED)  # for the workers of pytest, which inherit it

_REPOSITORY = Path(__file__).parents[2]


@dataclass
class Finding:
    """What an experiment saw, over all its runs."""

    experiment: str
    runs: int = 0
    orders: int = 0
    acknowledged: int = 0
    lost: int = 0
    double: int = 0
    recovery_seconds: float = 0.0

    def add(self, run: Finding) -> None:
        """Take in another run."""
        self.runs += run.runs
        self.orders += run.orders
        self.acknowledged += run.acknowledged
        self.lost += run.lost
        self.double += run.double
        self.recovery_seconds = max(self.recovery_seconds, run.recovery_seconds)


class Report:
    """The findings of a session, as a plugin of pytest: whichever process its tests ran in."""

    def __init__(self) -> None:
        self._findings: dict[str, Finding] = {}

    def pytest_report_header(self) -> str:
        return f"faults: VERITICK_FAULTS_SEED={SEED}"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            for key, value in report.user_properties:
                if key == FINDING and isinstance(value, dict):
                    self.add(Finding(**value))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._findings:
            return
        terminalreporter.section(f"faults, VERITICK_FAULTS_SEED={SEED}")
        for line in self.lines():
            terminalreporter.line(line)
        # The short selection of `make test` does not replace what `make faults` found.
        if "not faults" not in terminalreporter.config.option.markexpr:
            self.save(_REPOSITORY / "build" / "faults.json")

    def add(self, run: Finding) -> None:
        """Take in one run of an experiment."""
        if known := self._findings.get(run.experiment):
            known.add(run)
        else:
            self._findings[run.experiment] = run

    def lines(self) -> list[str]:
        """Return the table."""
        head = f"{'experiment':58} {'runs':>4} {'orders':>6} {'ack.':>6} {'lost':>4} {'double':>6}"
        return [f"{head} {'recovery':>9}", *(_line(item) for item in self._findings.values())]

    def save(self, path: Path) -> None:
        """Write the findings as JSON."""
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps([asdict(item) for item in self._findings.values()], indent=2))


def _line(item: Finding) -> str:
    counts = f"{item.runs:4} {item.orders:6} {item.acknowledged:6} {item.lost:4} {item.double:6}"
    return f"{item.experiment:58} {counts} {item.recovery_seconds:7.1f} s"
