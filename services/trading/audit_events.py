"""The auditor on the journal: whether each order's events tell of it, once, and the truth (I8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from services.trading import audit_queries
from services.trading.audit import Finding, Line
from services.trading.audit_findings import Findings
from services.trading.audit_reading import Past
from services.trading.book import BookedOrder, booked
from services.trading.posting import EntryKind
from services.trading.told_wire import ToldOrder, told_order
from services.trading.wire import ORDER_OPENED, ORDER_SETTLED, BookWire, account_subject

_EVENT_OF = {
    EntryKind.STAKE: ORDER_OPENED,
    EntryKind.PAYOUT: ORDER_SETTLED,
    EntryKind.REFUND: ORDER_SETTLED,
    EntryKind.LOST_STAKE: ORDER_SETTLED,
}


class _Event(NamedTuple):
    position: int
    subject: str
    type: str
    order: ToldOrder

    @property
    def key(self) -> tuple[str, UUID]:
        return self.type, self.order.order_id


class AgainstJournal:
    """Compares what entries say happened to orders with the events of a journal.

    Events lie in the journal in the order of their entries, so reading as many as were expected
    keeps what is outstanding small.
    """

    def __init__(
        self, past: Past, wire: BookWire, position: int, until: int, findings: Findings
    ) -> None:
        """Begin after the first of these positions, and end with the other."""
        self._past = past
        self._wire = wire
        self._position = position
        self._until = until
        self._findings = findings
        # What entries say happened to orders, less what the journal tells of it.
        self._untold: Counter[tuple[str, UUID]] = Counter()
        self._told_at: dict[tuple[str, UUID], int] = {}

    def expect(self, lines: Iterable[Line]) -> int:
        """Note which events these lines must have made; return how many."""
        expected = [
            (_EVENT_OF[EntryKind(line.entry.kind)], line.entry.order_id)
            for line in lines
            if line.entry.kind in _EVENT_OF and line.entry.order_id is not None
        ]
        for key in expected:
            self._count(key, 1)
        return len(expected)

    async def read(self, limit: int, orders: Mapping[UUID, BookedOrder]) -> int:
        """Compare the next events with what was expected; return how many there were.

        `orders` are those that are known already; others are looked up.
        """
        rows = await self._past.rows(
            audit_queries.ORDER_EVENTS,
            after=self._position,
            until=self._until,
            types=[ORDER_OPENED, ORDER_SETTLED],
            limit=limit,
        )
        events = list(self._readable(rows))
        for event in events:
            self._count(event.key, -1)
            if event.key in self._untold:
                self._told_at[event.key] = event.position
        self._findings.add(self._untrue(events, await self._known(events, orders)))
        return len(rows)

    def _readable(self, rows: Sequence[Any]) -> Iterator[_Event]:
        for position, subject, kind, payload in rows:
            self._position = position
            told = told_order(kind, payload)
            if told is None:
                wrong = f"is {kind}, and its payload tells of no order"
                self._findings.add([Finding("I8", "journal", str(position), wrong)])
            else:
                yield _Event(position, subject, kind, told)

    async def _known(
        self, events: Sequence[_Event], orders: Mapping[UUID, BookedOrder]
    ) -> Mapping[UUID, BookedOrder]:
        others = list({event.order.order_id for event in events} - orders.keys())
        if not others:
            return orders
        found = map(booked, await self._past.rows(audit_queries.ORDERS, orders=others))
        return {**orders, **{item.order.order_id: item for item in found}}

    def _untrue(
        self, events: Iterable[_Event], orders: Mapping[UUID, BookedOrder]
    ) -> Iterator[Finding]:
        for event in events:
            item = orders.get(event.order.order_id)
            if item is None:
                continue
            problem = self._wrong_with(event, item)
            if problem:
                yield Finding("I8", "journal", str(event.position), problem)

    def _wrong_with(self, event: _Event, item: BookedOrder) -> str | None:
        order_id, account_id = item.order.order_id, self._wire.id(item.order.account_id)
        if event.subject != account_subject(account_id):
            return f"tells {event.subject} of the order {order_id}, which is of {account_id}"
        close = item.close if event.type == ORDER_SETTLED else None
        other = event.order.other_than(self._wire, item.order, close)
        return f"tells another {', '.join(other)} of the order {order_id}" if other else None

    def _count(self, key: tuple[str, UUID], change: int) -> None:
        self._untold[key] += change
        if not self._untold[key]:
            del self._untold[key]
            self._told_at.pop(key, None)

    def finish(self) -> None:
        """Find what the journal has not told, and what it told of nothing that happened."""
        self._findings.add(self._amiss())

    def _amiss(self) -> Iterator[Finding]:
        for (event_type, order_id), surplus in self._untold.items():
            if surplus > 0:
                problem = f"has no {event_type} that tells of it"
                yield Finding("I8", "journal", f"order {order_id}", problem)
            else:
                position = self._told_at[event_type, order_id]
                problem = f"tells {event_type} of the order {order_id}, which no entry knows"
                yield Finding("I8", "journal", str(position), problem)
