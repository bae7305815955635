"""What an audit says: how far it is, and at last what it found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from dataclasses import dataclass, field
from datetime import datetime

from services.trading.audit import Finding

_TELL_EVERY_SECONDS = 1.0


@dataclass
class Progress:
    """How far an audit is, for whoever waits for it."""

    entries: int = 0
    entries_total: int = 0
    """What there is to look at; 0 until that is known."""


@dataclass
class Report:
    """What an audit found."""

    time: datetime
    full: bool
    findings: list[Finding]
    count: int
    """How many findings there are; not all of very many are kept."""

    entries: int
    """Entries that were looked at."""

    last_entry_id: int
    unchecked: dict[str, str] = field(default_factory=dict)
    """What kept invariants from being checked."""


async def followed(
    audit: Coroutine[None, None, Report], progress: Progress
) -> AsyncGenerator[Progress | Report]:
    """Yield, every second, how far an audit is that keeps `progress` up to date; then its report.

    Whoever stops listening ends it.
    """
    auditing = asyncio.ensure_future(audit)
    try:
        while not (await asyncio.wait({auditing}, timeout=_TELL_EVERY_SECONDS))[0]:
            yield progress
        yield auditing.result()
    finally:
        auditing.cancel()
        await asyncio.wait({auditing})
