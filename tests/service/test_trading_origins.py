"""From where orders were placed: noted as they are, shown to staff, and forgotten in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import pytest_asyncio

from services.kit.errors import Failure
from services.kit.ids import scoped
from services.kit.origin import Origin, set_origin
from services.kit.principal import Principal, set_caller
from services.kit.reason import Reason
from services.kit.wire import to_timestamp
from services.trading.book import Account
from services.trading.origin_rpc import OriginFace
from services.trading.rpc import OrderFace
from tests.service.trading_fixtures import SYMBOL, Bench, bench
from tests.stores import Postgres
from veritick.trading.v1.order_origin_service_pb2 import (
    CountOrderOriginsRequest,
    ListOrderOriginsRequest,
)
from veritick.trading.v1.order_pb2 import Direction, Order
from veritick.trading.v1.order_service_pb2 import PlaceOrderRequest, PlaceOrdersRequest
from veritick.type.v1.money_pb2 import Money

LAPTOP = Origin("192.0.2.7", "Firefox", "a-laptop")
PROGRAM = Origin("2001:db8::/64", "python")


@pytest_asyncio.fixture
async def demo(postgres: Postgres) -> AsyncIterator[Bench]:
    async with bench(postgres) as lent:
        yield lent


def asked(account: Account, number: int) -> PlaceOrderRequest:
    return PlaceOrderRequest(
        account_id=scoped("demo", account.account_id),
        request_id=f"0199aa00-0000-7000-8000-00000000000{number}",
        instrument=SYMBOL,
        direction=Direction.UP,
        stake=Money(currency_code="USD", minor_units=1_000),
        duration_seconds=10,
    )


async def test_each_order_keeps_from_where_it_was_placed(demo: Bench) -> None:
    account, other = await demo.account(), await demo.account()
    desks = {"demo": demo.desk}
    orders, origins = OrderFace(desks), OriginFace(desks)
    set_caller(Principal("user", str(account.user_id)))

    set_origin(lambda: LAPTOP)
    first = (await orders.PlaceOrder(asked(account, 1), None)).order
    set_origin(lambda: PROGRAM)
    # The first is answered again, and keeps from where it came.
    both = PlaceOrdersRequest(orders=[asked(account, 1), asked(account, 2)])
    await orders.PlaceOrders(both, None)
    await demo.desk.origins.write()

    mine = ListOrderOriginsRequest(book="demo", user_id=str(account.user_id))
    found = (await origins.ListOrderOrigins(mine, None)).origins
    assert [(item.address, item.device, item.agent) for item in found] == [
        ("2001:db8::/64", "", "python"),
        ("192.0.2.7", "a-laptop", "Firefox"),
    ]
    mine.filter = f"orderId={first.order_id}"
    [only] = (await origins.ListOrderOrigins(mine, None)).origins
    assert (only.order_id, only.open_time) == (first.order_id, first.open_time)
    theirs = ListOrderOriginsRequest(book="demo", user_id=str(other.user_id))
    assert not (await origins.ListOrderOrigins(theirs, None)).origins
    mine.filter = "orderId=real_0199"
    with pytest.raises(Failure) as refused:
        await origins.ListOrderOrigins(mine, None)
    assert refused.value.reason is Reason.INVALID_FILTER


async def test_a_write_that_is_stopped_loses_nothing(
    demo: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, origins, begun = await demo.account(), demo.desk.origins, asyncio.Event()
    set_origin(lambda: LAPTOP)
    placed = [await demo.place(account) for _ in range(3)]
    origins.note(placed, account.user_id)

    async def hang(_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(origins, "_write", hang)
        writing = asyncio.create_task(origins.write())
        await begun.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
    await origins.write()
    assert len(await origins.page(account.user_id, None, None, 10)) == len(placed)


async def test_origins_have_pages_and_are_forgotten_in_time(demo: Bench) -> None:
    account = await demo.account()
    set_origin(lambda: LAPTOP)
    placed = [await demo.place(account) for _ in range(3)]
    demo.desk.origins.note(placed, account.user_id)
    await demo.desk.origins.write()
    request = ListOrderOriginsRequest(book="DEMO", user_id=str(account.user_id), page_size=2)
    face = OriginFace({"demo": demo.desk})

    first = await face.ListOrderOrigins(request, None)
    request.page_token = first.next_page_token
    second = await face.ListOrderOrigins(request, None)

    ids = [item.order_id for item in (*first.origins, *second.origins)]
    opened = [scoped("demo", item.booked.order.order_id) for item in placed]
    assert ids == opened[::-1]
    assert second.next_page_token == ""
    with psycopg.connect(demo.owner) as connection:
        long_ago = datetime(2000, 1, 1, tzinfo=UTC)
        connection.execute("UPDATE order_origin SET opened_at = %s", [long_ago])
        connection.execute("UPDATE origin SET seen_at = %s", [long_ago])
    await demo.desk.origins.forget()
    with psycopg.connect(demo.owner) as connection:
        left = connection.execute("SELECT count(*) FROM origin, order_origin").fetchone()
    assert left == (0,)


async def test_orders_are_counted_by_who_placed_them_from_where(demo: Bench) -> None:
    ana, ben = await demo.account(), await demo.account()
    desks = {"demo": demo.desk}
    orders, origins = OrderFace(desks), OriginFace(desks)
    places = {"laptop": lambda: LAPTOP, "program": lambda: PROGRAM}
    placed: list[Order] = []
    for account, where in [(ana, "laptop"), (ana, "laptop"), (ben, "laptop"), (ben, "program")]:
        set_caller(Principal("user", str(account.user_id)))
        set_origin(places[where])
        answer = await orders.PlaceOrder(asked(account, len(placed)), None)
        placed.append(answer.order)
    await demo.desk.origins.write()
    opened = placed[-1].open_time.ToDatetime(UTC)

    async def counted(start: datetime, minutes: int = 2) -> list[tuple[str, str, str, int]]:
        found, token = [], ""
        while True:
            request = CountOrderOriginsRequest(
                book="demo",
                start=to_timestamp(start),
                end=to_timestamp(start + timedelta(minutes=minutes)),
                page_size=2,
                page_token=token,
            )
            answer = await origins.CountOrderOrigins(request, None)
            found += [
                (each.address, each.device, each.user_id, each.orders) for each in answer.counts
            ]
            token = answer.next_page_token
            if not token:
                return found

    first, second = sorted([(str(ana.user_id), 2), (str(ben.user_id), 1)], key=lambda each: each[0])
    assert await counted(opened - timedelta(minutes=1)) == [
        (LAPTOP.address, LAPTOP.device, *first),
        (LAPTOP.address, LAPTOP.device, *second),
        (PROGRAM.address, "", str(ben.user_id), 1),
    ]
    assert await counted(opened + timedelta(minutes=1)) == []
    for minutes in (0, 61):
        with pytest.raises(Failure) as refused:
            await counted(opened, minutes)
        assert refused.value.reason is Reason.INVALID_TIME_RANGE
