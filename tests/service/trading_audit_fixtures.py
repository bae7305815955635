"""A book in which everything has happened, and what quotes would say about it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest_asyncio

from services.kit.values import Money
from services.trading.audit import Finding, Fixing, MarketState, Point, Standing
from services.trading.audit_report import Report
from services.trading.auditor import Auditor
from services.trading.book import Account
from services.trading.holding import EndHold, ExpireHolds, Held, HoldRequest, HoldState
from services.trading.moving import RefillRequest, TransferRequest
from services.trading.order import Order, Outcome, Tick, VoidReason
from services.trading.posting import Entry, SystemAccount
from services.trading.sealing import INSERT_ENTRIES, read_head, sealed
from services.trading.statement import run
from tests.service.trading_breaks import Named
from tests.service.trading_fixtures import CHIPS, Bench, bench
from tests.stores import Postgres

_MOVE = "UPDATE account SET posted = posted + %s WHERE account_id = %s"
CLOSE_PRICES = {Outcome.WIN: 10_100, Outcome.LOSS: 9_900, Outcome.DRAW: 10_000}


@dataclass
class Record:
    """The fixings and markets of a test, in place of quotes."""

    fixed: dict[Point, Fixing] = field(default_factory=dict)
    ticks: list[tuple[str, Tick]] = field(default_factory=list)
    """What was stored, in order."""

    stood: dict[Point, Standing | None] = field(default_factory=dict)
    """How markets stood that were not tradable around the clock."""

    state: MarketState = MarketState.TRADABLE

    async def fixings(self, points: Sequence[Point]) -> list[Fixing | None]:
        """Return what was fixed; None, pending, for anything else."""
        return [self.fixed.get(point) for point in points]

    async def standings(self, points: Sequence[Point]) -> list[Standing | None]:
        """Return how markets stood."""
        return [self.stood.get(point, self.standing(point)) for point in points]

    def standing(self, point: Point, closes_at: datetime | None = None) -> Standing:
        """Return how a market stood, by the ticks that were stored."""
        ticks = [tick for symbol, tick in self.ticks if symbol == point.instrument]
        last = next((tick for tick in reversed(ticks) if tick.time <= point.time), None)
        return Standing(self.state, closes_at, timedelta(seconds=5), last)


@dataclass
class Books:
    """A desk with its auditor."""

    demo: Bench
    record: Record = field(default_factory=Record)

    def __post_init__(self) -> None:
        self.use(self.record)

    def use(self, record: Record) -> None:
        """Let this be what quotes says; it has stored the ticks of the market."""
        record.ticks = self.demo.market.ticks
        self.record = record

    async def audit(self, *, full: bool = False) -> Report:
        """Audit the book."""
        return await self.auditor().audit(full=full)

    def auditor(self) -> Auditor:
        """Return an auditor of the book."""
        market, desk = self.demo.market, self.demo.desk
        return Auditor(desk.book.database, desk.wire, market.clock.now, self.record)

    async def open(self, account: Account, **changes: Any) -> Order:
        """Place an order on a price of 100.00."""
        self.demo.market.tick(10_000)
        return (await self.demo.place(account, **changes)).booked.order

    async def close(self, order: Order, outcome: Outcome) -> None:
        """Close an order at a price that makes this its outcome."""
        tick = None
        if outcome is not Outcome.VOID:
            tick = self.demo.market.advance(1, CLOSE_PRICES[outcome])
        self.fix(order, tick)
        await self.demo.settle(order.order_id, outcome, tick)

    def fix(self, order: Order, tick: Tick | None) -> None:
        """Let quotes have fixed the price at an order's expiry."""
        reason = VoidReason.NONE if tick else VoidReason.NO_TICK
        point = Point(order.instrument, order.expires_at)
        self.record.fixed[point] = Fixing(tick, int(reason))
        # Tests do not wait for an order's expiry: this is how the market will have stood then.
        self.record.stood[point] = self.record.standing(point)._replace(
            max_tick_age=timedelta(hours=1), last_tick=tick
        )

    async def trade(self, account: Account, outcome: Outcome) -> Order:
        """Open and close an order."""
        order = await self.open(account)
        self.demo.market.advance(2)
        await self.close(order, outcome)
        return order

    async def move(self, account: Account, amount: int) -> UUID:
        """Transfer money from or to the clearing account."""
        money = Money(amount, "USD")
        command = TransferRequest(account.account_id, uuid4(), SystemAccount.CLEARING, money)
        return (await self.demo.desk.writer.submit(command)).transfer.transfer_id  # type: ignore[no-any-return]

    async def hold(self, account: Account, amount: int, seconds: int | None = None) -> UUID:
        """Hold money of an account."""
        now = self.demo.desk.market.now()
        expires_at = None if seconds is None else now + timedelta(seconds=seconds)
        money = Money(amount, "USD")
        command = HoldRequest(
            account.account_id, uuid4(), SystemAccount.CLEARING, money, expires_at
        )
        held: Held = await self.demo.desk.writer.submit(command)
        return held.hold.hold_id

    async def end(self, hold_id: UUID, state: HoldState) -> Held:
        """Post or void a hold."""
        held: Held = await self.demo.desk.writer.submit(EndHold(hold_id, uuid4(), state))
        return held

    async def refill(self, account: Account) -> None:
        """Fill an account up."""
        command = RefillRequest(account.account_id, account.user_id, uuid4(), CHIPS)
        await self.demo.desk.writer.submit(command)

    async def be_busy(self) -> list[Account]:
        """Let everything happen that can happen in a book; return its accounts."""
        accounts = [await self.demo.account() for _ in range(3)]
        for account in accounts:
            for outcome in Outcome:
                await self.trade(account, outcome)
            await self.open(account)
        first, second, third = accounts
        await self.move(first, 5_000)
        await self.move(first, -7_000)
        await self.refill(second)
        await self.end(await self.hold(third, 2_500), HoldState.POSTED)
        await self.end(await self.hold(third, 2_600), HoldState.VOIDED)
        await self.hold(third, 2_700)
        await self.hold(third, 2_800, seconds=5)
        self.demo.market.advance(6)
        await self.demo.desk.writer.submit(ExpireHolds())
        return accounts

    async def smuggle(self, entries: Sequence[Entry]) -> list[int]:
        """Write entries under a seal of their own, as a writer that is wrong could.

        Returns their ids. The desk's own writer does not learn of it.
        """
        now = self.demo.market.clock.now()
        async with self.demo.desk.book.database.raw() as connection, connection.transaction():
            head = await read_head(connection)
            seal, parameters = sealed(head, entries, now)
            await run(connection, [(INSERT_ENTRIES, parameters)])
            for entry in entries:
                moved = (entry.amount, entry.account_id)
                await connection.execute(_MOVE, moved)
        return list(range(head.last_entry_id + 1, seal.last_entry_id + 1))

    def tamper(self, statements: str, **parameters: object) -> list[Any]:
        """Change the book as its owner could; return the rows of the last statement, if any."""
        with psycopg.connect(self.demo.owner) as connection:
            cursor = connection.execute(statements, parameters)
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []


@pytest_asyncio.fixture
async def books(postgres: Postgres) -> AsyncIterator[Books]:
    async with bench(postgres) as demo:
        yield Books(demo)


async def found(books: Books, *, full: bool = False) -> set[Named]:
    """Return (invariant, table, row) of everything an audit finds.

    The events of an order that was changed tell what it was before: that is left out where it is
    not all that is found.
    """
    report = await books.audit(full=full)
    assert not report.unchecked
    assert report.count == len(report.findings)
    return {item[:3] for item in but_told(report)} or {item[:3] for item in report.findings}


def but_told(report: Report) -> list[Finding]:
    """Return the findings but those that compare orders with what was told of them."""
    return [item for item in report.findings if not item.problem.startswith("tells another")]
