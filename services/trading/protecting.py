"""Taking over what protects a user: from the next batch on, his orders are held to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.kit.database import RawConnection
from services.trading.commit import Transaction
from services.trading.market import MarketView
from services.trading.protection import Limit, Protection, Used
from services.trading.protections import (
    READ_PROTECTION,
    READ_USED,
    STORE_PROTECTION,
    protection_of,
    protection_parameters,
    used_on,
    used_parameters,
)
from services.trading.recording import Recorder


class Protect(NamedTuple):
    """Protect a user in this way from now on."""

    user_id: UUID
    version: int
    """Counts the user's changes: an older one than the one known changes nothing."""

    limits: tuple[Limit, ...]
    break_until: datetime | None
    excluded_until: datetime | None


class Protecting:
    """The batch of Protect: it has the book to itself, so it counts what is and nothing pending."""

    kind = "protect"
    size_max = 1
    ahead = False

    def __init__(self, *, market: MarketView, recorder: Recorder) -> None:
        self._market = market
        self._recorder = recorder

    async def load(self, connection: RawConnection) -> None:
        """Read where the seals of the book end; nothing else is kept in memory."""
        await self._recorder.load(connection)

    async def commit(
        self, commands: Sequence[Protect], transaction: Transaction
    ) -> Sequence[Protection]:
        """Store each, unless a newer one is known, and answer what is."""
        return [await self._protect(command, transaction) for command in commands]

    async def _protect(self, command: Protect, transaction: Transaction) -> Protection:
        rows = await transaction.read(READ_PROTECTION, {"user_id": command.user_id})
        known = protection_of(rows[0][0]) if rows else None
        if known is not None and known.version >= command.version:
            return known
        now = self._market.now()
        used = known.used if known else await self._count(command.user_id, transaction, now)
        protection = Protection(*command, used)
        changes = [(STORE_PROTECTION, protection_parameters(protection))]
        await self._recorder.record(transaction, changes, [], [], now)
        return protection

    async def _count(self, user_id: UUID, transaction: Transaction, now: datetime) -> Used:
        """Return what a user used up before anybody counted."""
        day = now.date()
        [row] = await transaction.read(READ_USED, used_parameters(user_id, day))
        return used_on(day, row)
