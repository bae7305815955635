"""A desk on a real database with a market that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from services.kit.clock import Clock, ManualClock, SystemClock, utc
from services.kit.database import Database
from services.kit.ids import Ids, uuid7
from services.kit.values import Money
from services.trading.book import Account
from services.trading.desk import BookRules, Desk
from services.trading.market import Instrument, InstrumentStatus, MarketView, Session
from services.trading.order import Direction, OrderRequest, Outcome, Tick, VoidReason
from services.trading.placing import Placed
from services.trading.settling import Decision, Settled, SettleOrders
from services.trading.terms import TermsDefaults
from tests.stores import Postgres
from tests.waiting import eventually

START = utc(2026, 11, 23, 12, 0, 0, 500_000)
SYMBOL = "BTCUSD"
CHIPS = 1_000_000


def instrument(symbol: str = SYMBOL, **changes: Any) -> Instrument:
    """Return an instrument that trades around the clock, with some fields changed."""
    fields: dict[str, Any] = {
        "symbol": symbol,
        "price_scale": 2,
        "status": InstrumentStatus.ENABLED,
        "sessions": (Session(None, None),),
        "max_tick_age": timedelta(seconds=5),
        "feed_silence_max": timedelta(seconds=5),
    }
    return Instrument(**(fields | changes))


class Market:
    """The market of a test: it knows one price of each instrument and moves when told to."""

    def __init__(self, *symbols: str) -> None:
        self.clock = ManualClock(START)
        self.view = MarketView(self.clock)
        self.number = 0
        self.ticks: list[tuple[str, Tick]] = []
        """Everything that was known, in order."""

        for symbol in symbols or (SYMBOL,):
            self.view.set_instrument(instrument(symbol))
            self.tick(10_000, symbol)
        self.view.complete = True

    def tick(self, price: int, symbol: str = SYMBOL) -> Tick:
        """Let a price be known now, and the watermark with it."""
        self.number += 1
        if any(
            known == symbol and tick.time >= self.clock.now() for known, tick in self.ticks[-1:]
        ):
            # Quotes gives no two ticks of an instrument the same time.
            self.clock.advance(timedelta(microseconds=1))
        now = self.clock.now()
        tick = Tick(self.number, price, now, now)
        self.ticks.append((symbol, tick))
        self.view.add_ticks([(symbol, tick)])
        self.view.set_watermark(now, now, now)
        return tick

    def advance(self, seconds: float, price: int | None = None) -> Tick | None:
        """Let time pass, and a new price come at its end."""
        self.clock.advance(timedelta(seconds=seconds))
        return None if price is None else self.tick(price)


@dataclass
class Bench:
    """A desk that leads its book, with the market it trades on."""

    desk: Desk
    market: Market
    owner: str
    """DSN of the role that owns the book's tables, and may do what the service may not."""

    async def account(self) -> Account:
        """Open the account of a new user."""
        return await self.desk.open_account(uuid4())

    async def place(self, account: Account, **changes: Any) -> Placed:
        """Place an order of 10.00 up for 10 s, with some fields changed."""
        placed: Placed = await self.desk.writer.submit(request(account, **changes))
        return placed

    async def settle(self, order_id: UUID, outcome: Outcome, close: Tick | None = None) -> Settled:
        """Close one order."""
        reason = VoidReason.NONE if outcome is not Outcome.VOID else VoidReason.NO_TICK
        command = SettleOrders([Decision(order_id, outcome, reason, close)])
        settled: list[Settled] = await self.desk.writer.submit(command)
        return settled[0]

    async def now(self, account: Account) -> Account:
        """Return the account as it is stored now."""
        found = await self.desk.book.account(account.account_id)
        assert found is not None
        return found

    async def trial_balance(self) -> dict[int, int]:
        """Return the ledger's balances by system account; 0 stands for all users."""
        lines = await self.desk.ledger.trial_balance()
        return {line.account_id.int if line.account_id else 0: line.balance for line in lines}


def request(account: Account, **changes: Any) -> OrderRequest:
    """Return a request for an order of 10.00 up for 10 s, with some fields changed."""
    fields: dict[str, Any] = {
        "account_id": account.account_id,
        "user_id": account.user_id,
        "request_id": uuid4(),
        "instrument": SYMBOL,
        "direction": Direction.UP,
        "stake": Money(1_000, "USD"),
        "duration_seconds": 10,
    }
    return OrderRequest(**(fields | changes))


def ids_of(clock: Clock) -> Ids:
    """Return ids that tell the time of a clock, each later than the one before."""
    count = itertools.count()

    def following() -> UUID:
        milliseconds = int(clock.now().timestamp() * 1000)
        return UUID(int=(milliseconds << 16 | 7 << 12) << 64 | 0b10 << 62 | next(count))

    return following


def desk_on(
    database: Database, market: Market, *, policy: str = "fixed", ids: Ids = uuid7, **terms: Any
) -> Desk:
    """Return a demo desk with default terms, some of them changed."""
    rules = BookRules("DEMO", "USD", CHIPS, TermsDefaults(**terms), payout_policy=policy)
    # A lease lasts as long as it really does, however a test moves the market's time.
    return Desk("demo", rules, database, market.view, SystemClock(), ids)


@asynccontextmanager
async def bench(
    postgres: Postgres,
    *symbols: str,
    policy: str = "fixed",
    ids_tell_market_time: bool = False,
    **terms: Any,
) -> AsyncIterator[Bench]:
    """Lend a desk that leads a new book."""
    market = Market(*symbols)
    ids = ids_of(market.clock) if ids_tell_market_time else uuid7
    with postgres.database("trading_demo") as access:
        async with Database(access.service, name="demo") as database:
            desk = desk_on(database, market, policy=policy, ids=ids, **terms)
            async with leading(desk):
                yield Bench(desk, market, access.owner)


@asynccontextmanager
async def leading(desk: Desk) -> AsyncIterator[asyncio.Task[None]]:
    """Run a desk's writer, and wait until it leads; yields the writer, which may end."""
    tasks = [asyncio.create_task(desk.writer.run())]
    try:
        await _until(lambda: desk.writer.leading, tasks)
        # Only now, so that it need not look a second time.
        tasks.append(asyncio.create_task(desk.keep_terms()))
        await _until(desk.ready, tasks)
        yield tasks[0]
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _until(true: Callable[[], bool], tasks: Sequence[asyncio.Task[None]]) -> None:
    def holds() -> bool:
        for task in tasks:
            if task.done():
                task.result()
        return true()

    await eventually(holds)


def seconds_after(moment: datetime, seconds: float) -> datetime:
    """Return a later moment."""
    return moment + timedelta(seconds=seconds)
