"""PlaceOrders: one result per item, in their order, each as if it had come alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest_asyncio

from services.kit.ids import scoped
from services.kit.origin import Origin, set_origin
from services.kit.principal import Principal, set_caller
from services.trading.book import Account
from services.trading.rpc import OrderFace
from tests.service.trading_fixtures import CHIPS, SYMBOL, Bench, bench
from tests.stores import Postgres
from veritick.error.v1 import error_reason_pb2 as reasons
from veritick.trading.v1.order_pb2 import Direction
from veritick.trading.v1.order_service_pb2 import (
    PlaceOrderRequest,
    PlaceOrderResult,
    PlaceOrdersRequest,
)
from veritick.type.v1.money_pb2 import Money


@pytest_asyncio.fixture
async def demo(postgres: Postgres) -> AsyncIterator[Bench]:
    async with bench(postgres) as lent:
        yield lent


def asked(account: Account, **changes: Any) -> PlaceOrderRequest:
    """Return an order of 10.00, with some fields changed."""
    fields: dict[str, Any] = {
        "account_id": scoped("demo", account.account_id),
        "request_id": str(uuid4()),
        "instrument": SYMBOL,
        "direction": Direction.UP,
        "stake": Money(currency_code="USD", minor_units=1_000),
        "duration_seconds": 10,
    }
    return PlaceOrderRequest(**(fields | changes))


def told(result: PlaceOrderResult) -> tuple[int, bool] | str:
    """Return the stake and whether it was a replay, or why it was refused."""
    if result.WhichOneof("result") == "refused":
        return reasons.ErrorReason.Name(result.refused.reason)
    return result.placed.order.stake.minor_units, result.placed.replay


async def place(demo: Bench, account: Account, *items: PlaceOrderRequest) -> list[Any]:
    set_caller(Principal("user", str(account.user_id)))
    set_origin(lambda: Origin("192.0.2.7", "python"))
    response = await OrderFace({"demo": demo.desk}).PlaceOrders(
        PlaceOrdersRequest(orders=items), None
    )
    return [told(result) for result in response.results]


async def test_each_item_has_its_own_result_in_its_place(demo: Bench) -> None:
    mine, others = await demo.account(), await demo.account()
    first = asked(mine)
    other_content = PlaceOrderRequest()
    other_content.CopyFrom(first)
    other_content.direction = Direction.DOWN
    endless = asked(mine)
    endless.ClearField("expiry")
    refused = asked(mine, stake=Money(currency_code="USD", minor_units=99))
    retried = PlaceOrderRequest()
    retried.CopyFrom(refused)
    retried.stake.minor_units = 200
    answers = await place(
        demo,
        mine,
        first,
        asked(others),
        endless,
        first,
        other_content,
        asked(mine, account_id=f"real_{mine.account_id}"),
        asked(mine, min_payout_bp=8_501),
        refused,
        retried,
        asked(mine, stake=Money(currency_code="USD", minor_units=100_000)),
    )
    assert answers == [
        (1_000, False),
        "ACCOUNT_NOT_FOUND",
        "INVALID_REQUEST",
        (1_000, True),
        "REQUEST_ID_REUSED",
        "ACCOUNT_NOT_FOUND",
        "PAYOUT_BELOW_LIMIT",
        "STAKE_BELOW_MINIMUM",
        (200, False),  # a refused id is still unused
        (100_000, False),
    ]
    assert (await demo.now(mine)).posted == CHIPS - 101_200
    assert (await demo.now(others)).posted == CHIPS


async def test_the_whole_call_repeated_repeats_nothing(demo: Bench) -> None:
    account = await demo.account()
    items = [asked(account) for _ in range(3)]
    assert await place(demo, account, *items) == [(1_000, False)] * 3
    assert await place(demo, account, *items) == [(1_000, True)] * 3
    assert (await demo.now(account)).posted == CHIPS - 3_000
