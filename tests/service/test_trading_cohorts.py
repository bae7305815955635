"""Acceptance is measured by how well users are doing, to prove that it makes no difference."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest
import pytest_asyncio
from prometheus_client import REGISTRY

from services.kit.ids import scoped
from services.kit.origin import Origin, set_origin
from services.kit.principal import Principal, set_caller
from services.trading import cohorts
from services.trading.book import Account
from services.trading.cohorts import Cohort, cohort_of
from services.trading.order import Outcome
from services.trading.rpc import OrderFace
from tests.service.trading_fixtures import SYMBOL, Bench, bench
from tests.stores import Postgres
from veritick.trading.v1.order_pb2 import Direction
from veritick.trading.v1.order_service_pb2 import PlaceOrderRequest, PlaceOrdersRequest
from veritick.type.v1.money_pb2 import Money


@pytest_asyncio.fixture
async def demo(postgres: Postgres) -> AsyncIterator[Bench]:
    async with bench(postgres) as lent:
        yield lent


def counts() -> dict[str, int]:
    """Return how many acceptances were counted so far, by cohort."""
    name = "veritick_trading_acceptance_seconds_count"
    found = {
        cohort: REGISTRY.get_sample_value(name, {"book": "demo", "cohort": cohort})
        for cohort in Cohort
    }
    return {cohort: int(value or 0) for cohort, value in found.items()}


def asked(account: Account) -> PlaceOrderRequest:
    return PlaceOrderRequest(
        account_id=scoped("demo", account.account_id),
        request_id=str(uuid4()),
        instrument=SYMBOL,
        direction=Direction.UP,
        stake=Money(currency_code="USD", minor_units=1_000),
        duration_seconds=10,
    )


async def order(demo: Bench, account: Account) -> None:
    """Place an order, repeat it, and place two more at once, one of which is refused."""
    set_caller(Principal("user", str(account.user_id)))
    set_origin(lambda: Origin("192.0.2.7", "python"))
    face = OrderFace({"demo": demo.desk})
    first, second, wrong = (asked(account) for _ in range(3))
    wrong.stake.minor_units = 1
    for _ in range(2):
        await face.PlaceOrder(first, None)
    await face.PlaceOrders(PlaceOrdersRequest(orders=[second, wrong]), None)


@pytest.mark.parametrize(
    ("result", "cohort"),
    [(None, Cohort.NEW), (1, Cohort.WINNING), (0, Cohort.EVEN), (-1, Cohort.LOSING)],
)
def test_how_an_account_has_done(result: int | None, cohort: Cohort) -> None:
    assert cohort_of(result) is cohort


async def test_each_accepted_order_is_counted_once_among_its_like(demo: Bench) -> None:
    closes = [Outcome.WIN, Outcome.LOSS, Outcome.DRAW]
    accounts = [await demo.account() for _ in range(4)]
    for account, outcome in zip(accounts, closes, strict=False):
        placed = await demo.place(account)
        await demo.settle(placed.booked.order.order_id, outcome)
    before = counts()
    for account in accounts:
        await order(demo, account)
    assert counts() == before, "nobody is asked how he does while an order waits"
    await demo.desk.cohorts.tell()
    await demo.desk.cohorts.tell()
    assert counts() == {cohort: number + 2 for cohort, number in before.items()}
    # What lies long back does not count.
    demo.market.advance(timedelta(days=31).total_seconds(), 10_000)
    await order(demo, accounts[0])
    await demo.desk.cohorts.tell()
    assert counts()[Cohort.NEW] == before[Cohort.NEW] + 4


async def test_what_nobody_tells_is_kept_within_a_bound(
    demo: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cohorts, "NOTED_MAX", 3)
    account, before = await demo.account(), counts()
    for _ in range(5):
        demo.desk.cohorts.note([account.account_id], 0.001)
    await demo.desk.cohorts.tell()
    assert counts()[Cohort.NEW] == before[Cohort.NEW] + 3
