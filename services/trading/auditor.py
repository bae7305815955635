"""The auditor: whether a live book keeps its invariants (measures.md, "Invariants").

It looks at what was written since the last audit that found everything in order; a full one begins
at the first entry. It walks along the chain of seals (I1, I2, I5, I6, I7, I11, I12, and of I8 what
the journal tells of orders): that does not change any more, so the book goes on meanwhile. Then it
asks one snapshot what concerns all rows at once. Of I9, that a deposit credits once and a
withdrawal leaves once, it checks what a book knows: one transfer for each request id. Which of them
were deposits, payments knows.

It works in slices, between which others have their turn. Much of it is for a process of its own:
`audit_apart`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from services.kit.database import Database
from services.kit.errors import Failure
from services.trading import audit_queries
from services.trading.audit import Finding
from services.trading.audit_events import AgainstJournal
from services.trading.audit_findings import Findings
from services.trading.audit_quotes import AgainstQuotes, Quotes
from services.trading.audit_reading import Past, Snapshot
from services.trading.audit_report import Progress, Report
from services.trading.audit_walk import Walk
from services.trading.ledger import TRIAL_BALANCE
from services.trading.posting import ESCROW
from services.trading.sealing import GENESIS, Head
from services.trading.wire import BookWire

_TOUCHED_MAX = 10_000


class Mark(NamedTuple):
    """How far everything was found in order. The fields are columns of `audit`."""

    seal_id: int
    seal_hash: bytes
    entry_id: int
    position: int
    transfer_id: UUID


BEGINNING = Mark(GENESIS.seal_id, GENESIS.hash, GENESIS.last_entry_id, 0, UUID(int=0))


class Auditor:
    """Audits one book."""

    def __init__(
        self,
        database: Database,
        wire: BookWire,
        now: Callable[[], datetime],
        quotes: Quotes | None,
    ) -> None:
        """Audit the book in this database; without `quotes` I6 and I12 stay unchecked in part."""
        self._database = database
        self._wire = wire
        self._now = now
        self._quotes = quotes

    async def audit(
        self, *, full: bool = False, accept: bool = False, progress: Progress | None = None
    ) -> Report:
        """Check what is new, or everything, and remember how far it is in order.

        As long as it is not, every audit looks at the same again, and at ever more. To `accept`
        is to know what is found: later audits begin behind it. `progress` is kept up to date
        meanwhile. Errors: DatabaseUnavailable.
        """
        progress = progress or Progress()
        try:
            report, mark = await self._look(self._quotes, progress, full=full)
        except Failure as failure:
            # Quotes is away: everything else can be told all the same.
            report, mark = await self._look(None, progress, full=full)
            report.unchecked = dict.fromkeys(("I6", "I12"), str(failure))
        in_order = accept or not report.count
        if mark is not None and in_order and not report.unchecked:
            await self._remember(mark, report.time)
        return report

    async def amount(self, *, full: bool = False) -> int:
        """Return how many entries there are to look at. Errors: DatabaseUnavailable."""
        async with self._database.transaction(read_only=True) as connection:
            snapshot = Snapshot(connection)
            known = BEGINNING if full else (await _mark(snapshot))[1]
            return (await _reached(snapshot)).entry_id - known.entry_id

    async def _look(
        self, quotes: Quotes | None, progress: Progress, *, full: bool
    ) -> tuple[Report, Mark | None]:
        """Return what was found, and how far, unless that is how far the last audit got."""
        findings = Findings()
        async with self._snapshot() as snapshot:
            reached = await _reached(snapshot)
            audit_id, known = await _mark(snapshot)
            findings.add(await _check_marks(snapshot, 0 if full else audit_id))
        begin = BEGINNING if full else known
        progress.entries_total = reached.entry_id - begin.entry_id
        past, against_quotes = Past(self._database), AgainstQuotes(quotes, findings)
        walk = Walk(
            past,
            Head(begin.seal_id, begin.entry_id, begin.seal_hash),
            reached.seal_id,
            findings,
            against_quotes,
            AgainstJournal(past, self._wire, begin.position, reached.position, findings),
            progress,
        )
        await walk.run()
        async with self._snapshot() as snapshot:
            await _check_sums(snapshot, findings, begin, walk)
            await _ask(snapshot, findings, begin)
        report = Report(
            self._now(),
            begin == BEGINNING,
            findings.items,
            findings.count,
            walk.entries,
            reached.entry_id,
        )
        report.unchecked = dict(_unchecked(against_quotes))
        mark = Mark(
            walk.head.seal_id,
            walk.head.hash,
            walk.head.last_entry_id,
            reached.position,
            reached.transfer_id,
        )
        return report, None if mark == known else mark

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[Snapshot]:
        async with self._database.transaction(
            isolation="REPEATABLE READ", read_only=True
        ) as connection:
            snapshot = Snapshot(connection)
            await snapshot.rows(audit_queries.PATIENCE)
            yield snapshot

    async def _remember(self, mark: Mark, time: datetime) -> None:
        async with self._database.transaction() as connection:
            writable = await connection.execute(text(audit_queries.WRITABLE))
            if writable.scalar():  # a replica of the book can be audited as well
                parameters = mark._asdict() | {"time": time}
                await connection.execute(text(audit_queries.INSERT_MARK), parameters)


def _unchecked(against: AgainstQuotes) -> Iterator[tuple[str, str]]:
    if against.unfixed:
        yield "I6", f"no quotes to ask for the fixings of {against.unfixed} orders"
    if against.unjudged:
        yield "I12", f"no quotes to ask for the markets of {against.unjudged} orders"


class _Reached(NamedTuple):
    """What was the newest when an audit began."""

    seal_id: int
    entry_id: int
    position: int
    transfer_id: UUID


async def _reached(snapshot: Snapshot) -> _Reached:
    return _Reached(*(await snapshot.rows(audit_queries.HEAD))[0])


async def _mark(snapshot: Snapshot) -> tuple[int, Mark]:
    """Return the newest audit that found everything in order, and how far it got."""
    rows = await snapshot.rows(audit_queries.MARK)
    return (rows[0][0], Mark(*rows[0][1:])) if rows else (0, BEGINNING)


async def _check_marks(snapshot: Snapshot, audit_id: int) -> list[Finding]:
    """I7: the seals up to which this audit and later ones found all in order are still the same.

    A chain that was cut off, or written anew from its first entry, fits itself: nothing but what
    was remembered of it tells.
    """
    rows = await snapshot.rows(audit_queries.MARKS_OFF, audit_id=audit_id)
    return [Finding("I7", "seal", str(row[0]), row[1]) for row in rows]


async def _check_sums(snapshot: Snapshot, findings: Findings, begin: Mark, walk: Walk) -> None:
    """I2 and I10: balances are the sums of entries, and escrow is the sum of open stakes."""
    every = begin == BEGINNING or len(walk.balances) > _TOUCHED_MAX
    touched = None if every else list(walk.balances)
    off = await _accounts_off(snapshot, touched)
    sums: defaultdict[str, int] = defaultdict(int)
    escrow: defaultdict[str, int] = defaultdict(int)
    for account_id, currency, balance in await snapshot.rows(TRIAL_BALANCE, currency=None):
        sums[currency] += balance
        escrow[currency] += balance if account_id == ESCROW else 0
    unbalanced = {currency: total for currency, total in sums.items() if total}
    if unbalanced and not off and touched is not None:
        off = await _accounts_off(snapshot, None)
    if not off:
        off = [
            Finding("I2", "account", currency, f"all balances together make {total}, not zero")
            for currency, total in unbalanced.items()
        ]
    findings.add(off)
    findings.add(_check_escrow(escrow, dict(await _open_stakes(snapshot))))


async def _accounts_off(snapshot: Snapshot, accounts: list[UUID] | None) -> list[Finding]:
    rows = await snapshot.rows(audit_queries.ACCOUNTS_OFF, accounts=accounts)
    return [Finding("I2", "account", str(row[0]), row[1]) for row in rows]


async def _open_stakes(snapshot: Snapshot) -> list[tuple[str, int]]:
    return [(row[0], row[1]) for row in await snapshot.rows(audit_queries.OPEN_STAKES)]


def _check_escrow(escrow: Mapping[str, int], stakes: Mapping[str, int]) -> list[Finding]:
    return [
        Finding("I10", "open_order", currency, f"have stakes of {staked}, escrow holds {held}")
        for currency in sorted({*escrow, *stakes})
        if (held := escrow.get(currency, 0)) != (staked := stakes.get(currency, 0))
    ]


async def _ask(snapshot: Snapshot, findings: Findings, begin: Mark) -> None:
    for question in audit_queries.QUESTIONS:
        if question.full_only and begin != BEGINNING:
            continue
        parameters = {
            name: value for name, value in begin._asdict().items() if f":{name}" in question.query
        }
        findings.add(
            Finding(question.invariant, question.table, str(row[0]), row[1])
            for row in await snapshot.rows(question.query, **parameters)
        )
