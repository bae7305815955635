"""P1: the book's group commit, in process, 64 callers, beside pgbench."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import perf_counter
from uuid import UUID, uuid4

from services.kit.clock import SystemClock
from services.kit.database import Database
from services.kit.ids import uuid7
from services.kit.values import Money
from services.trading.desk import BookRules, Desk
from services.trading.market import MarketView
from services.trading.order import Direction, OrderRequest, Tick
from services.trading.terms import TermsDefaults
from tests.bench import pgbench
from tests.bench.rows import Row, side_by_side
from tests.service.trading_fixtures import SYMBOL, instrument, leading
from tests.stores import Postgres

ACCOUNTS = 1_000
CALLERS = 64
SECONDS = 4
UNLIMITED = TermsDefaults(open_orders_max=1_000_000_000, exposure_max=10**15)


class LiveMarket:
    """A market of one instrument on the real clock, whose price is renewed every 50 ms."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.view = MarketView(self.clock)
        self.view.set_instrument(instrument())
        self.view.complete = True
        self._number = 0

    async def run(self) -> None:
        while True:
            self._number += 1
            now = self.clock.now()
            self.view.add_ticks([(SYMBOL, Tick(self._number, 10_000, now, now))])
            self.view.set_watermark(now, now, now)
            await asyncio.sleep(0.05)


async def p1(postgres: Postgres, folder: Path) -> Row:
    """Return the rate of durable orders of 64 callers over that of pgbench."""
    with postgres.database("trading_demo") as ours, postgres.database("trading_demo") as theirs:
        owners = {}
        for access in (ours, theirs):
            await asyncio.to_thread(pgbench.prepare, access.owner, ACCOUNTS)
            owners.update(user_ids(access.owner)) if access is ours else None
        market = LiveMarket()
        ticking = asyncio.create_task(market.run())
        async with Database(ours.service, name="demo") as database:
            rules = BookRules("DEMO", "USD", 0, UNLIMITED)
            desk = Desk("demo", rules, database, market.view, market.clock, uuid7)
            async with leading(desk):
                left, right = await side_by_side(
                    lambda: _place(desk, list(owners.items())),
                    lambda: pgbench.orders_per_second(postgres, theirs.owner, folder, ACCOUNTS),
                )
        ticking.cancel()
    title = "group commit, 64 callers, beside one order per commit by pgbench"
    return Row("P1", title, "orders/s", left, right, goal=1.5)


def user_ids(url: str) -> dict[UUID, UUID]:
    """Return the user of each account."""
    import psycopg

    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT account_id, user_id FROM account")
        return {row[0]: row[1] for row in rows}


async def _place(desk: Desk, accounts: list[tuple[UUID, UUID]]) -> float:
    """Place orders from 64 callers for some seconds and return how many a second."""
    ends = perf_counter() + SECONDS
    counts = await asyncio.gather(
        *(_caller(desk, accounts[caller::CALLERS], ends) for caller in range(CALLERS))
    )
    return sum(counts) / SECONDS


async def _caller(desk: Desk, accounts: list[tuple[UUID, UUID]], ends: float) -> int:
    count = 0
    while perf_counter() < ends:
        account_id, user_id = accounts[count % len(accounts)]
        request = OrderRequest(
            account_id=account_id,
            user_id=user_id,
            request_id=uuid4(),
            instrument=SYMBOL,
            direction=Direction.UP,
            stake=Money(100, "USD"),
            duration_seconds=3_600,
        )
        await desk.writer.submit(request)
        count += 1
    return count
