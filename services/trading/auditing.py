"""A book audits itself every minute, and says aloud what it finds."""

from __future__ import annotations

from datetime import timedelta

import structlog
from prometheus_client import Counter, Gauge

from services.kit.jobs import Job
from services.trading.audit_apart import Audits
from services.trading.audit_report import Report

EVERY = timedelta(minutes=1)
_LIMIT = timedelta(minutes=10)
_LOGGED_MAX = 20

FINDINGS = Gauge(
    "veritick_trading_audit_findings", "Rows that break an invariant, as last audited", ["book"]
)
UNCHECKED = Gauge(
    "veritick_trading_audit_unchecked", "Invariants that could not be checked lately", ["book"]
)
AUDITED_AT = Gauge(
    "veritick_trading_audit_time_seconds",
    "When the last audit ended",
    ["book"],
)
ENTRIES = Counter("veritick_trading_audit_entries_total", "Entries that were audited", ["book"])
_log = structlog.stdlib.get_logger()


class Auditing:
    """Audits one book as a job: whichever replica it falls to, on connections of its own."""

    def __init__(self, book: str, auditor: Audits) -> None:
        self._book = book
        self._auditor = auditor

    def job(self) -> Job:
        """Return this as a job. It bears being repeated: it goes on where all was in order."""
        return Job("audit", EVERY, self.run, limit=_LIMIT)

    async def run(self) -> None:
        """Audit what is new since everything was last in order."""
        self._tell(await self._auditor.audit())

    def _tell(self, report: Report) -> None:
        FINDINGS.labels(self._book).set(report.count)
        UNCHECKED.labels(self._book).set(len(report.unchecked))
        AUDITED_AT.labels(self._book).set(report.time.timestamp())
        ENTRIES.labels(self._book).inc(report.entries)
        for finding in report.findings[:_LOGGED_MAX]:
            _log.error("an invariant is broken", book=self._book, **finding._asdict())
        if report.count:
            _log.error("the book is not in order", book=self._book, findings=report.count)
        for invariant, obstacle in report.unchecked.items():
            _log.warning(
                "an invariant is not checked",
                book=self._book,
                invariant=invariant,
                obstacle=obstacle,
            )
