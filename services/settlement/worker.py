"""The worker of one book: finds due orders, decides, has them closed, and issues receipts.

One round, made whenever the watermark passes a whole second, runs three stages at once, each on
another chunk of orders:

1. *decide*: first take what is outstanding, that is decisions without a receipt, by whomever they
   were made and wherever that was cut short; then page through the orders that are due, decide
   those whose fixing is final, and store the decisions;
2. *carry out*: tell the book, two chunks at a time;
3. *issue*: store receipts of what the book answered.

So recovery is no special case. Each step is idempotent by order: a decision that exists is used
again, a book answers a second close with the first, an order has one receipt.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import structlog

from services.kit.clock import Clock
from services.kit.errors import Failure
from services.kit.failpoints import reached
from services.kit.leader import Leadership, Term
from services.settlement.decisions import Chunk, Decisions, Outstanding
from services.settlement.fixing import Point
from services.settlement.market_time import MarketTime
from services.settlement.metrics import ALARMS, LAG_SECONDS, LEADING, PENDING, RETRIES, SETTLED
from services.settlement.neighbours import Quotes, Reply, Status, Trading
from services.settlement.outcome import DueOrder, decide
from services.settlement.receipt import Receipt
from services.settlement.receipts import Carried, Receipts

_PATIENCE_SECONDS = 1.0
_PAUSE_SECONDS_FIRST = 0.2
_PAUSE_SECONDS_MAX = 5.0
_log = structlog.stdlib.get_logger()
T = TypeVar("T")


class Worker:
    """Settles one book while it leads; otherwise stands by."""

    def __init__(
        self,
        book: str,
        *,
        leadership: Leadership,
        time: MarketTime,
        quotes: Quotes,
        trading: Trading,
        decisions: Decisions,
        receipts: Receipts,
        clock: Clock,
    ) -> None:
        """Settle the book of this name."""
        self.book = book
        self._leadership = leadership
        self._time = time
        self._quotes = quotes
        self._trading = trading
        self._decisions = decisions
        self._receipts = receipts
        self._voided: set[Point] = set()
        """What staff voided and was carried out while quotes was away."""

        self._clock = clock
        self._log = _log.bind(book=book)

    async def run(self) -> None:
        """Settle whenever elected, for ever."""
        await self._leadership.run(self._lead)

    async def _lead(self, term: Term) -> None:
        self._decisions.fixings.forget()
        await self._decisions.take_over(term)
        LEADING.labels(self.book).set(1)
        try:
            await self._work(term)
        finally:
            LEADING.labels(self.book).set(0)

    async def _work(self, term: Term) -> None:
        done: datetime | None = None
        pause = _PAUSE_SECONDS_FIRST
        while True:
            until = await self._time.beyond(done, _PATIENCE_SECONDS)
            try:
                await self.round(until, term)
            except Failure as failure:
                RETRIES.labels(self.book).inc()
                self._log.warning("settling waits", reason=failure.reason, detail=str(failure))
                await asyncio.sleep(pause)
                pause = min(pause * 2, _PAUSE_SECONDS_MAX)
            else:
                done, pause = until or done, _PAUSE_SECONDS_FIRST

    async def round(self, until: datetime | None, term: Term) -> None:
        """Settle what is outstanding and, up to a moment that is wholly known, what is due.

        Failure when a neighbour could not be asked; LeadershipLost, DatabaseUnavailable.
        """
        async with (
            aclosing(ahead(self._decided(until, term))) as decided,
            aclosing(ahead(self._carried_out(decided))) as carried_out,
        ):
            async for chunk, carried in carried_out:
                if not carried:
                    continue
                reached("worker.before_receipts")
                self._count(await self._receipts.issue(term, self.book, chunk, carried))

    async def _decided(self, until: datetime | None, term: Term) -> AsyncGenerator[Chunk]:
        """Yield what the book is to be told: what is outstanding, then what else is due.

        What is outstanding may still be open in the book, and due: it is told once all the same.
        """
        taken = set[UUID]()
        last = 0
        while chunk := await self._decisions.outstanding(last):
            yield chunk
            taken.update(item.decision.order_id for item in chunk.items)
            last = chunk.number
        if until is None:
            async for chunk in self._decide_voided(term, taken):
                yield chunk
            return
        pending = 0
        async with aclosing(ahead(self._trading.due(self.book, until))) as pages:
            async for due in pages:
                orders = [order for order in due if order.order_id not in taken]
                chunk = await self._decide(orders, term)
                pending += len(orders) - (len(chunk.items) if chunk else 0)
                if chunk:
                    yield chunk
        PENDING.labels(self.book).set(pending)

    async def _decide_voided(self, term: Term, taken: Collection[UUID]) -> AsyncGenerator[Chunk]:
        """Yield the orders of points that staff voided while quotes is away."""
        new = await self._decisions.voided() - self._voided
        if not new:
            return
        async for orders in self._trading.due(self.book, max(point.time for point in new)):
            chosen = [o for o in orders if o.point in new and o.order_id not in taken]
            if chunk := await self._decide(chosen, term):
                yield chunk
        self._voided |= new

    async def _decide(self, orders: Sequence[DueOrder], term: Term) -> Chunk | None:
        """Decide those orders that can be decided."""
        points = dict.fromkeys(order.point for order in orders)
        fixings = await self._decisions.fixings.of(points)
        fixed = await self._quotes.fixings([point for point in points if point not in fixings])
        fixings |= await self._decisions.fixings.keep(term, fixed.values())
        decisions = [
            decide(order, fixing) for order in orders if (fixing := fixings.get(order.point))
        ]
        if not decisions:
            return None
        reached("worker.before_decisions")
        return await self._decisions.store(term, decisions, fixings, self._clock.now())

    async def _carried_out(
        self, decided: AsyncIterator[Chunk]
    ) -> AsyncGenerator[tuple[Chunk, list[Carried]]]:
        """Yield what the book closed of each chunk, as it was told.

        It is told the next chunk while it writes one, and so decides that meanwhile.
        """
        under_way: deque[asyncio.Task[tuple[Chunk, list[Carried]]]] = deque()
        try:
            async for chunk in decided:
                under_way.append(asyncio.create_task(self._carry_out(chunk)))
                if len(under_way) > 1:
                    yield await under_way.popleft()
            while under_way:
                yield await under_way.popleft()
        finally:
            for task in under_way:
                task.cancel()
            # What they met no longer matters: whoever stopped has a reason of its own.
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _carry_out(self, chunk: Chunk) -> tuple[Chunk, list[Carried]]:
        reached("worker.before_settle")
        replies = await self._trading.settle(self.book, chunk.items)
        reached("worker.after_settle")
        return chunk, self._examine(chunk.items, replies)

    def _examine(self, chunk: Sequence[Outstanding], replies: Sequence[Reply]) -> list[Carried]:
        """Return what the book closed; raise an alarm for what it did otherwise than decided."""
        carried = []
        for outstanding, (status, closed) in zip(chunk, replies, strict=True):
            if status is not Status.SETTLED:
                ALARMS.labels(self.book, status.name).inc()
                self._log.error(
                    "the book did not do as decided",
                    order=str(outstanding.decision.order_id),
                    status=status.name,
                    decided=outstanding.decision.outcome.name,
                    closed=closed.outcome.name if closed else None,
                )
            if closed is not None:
                carried.append(Carried(outstanding, closed))
        return carried

    def _count(self, receipts: Sequence[Receipt]) -> None:
        now = self._clock.now()
        lag = LAG_SECONDS.labels(self.book)
        for expires_at in {receipt.closed.expires_at for receipt in receipts}:
            lag.observe((now - expires_at).total_seconds())
        outcomes = Counter(receipt.closed.outcome for receipt in receipts)
        for outcome, count in outcomes.items():
            SETTLED.labels(self.book, outcome.name).inc(count)


async def ahead(items: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """Yield the items, while the next one is already being made."""
    upcoming = asyncio.ensure_future(_next(items))
    try:
        while (item := await upcoming) is not None:
            upcoming = asyncio.ensure_future(_next(items))
            yield item
    finally:
        upcoming.cancel()
        # What it met no longer matters: whoever stopped has a reason of its own.
        await asyncio.gather(upcoming, return_exceptions=True)
        await items.aclose()


async def _next(items: AsyncIterator[T]) -> T | None:
    return await anext(items, None)
