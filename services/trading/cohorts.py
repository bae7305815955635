"""How long acceptance takes, by how well users are doing: the proof that it makes no difference.

Source: rules.md, "Acceptance". Nothing that decides an order reads any of this: how an account is
doing is asked afterwards, of many at once, and only to sort what was measured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

import structlog
from prometheus_client import Histogram
from sqlalchemy import text

from services.kit.database import Database, DatabaseUnavailable
from services.trading.market import MarketView

LOOK_BACK = timedelta(days=30)
NOTED_MAX = 10_000
"""What is measured beyond it, before it was told, is left out."""

_TELL_EVERY_SECONDS = 5.0
_RESULTS = text(
    "SELECT account_id, sum(returned - stakes) FROM account_statistics "
    "WHERE account_id = ANY (:accounts) AND day > :since GROUP BY account_id"
)
_log = structlog.stdlib.get_logger()


class Cohort(StrEnum):
    """How an account has done within LOOK_BACK."""

    NEW = "new"
    """None of its orders has closed."""

    WINNING = "winning"
    EVEN = "even"
    LOSING = "losing"


ACCEPTANCE_SECONDS = Histogram(
    "veritick_trading_acceptance_seconds",
    "From a request for an order to its answer, of accepted ones, by how the account has done",
    ["book", "cohort"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)


def cohort_of(result: int | None) -> Cohort:
    """Return the cohort of an account by what its closed orders brought, None without any."""
    if result is None:
        return Cohort.NEW
    if result == 0:
        return Cohort.EVEN
    return Cohort.WINNING if result > 0 else Cohort.LOSING


class Cohorts:
    """Measures how long one book takes to accept orders."""

    def __init__(self, book: str, database: Database, market: MarketView) -> None:
        """Begin with nothing measured."""
        self._book = book
        self._database = database
        self._market = market
        self._noted: list[tuple[UUID, float]] = []

    def note(self, accounts: Iterable[UUID], seconds: float) -> None:
        """Note how long accepted orders of these accounts took: an account for each order."""
        if len(self._noted) < NOTED_MAX:
            self._noted += [(account, seconds) for account in accounts]

    async def run(self) -> None:
        """Tell what was measured, every few seconds, for ever."""
        while True:
            await asyncio.sleep(_TELL_EVERY_SECONDS)
            try:
                await self.tell()
            except DatabaseUnavailable as error:
                _log.warning("latencies wait", book=self._book, reason=str(error))

    async def tell(self) -> None:
        """Sort what was measured into cohorts, and count it. Errors: DatabaseUnavailable."""
        noted = list(self._noted)
        results = await self._results({account for account, _ in noted})
        for account, seconds in noted:
            cohort = cohort_of(results.get(account))
            ACCEPTANCE_SECONDS.labels(self._book, cohort.value).observe(seconds)
        del self._noted[: len(noted)]

    async def _results(self, accounts: Collection[UUID]) -> Mapping[UUID, int]:
        if not accounts:
            return {}
        since: date = (self._market.now() - LOOK_BACK).date()
        async with self._database.connection() as connection:
            rows = await connection.execute(_RESULTS, {"accounts": list(accounts), "since": since})
            return {row[0]: int(row[1]) for row in rows}
