"""Stopping and starting again: everything is still there, and what was open is settled by rule."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.end_to_end.traders import (
    PASSWORD,
    Credentials,
    Trader,
    assert_adds_up,
    newcomer,
    trading,
)
from tests.platform import Platform, running_platform
from veritick import Veritick
from veritick.quotes.v1.fixing_service_pb2 import NOT_COVERED
from veritick.trading.v1.account_pb2 import Entry
from veritick.trading.v1.order_pb2 import Order
from veritick.trading.v1.order_service_pb2 import PlaceOrderRequest

LEFT_OPEN_SECONDS = 15
"""Far longer than the platform takes to stop, also on a machine that is busy."""

pytestmark = [pytest.mark.platform, pytest.mark.timeout(400)]


async def before(
    platform: Platform, who: Credentials
) -> tuple[Order, Order, PlaceOrderRequest, list[Entry]]:
    """Trade once to the end, and leave one order that will expire while nobody is there."""
    async with trading(platform, who) as trader:
        closed = await trader.settled(await trader.buy())
        request = await trader.order_request(seconds=LEFT_OPEN_SECONDS)
        left_open = (await trader.veritick.submit(request)).order
        return closed, left_open, request, await trader.entries()


def let_expire(order: Order) -> None:
    """Wait until the expiry of an order has passed."""
    while time.time() <= order.expire_time.ToNanoseconds() / 1e9:
        time.sleep(0.05)


async def again(platform: Platform, email: str) -> Trader:
    veritick = Veritick.connect(platform.url)
    await veritick.log_in(email, PASSWORD)
    account = await veritick.account("DEMO")
    return Trader(veritick, account, "")


def test_after_a_restart_everything_is_still_there(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running_platform(home) as first:
        who = asyncio.run(newcomer(first))
        closed, left_open, request, entries = asyncio.run(before(first, who))

    # No run of the market may cover the expiry: the first has ended, the second is yet to begin.
    let_expire(left_open)

    async def check(platform: Platform) -> None:
        trader = await again(platform, who.email)
        async with trader.veritick as veritick:
            assert await veritick.order(closed.account_id, closed.order_id) == closed
            receipt = await veritick.receipt(closed)
            assert receipt.outcome == closed.outcome
            replayed = await veritick.submit(request)
            assert replayed.replay
            assert replayed.order.order_id == left_open.order_id

            ended = await trader.settled(left_open)

            # Nobody listened to the market when it expired, so nobody invents a price.
            assert (ended.outcome, ended.void_reason) == (Order.VOID, NOT_COVERED)
            assert ended.returned == left_open.stake
            statement = await trader.entries()
            assert statement[-len(entries) :] == entries
            assert_adds_up(statement, await trader.balance())

    with running_platform(home) as second:
        asyncio.run(check(second))
