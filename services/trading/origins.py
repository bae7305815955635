"""The tables `origin` and `order_origin`: from where each order was placed (rules.md, "Fraud").

Noting it costs an order nothing: it is kept in memory and written a moment later, many at once.
What a process that is killed had not written yet is lost; money never depends on it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache
from typing import LiteralString, NamedTuple
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy import text

from services.kit.arrays import texts, timestamps, uuids
from services.kit.clock import Clock
from services.kit.database import Database, DatabaseUnavailable
from services.kit.errors import Failure
from services.kit.jobs import Job
from services.kit.origin import Origin, origin
from services.kit.reason import Reason
from services.trading.order import Order
from services.trading.placing import Placed

WAITING_MAX = 100_000
KEEP = timedelta(days=365)
COUNTED_MAX = timedelta(hours=1)
_TOGETHER = 2_000
_EVERY_SECONDS = 0.5
_LAST_WORDS_SECONDS = 2.0
_FORGOTTEN_TOGETHER = 5_000
_ORIGINS_KNOWN = 4_096

LOST = Counter(
    "veritick_trading_order_origins_lost_total",
    "Orders whose origin was not written, since too many waited",
    ["book"],
)

_WRITE: LiteralString = """
    WITH seen AS (
        INSERT INTO origin (origin_id, address, device, agent)
        SELECT * FROM unnest(%(origin_ids)s::uuid[], %(addresses)s::text[], %(devices)s::text[],
            %(agents)s::text[])
        ON CONFLICT DO NOTHING
    )
    INSERT INTO order_origin (order_id, user_id, origin_id, opened_at)
    SELECT * FROM unnest(%(orders)s::uuid[], %(users)s::uuid[], %(origins)s::uuid[],
        %(opened)s::timestamptz[])
    ON CONFLICT DO NOTHING
