"""What staff see of a user's accounts: all of it, page by page, and nothing that is not there."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from services.kit.errors import Failure
from services.kit.principal import Principal, set_caller
from services.kit.reason import Reason
from services.trading.admin_rpc import AccountAdminFace
from tests.service.trading_fixtures import SYMBOL, Bench, bench
from tests.stores import Postgres
from veritick.trading.v1 import account_admin_service_pb2 as admin_pb
from veritick.trading.v1.account_pb2 import Entry
from veritick.trading.v1.order_pb2 import Order


class Support:
    """A member of staff, who looks after a user's accounts."""

    def __init__(self, demo: Bench) -> None:
        set_caller(Principal("user", str(uuid4()), frozenset({"accounts.read"})))
        self._face = AccountAdminFace({"demo": demo.desk})

    async def accounts(self, user_id: UUID) -> list[tuple[str, int]]:
        request = admin_pb.ListUserAccountsRequest(user_id=str(user_id))
        found = (await self._face.ListUserAccounts(request, None)).accounts
        return [(account.account_id, account.available.minor_units) for account in found]

    async def orders(self, **asked: Any) -> admin_pb.ListAccountOrdersResponse:
        return await self._face.ListAccountOrders(admin_pb.ListAccountOrdersRequest(**asked), None)

    async def entries(self, **asked: Any) -> admin_pb.ListAccountEntriesResponse:
        return await self._face.ListAccountEntries(
            admin_pb.ListAccountEntriesRequest(**asked), None
        )


@pytest_asyncio.fixture
async def demo(postgres: Postgres) -> AsyncIterator[Bench]:
    async with bench(postgres, SYMBOL) as lent:
        lent.market.tick(10_000)
        yield lent


async def test_staff_see_the_accounts_orders_and_entries_of_anybody(demo: Bench) -> None:
    account = await demo.account()
    opened = [(await demo.place(account)).booked.order for _ in range(3)]
    support, account_id = Support(demo), demo.desk.wire.id(account.account_id)

    assert await support.accounts(account.user_id) == [(account_id, account.available - 3_000)]
    newest = await support.orders(account_id=account_id, page_size=2)
    oldest = await support.orders(account_id=account_id, page_token=newest.next_page_token)
    found = [*newest.orders, *oldest.orders]
    assert [order.order_id for order in found] == [
        demo.desk.wire.id(order.order_id) for order in reversed(opened)
    ]
    assert {order.state for order in found} == {Order.OPEN}
    assert not (await support.orders(account_id=account_id, filter="state=CLOSED")).orders
    stakes = await support.entries(account_id=account_id, filter="kind=STAKE", page_size=2)
    last = await support.entries(
        account_id=account_id, filter="kind=STAKE", page_token=stakes.next_page_token
    )
    assert [entry.amount.minor_units for entry in (*stakes.entries, *last.entries)] == [-1_000] * 3
    everything = (await support.entries(account_id=account_id)).entries
    assert everything[-1].kind == Entry.OPENING


async def test_what_is_not_there_is_not_shown(demo: Bench) -> None:
    support = Support(demo)
    assert await support.accounts(uuid4()) == []
    for unknown in (f"demo_{uuid4()}", f"real_{uuid4()}"):
        for ask in (support.orders, support.entries):
            with pytest.raises(Failure) as refused:
                await ask(account_id=unknown)
            assert refused.value.reason is Reason.ACCOUNT_NOT_FOUND
