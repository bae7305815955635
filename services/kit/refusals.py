"""Refusals for the audit trail, counted, so that a flood of them is a handful of records.

A refusal is noted in memory, where it costs nothing, and told every few seconds: one record for
each kind (who, from where, what, why) with how often. Beyond a bound of kinds the rest is told as
one record without a name. What a process that is killed had not told yet is lost; it is in the
metrics and the logs all the same.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

import structlog

from services.kit.audit import By, audited_refusal
from services.kit.clock import Clock
from services.kit.database import Database, DatabaseUnavailable
from services.kit.journal import Journal
from services.kit.reason import Reason

KINDS_MAX = 50
"""Records of one telling, at most, and one for each reason beside them."""

_TELL_EVERY_SECONDS = 5.0
_LAST_WORDS_SECONDS = 2.0
_MANY = By("many")
_log = structlog.stdlib.get_logger()


class _Kind(NamedTuple):
    action: str
    subject: str
    by: By
    reason: Reason


@dataclass(slots=True)
class _Tally:
    request_id: str
    """The first call of its kind: the one that the record points to."""

    count: int = 0


class Refusals:
    """Counts refusals and tells them to a journal of this service."""

    def __init__(
        self,
        journal: Journal,
        database: Database,
        clock: Clock,
        every_seconds: float = _TELL_EVERY_SECONDS,
    ) -> None:
        """Tell the journal, which is kept in this database, so often."""
        self._journal = journal
        self._database = database
        self._clock = clock
        self._every_seconds = every_seconds
        self._tallies: dict[_Kind, _Tally] = {}

    def note(self, action: str, subject: str, by: By, reason: Reason) -> None:
        """Count a refusal."""
        kind = _Kind(action, subject, replace(by, request_id=""), reason)
        if kind not in self._tallies and len(self._tallies) >= KINDS_MAX:
            kind = _Kind("many", "", _MANY, reason)
        self._tallies.setdefault(kind, _Tally(by.request_id)).count += 1

    async def run(self) -> None:
        """Tell for ever, and once more at the end."""
        try:
            while True:
                await asyncio.sleep(self._every_seconds)
                await self.tell()
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_SECONDS):
                    await self.tell()

    async def tell(self) -> None:
        """Tell what was counted; while the database is away it is counted on."""
        told, self._tallies = self._tallies, {}
        if not told:
            return
        try:
            await self._append(told)
        except DatabaseUnavailable as error:
            _log.warning("refusals wait", reason=str(error))
            later, self._tallies = self._tallies, told
            for kind, tally in later.items():
                self._tallies.setdefault(kind, _Tally(tally.request_id)).count += tally.count

    async def _append(self, tallies: dict[_Kind, _Tally]) -> None:
        now = self._clock.now()
        events = [
            audited_refusal(
                kind.action,
                kind.subject,
                now,
                replace(kind.by, request_id=tally.request_id),
                kind.reason,
                tally.count,
            )
            for kind, tally in tallies.items()
        ]
        async with self._database.transaction() as connection:
            await self._journal.append(connection, events, now)
        self._journal.notify()
