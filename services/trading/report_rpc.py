"""What traders ask about the past: profits by day, and their records as files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

from google.api.httpbody_pb2 import HttpBody

from services.kit.pages import decode_page_token, encode_page_token, parse_filter
from services.trading import export
from services.trading.desk import Desk
from services.trading.filters import entry_filter, order_filter
from services.trading.profits import DailyProfit, Days
from services.trading.rpc import Desks, own_account
from services.trading.wire import day, money, to_range
from veritick.trading.v1 import report_service_pb2 as reports_pb
from veritick.trading.v1.report_service_pb2_grpc import ReportServiceServicer

_PROFITS = 100


class ReportFace(ReportServiceServicer):
    """Profits by day, and exports."""

    def __init__(self, desks: Desks) -> None:
        self._desks = desks

    async def ListDailyProfits(
        self, request: reports_pb.ListDailyProfitsRequest, context: Any
    ) -> reports_pb.ListDailyProfitsResponse:
        desk, account = await own_account(self._desks, request.account_id)
        instrument = parse_filter(request.filter, {"instrument"}).get("instrument")
        start, end = (
            day(name, getattr(request, name)) if getattr(request, name) else None
            for name in ("start", "end")
        )
        days = Days(start, end, instrument)
        token = request.page_token
        before = tuple(decode_page_token(token, date.fromisoformat, str)) if token else None
        limit = request.page_size or _PROFITS
        found = await desk.profits.by_day(account.account_id, days, before, limit)
        key = [found[-1].day.isoformat(), found[-1].instrument] if len(found) == limit else None
        profits = [_daily_profit(profit, account.currency) for profit in found]
        return reports_pb.ListDailyProfitsResponse(
            daily_profits=profits, next_page_token=encode_page_token(key) if key else ""
        )

    async def ExportOrders(
        self, request: reports_pb.ExportOrdersRequest, context: Any
    ) -> AsyncIterator[reports_pb.ExportOrdersResponse]:
        desk, account = await own_account(self._desks, request.account_id)
        condition = order_filter(request.filter, to_range(request))
        name = _file_name("orders", desk)
        async for data in export.orders(desk.book, account.account_id, condition):
            yield reports_pb.ExportOrdersResponse(body=_piece(data), file_name=name)

    async def ExportEntries(
        self, request: reports_pb.ExportEntriesRequest, context: Any
    ) -> AsyncIterator[reports_pb.ExportEntriesResponse]:
        desk, account = await own_account(self._desks, request.account_id)
        condition = entry_filter(request.filter, desk.name, to_range(request))
        name = _file_name("statement", desk)
        async for data in export.entries(desk.ledger, desk.name, account.account_id, condition):
            yield reports_pb.ExportEntriesResponse(body=_piece(data), file_name=name)


def _daily_profit(profit: DailyProfit, currency: str) -> reports_pb.DailyProfit:
    return reports_pb.DailyProfit(
        date=profit.day.isoformat(),
        instrument=profit.instrument,
        orders=profit.orders,
        winners=profit.winners,
        losers=profit.losers,
        refunds=profit.refunds,
        stakes=money(profit.stakes, currency),
        returned=money(profit.returned, currency),
        profit=money(profit.profit, currency),
    )


def _file_name(what: str, desk: Desk) -> str:
    return f"veritick-{what}-{desk.name}-{desk.market.now().date()}.csv"


def _piece(data: bytes) -> HttpBody:
    return HttpBody(content_type=export.CONTENT_TYPE, data=data)
