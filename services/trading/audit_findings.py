"""What an audit has found so far: bounded, however much is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from services.trading.audit import Finding

FINDINGS_MAX = 1_000
"""Findings that are kept; more are only counted."""


@dataclass
class Findings:
    """What an audit has found so far."""

    items: list[Finding] = field(default_factory=list)
    count: int = 0

    def add(self, findings: Iterable[Finding]) -> None:
        """Take more of them."""
        for finding in findings:
            self.count += 1
            if len(self.items) < FINDINGS_MAX:
                self.items.append(finding)
