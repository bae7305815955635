"""`check-audit-trail`: derive every hash again, and end with 1 when the trail was touched."""

from __future__ import annotations

import asyncio
import logging
import sys

import structlog

from services.identity.app import audit_trail
from services.identity.auditing import AuditTrail
from services.identity.settings import Settings
from services.identity.trail import Break
from services.kit.database import DatabaseUnavailable
from services.kit.settings import load_settings

_BROKEN, _UNCHECKED = 1, 2


def check_audit_trail() -> None:
    """Run the command; SystemExit carries the verdict."""
    settings = load_settings(Settings)
    # A person reads the output: only what went wrong is worth a log line.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        records, breaks = asyncio.run(_check(settings))
    except DatabaseUnavailable as error:
        sys.stderr.write(f"check-audit-trail: the database is away: {error}\n")
        raise SystemExit(_UNCHECKED) from None
    for found in breaks:
        sys.stdout.write(f"record {found.sequence}: {found.problem}\n")
    state = f"{len(breaks)} breaks" if breaks else "in order"
    sys.stdout.write(f"{records} records: {state}\n")
    if breaks:
        raise SystemExit(_BROKEN)


async def _check(settings: Settings) -> tuple[int, list[Break]]:
    async with audit_trail(settings) as trail:
        return await checked_wholly(trail)


async def checked_wholly(trail: AuditTrail) -> tuple[int, list[Break]]:
    """Return how many records there are, and what is wrong with them."""
    records, after, breaks = 0, 0, list[Break]()
    while True:
        step = await trail.check(after)
        records, after = records + step.records, step.last_sequence
        breaks += step.breaks
        if step.finished:
            return records, breaks
