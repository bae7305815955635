"""How operators have a book audited. Decode, call, encode."""

from __future__ import annotations

from typing import Any

from services.kit.wire import to_timestamp
from services.trading.audit import Finding
from services.trading.audit_walk import Fixings
from services.trading.auditor import Auditor, Report
from services.trading.rpc import Desks, desk_of
from veritick.trading.v1 import audit_service_pb2 as audit_pb
from veritick.trading.v1.audit_service_pb2_grpc import AuditServiceServicer


class AuditFace(AuditServiceServicer):
    """Audits on request."""

    def __init__(self, desks: Desks, fixings: Fixings | None) -> None:
        self._desks = desks
        self._fixings = fixings

    async def AuditBook(
        self, request: audit_pb.AuditBookRequest, context: Any
    ) -> audit_pb.AuditBookResponse:
        desk = desk_of(self._desks, request.book)
        ages = {item.symbol: item.max_tick_age for item in desk.market.instruments.values()}
        auditor = Auditor(desk.book.database, desk.market.now, self._fixings, ages)
        return _report(await auditor.audit(full=request.full))


def _report(report: Report) -> audit_pb.AuditBookResponse:
    return audit_pb.AuditBookResponse(
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


def _finding(finding: Finding) -> audit_pb.Finding:
    return audit_pb.Finding(
        invariant=finding.invariant,
        table=finding.table,
        row=finding.row,
        problem=finding.problem,
    )
