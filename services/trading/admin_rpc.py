"""What staff see of users' accounts. Decode, call, encode."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.kit.errors import Failure
from services.kit.reason import Reason
from services.trading.desk import Desk
from services.trading.filters import order_filter
from services.trading.pages_wire import entries_page, orders_page
from services.trading.rpc import Desks, locate
from services.trading.wire import to_range
from veritick.trading.v1 import account_admin_service_pb2 as admin_pb
from veritick.trading.v1.account_admin_service_pb2_grpc import AccountAdminServiceServicer


class AccountAdminFace(AccountAdminServiceServicer):
    """Shows accounts, whoever's they are."""

    def __init__(self, desks: Desks) -> None:
        self._desks = desks

    async def ListUserAccounts(
        self, request: admin_pb.ListUserAccountsRequest, context: Any
    ) -> admin_pb.ListUserAccountsResponse:
        user_id = UUID(request.user_id)
        accounts = [
            desk.wire.account(account)
            for _, desk in sorted(self._desks.items())
            for account in await desk.book.accounts_of(user_id)
        ]
        return admin_pb.ListUserAccountsResponse(accounts=accounts)

    async def ListAccountOrders(
        self, request: admin_pb.ListAccountOrdersRequest, context: Any
    ) -> admin_pb.ListAccountOrdersResponse:
        desk, account_id = await self._located(request.account_id)
        condition = order_filter(request.filter, to_range(request))
        orders, following = await orders_page(desk, account_id, condition, request)
        return admin_pb.ListAccountOrdersResponse(orders=orders, next_page_token=following)

    async def ListAccountEntries(
        self, request: admin_pb.ListAccountEntriesRequest, context: Any
    ) -> admin_pb.ListAccountEntriesResponse:
        desk, account_id = await self._located(request.account_id)
        entries, following = await entries_page(desk, account_id, request)
        return admin_pb.ListAccountEntriesResponse(entries=entries, next_page_token=following)

    async def _located(self, text: str) -> tuple[Desk, UUID]:
        """Return the book and the id of an account that exists; ACCOUNT_NOT_FOUND."""
        desk, account_id = locate(self._desks, text, Reason.ACCOUNT_NOT_FOUND)
        if await desk.book.account(account_id) is None:
            raise Failure(Reason.ACCOUNT_NOT_FOUND, "There is no such account.")
        return desk, account_id
