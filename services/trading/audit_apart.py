"""An audit in a process of its own, which gives way to the one that takes orders.

In the process of the writer, an audit of a busy minute cost the orders half of their rate.
`python -m services.trading audit --apart --book NAME`, with the settings of the service, has a
lower priority, and says in lines of JSON how far it is, once a second, and at last the report, or
that the database is away. When nobody listens any more it ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Protocol

from services.kit.database import DatabaseUnavailable
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.trading.audit import Finding
from services.trading.audit_report import Progress, Report

LITTLE = 1_000
"""Entries that are audited where they are asked for: a moment's work, less than a new process."""
_LINE_BYTES_MAX = 16 * 1024 * 1024
_TURN_SECONDS = 3.0
"""How long somebody waits for the process of somebody else to end."""
_AGAIN = timedelta(minutes=1)


class Audits(Protocol):
    """Whoever audits a book; an `Auditor`, for one."""

    async def audit(
        self, *, full: bool = False, accept: bool = False, progress: Progress | None = None
    ) -> Report:
        """Check what is new, or everything; see `Auditor.audit`."""

    async def amount(self, *, full: bool = False) -> int:
        """Return how many entries that would be."""


class AuditApart:
    """Audits a book: what is little on the spot, what is much in a process of its own.

    One such process at a time: whoever must not wait for others has an `AuditApart` to itself.
    """

    def __init__(self, book: str, here: Audits, *, little: int = LITTLE) -> None:
        """Audit the book of this name; `here` does it on the spot."""
        self._book = book
        self._here = here
        self._little = little
        self._turn = asyncio.Lock()

    async def amount(self, *, full: bool = False) -> int:
        """Return how many entries there are to look at. Errors: DatabaseUnavailable."""
        return await self._here.amount(full=full)

    async def audit(
        self, *, full: bool = False, accept: bool = False, progress: Progress | None = None
    ) -> Report:
        """Audit as `Auditor.audit` does. Whoever gives it up ends the process.

        Errors: DatabaseUnavailable; Failure UNAVAILABLE when others have the book audited already;
        RuntimeError when the process ended without a report.
        """
        progress = progress or Progress()
        if await self.amount(full=full) <= self._little:
            return await self._here.audit(full=full, accept=accept, progress=progress)
        command = [sys.executable, "-m", "services.trading", "audit", "--apart"]
        command += ["--book", self._book, *["--full"] * full, *["--accept"] * accept]
        async with self._alone():
            return await _run(command, progress)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(_TURN_SECONDS):
                await self._turn.acquire()
        except TimeoutError:
            message = "Others have the book audited already."
            raise Failure(Reason.UNAVAILABLE, message, retry_after=_AGAIN) from None
        try:
            yield
        finally:
            self._turn.release()


async def _run(command: list[str], progress: Progress) -> Report:
    # A session of its own: who ends the service by Ctrl-C has it end this.
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=DEVNULL,
        stdout=PIPE,
        limit=_LINE_BYTES_MAX,
        start_new_session=True,
    )
    try:
        return await _heard(process, progress)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _heard(process: Process, progress: Progress) -> Report:
    """Read what the process says until its end; return its report.

    Errors: DatabaseUnavailable and RuntimeError, as of `AuditApart.audit`.
    """
    assert process.stdout  # noqa: S101  it is a pipe
    report = None
    async for line in process.stdout:
        told = json.loads(line)
        if "findings" in told:
            report = _report(told)
        elif "unavailable" in told:
            raise DatabaseUnavailable(told["unavailable"])
        else:
            progress.entries, progress.entries_total = told["entries"], told["entries_total"]
    if report is None:
        raise RuntimeError(f"the audit ended with {await process.wait()} and without a report")
    return report


def line_of(told: Progress | Report | DatabaseUnavailable) -> str:
    """Return how far an audit is, what it found, or what it could not reach, as a line."""
    if isinstance(told, DatabaseUnavailable):
        return json.dumps({"unavailable": str(told)})
    return json.dumps(asdict(told), default=datetime.isoformat)


def _report(told: dict[str, Any]) -> Report:
    time = datetime.fromisoformat(told.pop("time"))
    findings = [Finding(*each) for each in told.pop("findings")]
    return Report(time=time, findings=findings, **told)
