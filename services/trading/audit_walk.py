"""The auditor's walk along the chain of seals: every entry, and the order or transfer behind it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from services.trading import audit, audit_queries
from services.trading.audit import CLOSING, Finding, Line, Movement, Origin
from services.trading.audit_events import AgainstJournal
from services.trading.audit_findings import Findings
from services.trading.audit_quotes import AgainstQuotes, Opened
from services.trading.audit_reading import Past
from services.trading.audit_report import Progress
from services.trading.book import BookedOrder, booked
from services.trading.posting import Entry, EntryKind
from services.trading.sealed import within_bound
from services.trading.sealing import Head, Seal, head_of, seal_of
from services.trading.terms import Terms

_SEALS = 50
_SLICE_ENTRIES = 500
_EVENTS = 1_000


class _Facts(NamedTuple):
    """What stands behind some entries."""

    origins: Mapping[UUID, Origin]
    movements: Mapping[UUID, Movement]
    orders: Mapping[UUID, BookedOrder]


class Walk:
    """Goes along the chain of seals, from one place to another.

    What lies between does not change any more, so the book may go on and grow.
    """

    def __init__(
        self,
        past: Past,
        head: Head,
        until: int,
        findings: Findings,
        against_quotes: AgainstQuotes,
        against_journal: AgainstJournal,
        progress: Progress,
    ) -> None:
        """Begin after `head`, and end with the seal `until`."""
        self.head = head
        self.entries = 0
        self.balances: dict[UUID, int] = {}
        self._past = past
        self._until = until
        self._findings = findings
        self._progress = progress
        self._against_quotes = against_quotes
        self._against_journal = against_journal
        self._terms: Mapping[tuple[str, int], Terms] = {}

    async def run(self) -> None:
        """Walk to the end."""
        self._terms = await self._every_terms()
        while seals := await self._seals():
            await self._look(within_bound(seals, _SLICE_ENTRIES))
            await self._tell()
        while await self._against_journal.read(_EVENTS, {}):
            await self._tell()
        self._against_journal.finish()
        await self._against_quotes.finish()

    async def _seals(self) -> list[Seal]:
        rows = await self._past.rows(audit_queries.SEALS, after=self.head.seal_id, limit=_SEALS)
        return [seal for seal in (Seal(*row) for row in rows) if seal.seal_id <= self._until]

    async def _every_terms(self) -> dict[tuple[str, int], Terms]:
        every = [Terms(*row) for row in await self._past.rows(audit_queries.TERMS)]
        return {(terms.instrument, terms.version): terms for terms in every}

    async def _tell(self) -> None:
        self._progress.entries = self.entries
        await asyncio.sleep(0)

    async def _look(self, seals: Sequence[Seal]) -> None:
        """Check the entries under some seals."""
        lines = await self._lines(self.head.last_entry_id, seals[-1].last_entry_id)
        self.entries += len(lines)
        await self._know_balances(lines)
        facts = await self._facts(lines)
        self._check_seals(seals, lines)
        for line in lines:
            self._check_line(line, facts)
        self._findings.add(_paid_again(lines))
        closed = self._check_closed(lines, facts)
        await self._against_journal.read(self._against_journal.expect(lines), facts.orders)
        await self._against_quotes.check_closed(closed)
        await self._against_quotes.check_opened(_opened(lines, facts))

    async def _lines(self, after: int, until: int) -> list[Line]:
        rows = await self._past.rows(audit_queries.ENTRIES, after=after, until=until)
        return [Line(row[0], row[1], Entry(*row[2:])) for row in rows]

    async def _know_balances(self, lines: Sequence[Line]) -> None:
        """Read the balances before these lines of accounts that were not met yet."""
        met = {line.entry.account_id for line in lines if line.entry.balance is not None}
        new = list(met - self.balances.keys())
        rows = await self._past.rows(
            audit_queries.BALANCES_BEFORE, accounts=new, after=self.head.last_entry_id
        )
        self.balances.update((row[0], row[1]) for row in rows)

    async def _facts(self, lines: Sequence[Line]) -> _Facts:
        rows, entries = self._past.rows, [line.entry for line in lines]
        accounts = list({entry.account_id for entry in entries})
        transfers = list({entry.transfer_id for entry in entries if entry.order_id is None})
        orders = list({entry.order_id for entry in entries if entry.order_id is not None})
        origins = await rows(audit_queries.ORIGINS, accounts=accounts)
        movements = await rows(audit_queries.MOVEMENTS, transfers=transfers)
        found = [booked(row) for row in await rows(audit_queries.ORDERS, orders=orders)]
        return _Facts(
            {row[0]: Origin(*row[1:]) for row in origins},
            {row[0]: Movement(*row[1:]) for row in movements},
            {item.order.order_id: item for item in found},
        )

    def _check_seals(self, seals: Sequence[Seal], lines: Sequence[Line]) -> None:
        remaining = iter([*lines, None])
        line = next(remaining)
        for seal in seals:
            covered = []
            while line is not None and line.entry_id <= seal.last_entry_id:
                covered.append(line)
                line = next(remaining)
            self._findings.add(check_seal(self.head, seal, covered))
            self.head = head_of(seal)

    def _check_line(self, line: Line, facts: _Facts) -> None:
        entry = line.entry
        origin = facts.origins.get(entry.account_id)
        item = facts.orders.get(entry.order_id) if entry.order_id else None
        movement = facts.movements.get(entry.transfer_id)
        self._findings.add(audit.check_sides(line, origin))
        self._findings.add(audit.check_origin(line, origin, movement, item.order if item else None))
        if entry.balance is not None:
            before = self.balances.get(entry.account_id, 0)
            self._findings.add(audit.check_running(line, before))
            self.balances[entry.account_id] = entry.balance
        if item and entry.kind == EntryKind.STAKE:
            self._check_stake(line, item)

    def _check_stake(self, line: Line, item: BookedOrder) -> None:
        order = item.order
        terms = self._terms.get((order.instrument, order.terms_version))
        self._findings.add(audit.check_stake(line, order))
        self._findings.add(audit.check_opening(order, _table(item), terms))

    def _check_closed(self, lines: Sequence[Line], facts: _Facts) -> list[BookedOrder]:
        """Check the orders that these lines close, and return those that have closed."""
        closing: defaultdict[UUID, list[Line]] = defaultdict(list)
        for line in lines:
            if line.entry.kind in CLOSING and line.entry.order_id:
                closing[line.entry.order_id].append(line)
        found = [(facts.orders[key], its) for key, its in closing.items() if key in facts.orders]
        for item, its in found:
            if item.close is None:
                self._findings.add(
                    line.wrong("I5", f"closes the order {item.order.order_id}, which is open")
                    for line in its
                )
                continue
            self._findings.add(audit.check_close(its, item.order, item.close))
            self._findings.add(audit.check_price(item.order, item.close))
        return [item for item, _ in found if item.close is not None]


def _opened(lines: Sequence[Line], facts: _Facts) -> list[Opened]:
    """Return the orders that these lines paid for."""
    paid = [line.entry.order_id for line in lines if line.entry.kind == EntryKind.STAKE]
    items = [facts.orders[key] for key in paid if key is not None and key in facts.orders]
    return [Opened(item.order, _table(item)) for item in items]


def _paid_again(lines: Sequence[Line]) -> Iterator[Finding]:
    """I5: no order is paid for twice.

    Where two payments lie far apart, the second one lacks its event (I8).
    """
    paid = set()
    for line in lines:
        if line.entry.kind == EntryKind.STAKE:
            if line.entry.order_id in paid:
                yield line.wrong("I5", f"pays for the order {line.entry.order_id} once more")
            paid.add(line.entry.order_id)


def _table(item: BookedOrder) -> str:
    return "closed_order" if item.close else "open_order"


def check_seal(head: Head, seal: Seal, lines: Sequence[Line]) -> Iterator[Finding]:
    """I7: a seal follows the one before, and its entries are those it was made of."""
    ids = {line.entry_id for line in lines}
    covered = range(head.last_entry_id + 1, seal.last_entry_id + 1)
    gone = next((key for key in covered if key not in ids), None)
    if (seal.seal_id, seal.previous_hash) != (head.seal_id + 1, head.hash):
        problem = f"does not follow seal {head.seal_id}"
    elif gone is not None:
        count = seal.last_entry_id - head.last_entry_id - len(ids)
        problem = f"covers the entry {gone}, which is gone ({count} in all)"
    elif any(line.seal_id != seal.seal_id for line in lines):
        problem = "covers entries that name another seal"
    elif not lines or seal_of(head, [line.entry for line in lines], seal.time) != seal:
        problem = f"does not fit its entries {head.last_entry_id + 1} to {seal.last_entry_id}"
    else:
        return
    yield Finding("I7", "seal", str(seal.seal_id), problem)