"""
_PAGE = text(
    """
    SELECT order_id, address, device, agent, opened_at
    FROM order_origin JOIN origin USING (origin_id)
    WHERE user_id = :user_id AND (CAST(:before AS uuid) IS NULL OR order_id < :before)
      AND (CAST(:only AS uuid) IS NULL OR order_id = :only)
    ORDER BY order_id DESC LIMIT :limit
    """
)
_COUNT = text(
    """
    SELECT o.address, o.device, x.user_id, count(*)
    FROM order_origin x JOIN origin o USING (origin_id)
    WHERE x.opened_at >= :start AND x.opened_at < :end
      AND (o.address, o.device, x.user_id)
          > (CAST(:address AS text), CAST(:device AS text), CAST(:user_id AS uuid))
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT :limit
    """
)
_FORGET = text(
    """
    DELETE FROM order_origin WHERE order_id IN (
        SELECT order_id FROM order_origin WHERE opened_at < :before ORDER BY opened_at LIMIT :limit
    )
    """
)
_FORGET_USER = text(
    """
    WITH forgotten AS (
        DELETE FROM order_origin WHERE user_id = :user_id RETURNING origin_id
    )
    DELETE FROM origin o WHERE origin_id IN (SELECT origin_id FROM forgotten)
        AND NOT EXISTS (
            SELECT FROM order_origin WHERE origin_id = o.origin_id AND user_id <> :user_id
        )
    """
)
_FORGET_UNUSED = text(
    """
    DELETE FROM origin o WHERE NOT EXISTS (
        SELECT FROM order_origin WHERE origin_id = o.origin_id
    ) AND seen_at < :before
    """
)
_log = structlog.stdlib.get_logger()


class OrderOrigin(NamedTuple):
    """From where an order was placed."""

    order_id: UUID
    address: str
    device: str
    agent: str
    opened_at: datetime


class Place(NamedTuple):
    """A user somewhere: the order in which counts are listed."""

    address: str
    device: str
    user_id: UUID


FIRST = Place("", "", UUID(int=0))


class _Noted(NamedTuple):
    order: Order
    user_id: UUID
    origin: Origin


class Origins:
    """Notes from where the orders of one book come."""

    def __init__(self, book: str, database: Database, clock: Clock) -> None:
        self._book = book
        self._database = database
        self._clock = clock
        self._waiting: deque[_Noted] = deque()

    def note(self, placed: Iterable[Placed], user_id: UUID) -> None:
        """Note that the call that is being handled placed these orders, those that are new."""
        where = origin()
        new = [_Noted(item.booked.order, user_id, where) for item in placed if not item.replay]
        self._waiting.extend(new)
        while len(self._waiting) > WAITING_MAX:
            self._waiting.popleft()
            LOST.labels(self._book).inc()

    async def run(self) -> None:
        """Write what was noted, for ever and once more at the end."""
        try:
            while True:
                await asyncio.sleep(_EVERY_SECONDS)
                await self.write()
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_SECONDS):
                    await self.write()

    async def write(self) -> None:
        """Write what was noted; while the database is away it waits."""
        while self._waiting:
            some = [self._waiting.popleft() for _ in range(min(_TOGETHER, len(self._waiting)))]
            try:
                await self._write(some)
            except BaseException as error:
                # Also when it was stopped in between: what is written twice is there once.
                self._waiting.extendleft(reversed(some))
                if not isinstance(error, DatabaseUnavailable):
                    raise
                _log.warning("origins of orders wait", book=self._book, reason=str(error))
                return

    async def _write(self, some: Iterable[_Noted]) -> None:
        rows = [(_id_of(item.origin), item) for item in some]
        seen = {key: item.origin for key, item in rows}
        parameters = {
            "origin_ids": uuids(list(seen)),
            "addresses": texts([where.address for where in seen.values()]),
            "devices": texts([where.device for where in seen.values()]),
            "agents": texts([where.agent for where in seen.values()]),
            "orders": uuids([item.order.order_id for _, item in rows]),
            "users": uuids([item.user_id for _, item in rows]),
            "origins": uuids([key for key, _ in rows]),
            "opened": timestamps([item.order.opened_at for _, item in rows]),
        }
        async with self._database.raw() as connection:
            await connection.set_autocommit(True)
            await connection.execute(_WRITE, parameters)

    async def page(
        self, user_id: UUID, only: UUID | None, before: UUID | None, limit: int
    ) -> list[OrderOrigin]:
        """Return from where a user's orders came, newest first; or `only` one of them."""
        parameters = {"user_id": user_id, "only": only, "before": before, "limit": limit}
        async with self._database.connection() as connection:
            return [OrderOrigin(*row) for row in await connection.execute(_PAGE, parameters)]

    async def counts(
        self, start: datetime, end: datetime, after: Place, limit: int
    ) -> list[tuple[Place, int]]:
        """Return how many orders each user placed from where, of those that opened in a span.

        Failure INVALID_TIME_RANGE for none, or one that is too long.
        """
        if not timedelta(0) < end - start <= COUNTED_MAX:
            raise Failure(Reason.INVALID_TIME_RANGE, "This is no span, or too long a one.")
        parameters = {"start": start, "end": end, "limit": limit, **after._asdict()}
        async with self._database.connection() as connection:
            rows = await connection.execute(_COUNT, parameters)
            return [(Place(*where), orders) for *where, orders in rows]

    async def forget_user(self, user_id: UUID) -> None:
        """Forget from where a user's orders came, and the places that nobody else used."""
        async with self._database.transaction() as connection:
            await connection.execute(_FORGET_USER, {"user_id": user_id})

    def job(self) -> Job:
        """Return the forgetting as a job."""
        return Job("forget-origins", timedelta(hours=1), self.forget)

    async def forget(self) -> None:
        """Forget from where orders came that opened longer ago than KEEP."""
        before = self._clock.now() - KEEP
        deleted = _FORGOTTEN_TOGETHER
        while deleted == _FORGOTTEN_TOGETHER:
            async with self._database.transaction() as connection:
                condition = {"before": before, "limit": _FORGOTTEN_TOGETHER}
                deleted = (await connection.execute(_FORGET, condition)).rowcount
        async with self._database.transaction() as connection:
            await connection.execute(_FORGET_UNUSED, {"before": before})


@lru_cache(_ORIGINS_KNOWN)
def _id_of(where: Origin) -> UUID:
    """Return the id of an origin: the same for the same, so that nobody has to look it up."""
    digest = hashlib.sha256("\0".join((where.address, where.device, where.agent)).encode())
    return UUID(bytes=digest.digest()[:16])
