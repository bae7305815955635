"""The gRPC face of the audit trail."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.identity.auditing import AuditTrail
from services.identity.trail import Link
from services.identity.trail_table import SEARCHED, Search
from services.identity.wire import to_audit_record
from services.kit.audit import audited
from services.kit.clock import Clock
from services.kit.database import Database
from services.kit.errors import Failure
from services.kit.journal import Journal
from services.kit.pages import decode_page_token, encode_page_token, parse_filter
from services.kit.reason import Reason
from services.kit.wire import to_datetime
from veritick.identity.v1 import audit_service_pb2 as audit
from veritick.identity.v1.audit_service_pb2_grpc import (
    AuditServiceServicer,
    add_AuditServiceServicer_to_server,
)

add_audit_face = add_AuditServiceServicer_to_server
_RECORDS = 50


class AuditFace(AuditServiceServicer):
    """Shows the audit trail."""

    def __init__(
        self, trail: AuditTrail, database: Database, journal: Journal, clock: Clock
    ) -> None:
        """Show this trail; searches of it are told to the journal."""
        self._trail = trail
        self._database = database
        self._journal = journal
        self._clock = clock

    async def ListAuditRecords(
        self, request: audit.ListAuditRecordsRequest, context: Any
    ) -> audit.ListAuditRecordsResponse:
        """List records by time, the newest first."""
        size = request.page_size or _RECORDS
        search = _search(request)
        await self._record(request)
        links = await self._trail.search(search, size + 1)
        return audit.ListAuditRecordsResponse(
            records=[to_audit_record(link) for link in links[:size]],
            next_page_token=_token(links[size - 1]) if len(links) > size else "",
        )

    async def CheckAuditTrail(
        self, request: audit.CheckAuditTrailRequest, context: Any
    ) -> audit.CheckAuditTrailResponse:
        """Derive the hashes of some records again."""
        checked = await self._trail.check(request.after_sequence)
        return audit.CheckAuditTrailResponse(
            checked=checked.records,
            last_sequence=checked.last_sequence,
            finished=checked.finished,
            breaks=[
                audit.AuditBreak(sequence=found.sequence, problem=found.problem)
                for found in checked.breaks
            ],
        )

    async def _record(self, request: audit.ListAuditRecordsRequest) -> None:
        """Put on record who looked for what; a further page is the same search."""
        if request.page_token:
            return
        now = self._clock.now()
        searched = audited("audit.search", "audit", now, after={"filter": request.filter})
        async with self._database.transaction() as connection:
            await self._journal.append(connection, [searched], now)
        self._journal.notify()


def _search(request: audit.ListAuditRecordsRequest) -> Search:
    start = to_datetime(request.start) if request.HasField("start") else None
    end = to_datetime(request.end) if request.HasField("end") else None
    if start is not None and end is not None and end < start:
        raise Failure(Reason.INVALID_TIME_RANGE, "The end lies before the start.")
    return Search(parse_filter(request.filter, SEARCHED), start, end, _place(request.page_token))


def _place(page_token: str) -> tuple[datetime, int] | None:
    if not page_token:
        return None
    time, sequence = decode_page_token(page_token, datetime.fromisoformat, int)
    return time, sequence


def _token(link: Link) -> str:
    return encode_page_token([link.record.time.isoformat(), link.sequence])
