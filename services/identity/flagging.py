"""Raising a flag: stored once, and on record."""

from __future__ import annotations

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import flags
from services.identity.flag import Flag
from services.kit.audit import By, audited
from services.kit.journal import NewEvent

_log = structlog.stdlib.get_logger()


async def raise_flag(connection: AsyncConnection, flag: Flag) -> list[NewEvent]:
    """Store a flag, unless its rule has raised one already; return what goes on record."""
    if not await flags.add(connection, flag):
        return []
    _log.warning("fraud flag raised", rule=flag.rule, user_id=str(flag.user_id))
    told = {"rule": flag.rule, "detail": flag.detail, "flagId": str(flag.flag_id)}
    by, subject = By(f"rule:{flag.rule.lower()}"), f"user:{flag.user_id}"
    return [audited("fraud.flag", subject, flag.raised_at, by=by, after=told)]
