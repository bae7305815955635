"""The worker of one book: finds due orders, decides, has them closed, and issues receipts.

One round, made whenever the watermark passes a whole second:

1. carry out what is outstanding: decisions whose receipt was not issued, by whomever they were
   made and wherever that was cut short;
2. page through the orders that are due; decide those whose fixing is final, store the decisions,
   and carry them out as in 1.

So recovery is no special case. Each step is idempotent by order: a decision that exists is used
again, a book answers a second close with the first, an order has one receipt.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import structlog

from services.kit.clock import Clock
from services.kit.errors import Failure
from services.kit.leader import Leadership, Term
from services.settlement.decisions import Decisions, Outstanding
from services.settlement.fixing import Point
from services.settlement.market_time import MarketTime
from services.settlement.metrics import ALARMS, LAG_SECONDS, LEADING, PENDING, RETRIES, SETTLED
from services.settlement.neighbours import PAGE, Quotes, Reply, Status, Trading
from services.settlement.outcome import DueOrder, decide
from services.settlement.receipt import Receipt
from services.settlement.receipts import Carried, Receipts

_PATIENCE_SECONDS = 1.0
_PAUSE_SECONDS_FIRST = 0.2
_PAUSE_SECONDS_MAX = 5.0
_log = structlog.stdlib.get_logger()


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
        self._clock = clock
        self._log = _log.bind(book=book)

    async def run(self) -> None:
        """Settle whenever elected, for ever."""
        await self._leadership.run(self._lead)

    async def _lead(self, term: Term) -> None:
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
        await self._carry_out(term)
        if until is None:
            return
        pending = 0
        async for orders in self._trading.due(self.book, until):
            pending += await self._decide(orders, term)
            await self._carry_out(term)
        PENDING.labels(self.book).set(pending)

    async def _decide(self, orders: Sequence[DueOrder], term: Term) -> int:
        """Decide what can be decided, and return of how many the fixing is pending."""
        points: dict[Point, None] = dict.fromkeys(order.point for order in orders)
        fixings = await self._decisions.fixings(points)
        new = await self._quotes.fixings([point for point in points if point not in fixings])
        fixings |= new
        decisions = [
            decide(order, fixing) for order in orders if (fixing := fixings.get(order.point))
        ]
        if decisions:
            await self._decisions.store(term, decisions, new.values(), self._clock.now())
        return len(orders) - len(decisions)

    async def _carry_out(self, term: Term) -> None:
        """Have every outstanding decision carried out by the book, and issue the receipts."""
        page = await self._decisions.outstanding(None, PAGE)
        while page:
            replies = await self._trading.settle(self.book, page)
            carried = self._examine(page, replies)
            if carried:
                receipts = await self._receipts.issue(term, self.book, self._decisions, carried)
                self._count(receipts)
            if len(page) < PAGE:
                return
            page = await self._decisions.outstanding(page[-1].decision, PAGE)

    def _examine(self, page: Sequence[Outstanding], replies: Sequence[Reply]) -> list[Carried]:
        """Return what the book closed; raise an alarm for what it did otherwise than decided."""
        carried = []
        for outstanding, (status, closed) in zip(page, replies, strict=True):
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
        for receipt in receipts:
            lag.observe((now - receipt.closed.expires_at).total_seconds())
        outcomes = Counter(receipt.closed.outcome for receipt in receipts)
        for outcome, count in outcomes.items():
            SETTLED.labels(self.book, outcome.name).inc(count)
