"""Recalculating payouts: what was closed lately, through the book's policy, to new terms."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

import structlog
from sqlalchemy import text

from services.kit.database import Database, DatabaseUnavailable
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.trading.market import MarketView
from services.trading.payout import LOOK_BACK, RECALCULATE_EVERY, Policy, Recent
from services.trading.setting_terms import SetTerms
from services.trading.tables import TermsBook
from services.trading.writer import Writer

_NOBODY = Recent(0, 0)
# Somebody else changed the terms at the same time, or this process does not lead any more.
_LATER = frozenset({Reason.TERMS_CHANGED, Reason.UNAVAILABLE, Reason.OUTCOME_UNKNOWN})
_RECENT = text(
    "SELECT instrument, sum(orders - refunds)::bigint, sum(winners)::bigint "
    "FROM instrument_statistics WHERE minute > :since GROUP BY instrument"
)
_log = structlog.stdlib.get_logger()


class Payouts:
    """Keeps the payouts of one book, while this process writes it."""

    def __init__(
        self,
        *,
        database: Database,
        writer: Writer,
        terms: TermsBook,
        market: MarketView,
        name: str,
        policy: Policy,
    ) -> None:
        """Follow `policy`, which is known as `name`; `terms` are the writer's own."""
        self._database = database
        self._writer = writer
        self._terms = terms
        self._market = market
        self._name = name
        self._policy = policy

    async def run(self) -> None:
        """Recalculate every minute, for ever; an outage of the database only delays it."""
        while True:
            await asyncio.sleep(RECALCULATE_EVERY.total_seconds())
            if self._writer.leading:
                try:
                    await self.recalculate()
                except DatabaseUnavailable as error:
                    _log.warning("payouts wait", policy=self._name, reason=str(error))

    async def recalculate(self) -> list[str]:
        """Set every payout that is another now; return the instruments whose it was."""
        recent = await self._recent()
        symbols = list(self._market.instruments)
        return [s for s in symbols if await self._set(s, recent.get(s, _NOBODY))]

    async def _recent(self) -> Mapping[str, Recent]:
        since = self._market.now() - LOOK_BACK
        async with self._database.connection() as connection:
            rows = await connection.execute(_RECENT, {"since": since})
            return {row[0]: Recent(row[1], row[2]) for row in rows}

    async def _set(self, symbol: str, recent: Recent) -> bool:
        terms = self._terms.current(symbol)
        if terms is None or (payout_bp := self._policy(terms, recent)) == terms.payout_bp:
            return False
        inputs = json.dumps({"policy": self._name, **recent._asdict()})
        command = SetTerms(
            terms._replace(payout_bp=payout_bp), f"policy:{self._name}", inputs=inputs
        )
        try:
            await self._writer.submit(command)
        except Failure as failure:
            if failure.reason not in _LATER:
                raise
            return False
        return True
