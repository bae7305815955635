"""What the auditor holds against the record of quotes: where orders opened and closed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from services.trading.audit import (
    Fixing,
    MarketState,
    Point,
    Standing,
    check_derivation,
    check_fixing,
    check_market,
)
from services.trading.audit_findings import Findings
from services.trading.book import BookedOrder
from services.trading.market import WATERMARK_AGE_MAX
from services.trading.order import Order

_POINTS = 1_000
_RETRY_SECONDS = 0.2
_RETRIES = 10
_LOOKS = 10
T = TypeVar("T")


class Quotes(Protocol):
    """Knows what prices were fixed, and how markets stood."""

    async def fixings(self, points: Sequence[Point]) -> Sequence[Fixing | None]:
        """Return what was fixed at each point; None where that is still pending."""

    async def standings(self, points: Sequence[Point]) -> Sequence[Standing | None]:
        """Return how the market of each point stood; None where that is not known yet."""


class Opened(NamedTuple):
    """An order that opened, and the table that holds it now."""

    order: Order
    table: str


class AgainstQuotes:
    """Compares orders with the record, if there is anybody to ask."""

    def __init__(self, quotes: Quotes | None, findings: Findings) -> None:
        self._quotes = quotes
        self._findings = findings
        self._early: list[Opened] = []
        self.unfixed = 0
        """Closed orders whose fixings nobody could be asked for."""

        self.unjudged = 0
        """Orders of whose opening nobody could be asked."""

    async def check_closed(self, closed: Sequence[BookedOrder]) -> None:
        """I6: these orders closed at the stored fixings, which follow from the recorded ticks."""
        if self._quotes is None:
            self.unfixed += len(closed)
            return
        points = [Point(item.order.instrument, item.order.expires_at) for item in closed]
        fixed = await _asked(self._quotes.fixings, points)
        for point, item in zip(points, closed, strict=True):
            if item.close is not None:
                self._findings.add(check_fixing(item.order, item.close, fixed[point]))
        for point, standing in (await _asked(self._quotes.standings, points)).items():
            if standing is not None and (fixing := fixed[point]) is not None:
                self._findings.add(check_derivation(point, fixing, standing))

    async def check_opened(self, opened: Sequence[Opened]) -> None:
        """I12: these orders opened on a fresh price of an open market."""
        if self._quotes is None:
            self.unjudged += len(opened)
            return
        stood = await _asked(self._quotes.standings, _moments(opened))
        doubtful = [item for item in opened if not _was_open(stood[_opening(item)])]
        stood |= await _asked(
            self._quotes.standings, [point for item in doubtful for point in _shortly_before(item)]
        )
        for item in opened:
            standing, entered = stood[_opening(item)], stood[_entry(item)]
            if not _was_open(standing):
                before = [stood[point] for point in _shortly_before(item)]
                standing = next(filter(_was_open, before), standing)
            if standing is None or entered is None:
                self._early.append(item)
            else:
                self._findings.add(check_market(*item, standing, entered))

    async def finish(self) -> None:
        """Check the orders that opened later than the record reached when they were met."""
        for _ in range(_RETRIES):
            if not self._early:
                return
            await asyncio.sleep(_RETRY_SECONDS)
            early, self._early = self._early, []
            await self.check_opened(early)
        self.unjudged += len(self._early)


async def _asked(
    ask: Callable[[Sequence[Point]], Awaitable[Sequence[T]]], points: Iterable[Point]
) -> dict[Point, T]:
    """Ask about each point once, so many at a time."""
    distinct = list(dict.fromkeys(points))
    answers: dict[Point, T] = {}
    for start in range(0, len(distinct), _POINTS):
        some = distinct[start : start + _POINTS]
        answers.update(zip(some, await ask(some), strict=True))
    return answers


def _moments(opened: Iterable[Opened]) -> Iterable[Point]:
    for item in opened:
        yield _opening(item)
        yield _entry(item)


def _opening(item: Opened) -> Point:
    return Point(item.order.instrument, item.order.opened_at)


def _shortly_before(item: Opened) -> list[Point]:
    """Return moments at which the market may have been open, for all that the book knew.

    A change, or an ingestor's end, reaches a book within the age that its view may have; and an
    ingestor may have begun within it as well.
    """
    order = item.order
    return [
        Point(order.instrument, order.opened_at - WATERMARK_AGE_MAX * look / _LOOKS)
        for look in range(1, _LOOKS + 1)
    ]


def _entry(item: Opened) -> Point:
    return Point(item.order.instrument, item.order.entry_time)


def _was_open(standing: Standing | None) -> bool:
    return standing is None or standing.state in {MarketState.TRADABLE, MarketState.FORGOTTEN}
