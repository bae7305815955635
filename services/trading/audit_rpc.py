"""How operators have a book audited. Decode, call, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from services.kit.tokens import Keyring
from services.kit.wire import to_timestamp
from services.trading.audit import Finding, Line
from services.trading.audit_apart import Audits
from services.trading.audit_report import Progress, Report, followed
from services.trading.heads import LedgerHeads, SignedHead, signed
from services.trading.rpc import Desks, desk_of
from services.trading.sealed import Sealed, SealedLedger
from services.trading.wire import BookWire, money
from veritick.trading.v1 import account_pb2
from veritick.trading.v1 import audit_service_pb2 as audit_pb
from veritick.trading.v1.audit_service_pb2_grpc import AuditServiceServicer

_SEALS = 100
_HEADS = 100


class AuditFace(AuditServiceServicer):
    """Audits on request, and hands out what others audit by."""

    def __init__(self, desks: Desks, keyring: Keyring, auditors: Mapping[str, Audits]) -> None:
        self._desks = desks
        self._keyring = keyring
        self._auditors = auditors

    async def AuditBook(
        self, request: audit_pb.AuditBookRequest, context: Any
    ) -> AsyncIterator[audit_pb.AuditBookResponse]:
        desk, progress = desk_of(self._desks, request.book), Progress()
        audit = self._auditors[desk.name].audit(full=request.full, progress=progress)
        async with aclosing(followed(audit, progress)) as steps:
            async for step in steps:
                yield _report(step) if isinstance(step, Report) else _progress(step)

    async def ListSeals(
        self, request: audit_pb.ListSealsRequest, context: Any
    ) -> audit_pb.ListSealsResponse:
        desk = desk_of(self._desks, request.book)
        ledger = SealedLedger(desk.book.database)
        found = await ledger.after(request.after, request.page_size or _SEALS)
        return audit_pb.ListSealsResponse(seals=[sealed_message(item, desk.wire) for item in found])

    async def GetLedgerHead(
        self, request: audit_pb.GetLedgerHeadRequest, context: Any
    ) -> audit_pb.GetLedgerHeadResponse:
        desk = desk_of(self._desks, request.book)
        head = await SealedLedger(desk.book.database).head()
        made = signed(desk.name, head, desk.market.now(), self._keyring)
        return audit_pb.GetLedgerHeadResponse(head=_head(desk.name, made))

    async def ListLedgerHeads(
        self, request: audit_pb.ListLedgerHeadsRequest, context: Any
    ) -> audit_pb.ListLedgerHeadsResponse:
        desk = desk_of(self._desks, request.book)
        heads = LedgerHeads(desk.book.database)
        found = await heads.after(request.after, request.page_size or _HEADS)
        return audit_pb.ListLedgerHeadsResponse(heads=[_head(desk.name, made) for made in found])


def _head(book: str, made: SignedHead) -> audit_pb.LedgerHead:
    return audit_pb.LedgerHead(
        book=book,
        seal_id=made.seal_id,
        last_entry_id=made.last_entry_id,
        hash=made.hash.hex(),
        sign_time=to_timestamp(made.signed_at),
        key_id=made.key_id,
        public_key=made.public_key,
        signature=made.signature,
    )


def _progress(progress: Progress) -> audit_pb.AuditBookResponse:
    message = audit_pb.AuditProgress(
        entries_checked=progress.entries, entries_total=progress.entries_total
    )
    return audit_pb.AuditBookResponse(progress=message)


def _report(report: Report) -> audit_pb.AuditBookResponse:
    message = audit_pb.AuditReport(
        findings=[_finding(finding) for finding in report.findings],
        findings_count=report.count,
        unchecked=[
            audit_pb.Unchecked(invariant=invariant, obstacle=obstacle)
            for invariant, obstacle in report.unchecked.items()
        ],
        entries_checked=report.entries,
        last_entry_id=report.last_entry_id,
        time=to_timestamp(report.time),
    )
    return audit_pb.AuditBookResponse(report=message)


def _finding(finding: Finding) -> audit_pb.Finding:
    return audit_pb.Finding(
        invariant=finding.invariant,
        table=finding.table,
        row=finding.row,
        problem=finding.problem,
    )


def sealed_message(item: Sealed, wire: BookWire) -> audit_pb.SealedEntries:
    """Return a seal with its entries as a message."""
    seal = audit_pb.Seal(
        seal_id=item.seal.seal_id,
        last_entry_id=item.seal.last_entry_id,
        entries=item.seal.entries,
        previous_hash=item.seal.previous_hash.hex(),
        hash=item.seal.hash.hex(),
        time=to_timestamp(item.seal.time),
    )
    return audit_pb.SealedEntries(seal=seal, entries=[_entry(line, wire) for line in item.lines])


def _entry(line: Line, wire: BookWire) -> audit_pb.SealedEntry:
    entry = line.entry
    return audit_pb.SealedEntry(
        entry_id=line.entry_id,
        transfer_id=wire.id(entry.transfer_id),
        kind=account_pb2.Entry.Kind.ValueType(entry.kind),
        account_id=wire.id(entry.account_id),
        contra_account_id=wire.id(entry.contra_account_id),
        amount=money(entry.amount, entry.currency),
        balance=None if entry.balance is None else money(entry.balance, entry.currency),
        order_id=wire.id(entry.order_id) if entry.order_id else None,
        time=to_timestamp(entry.time),
    )
