"""Parts die under a trader's hands: an order opens once or not at all, and he learns which."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.traders import Trader, assert_adds_up, newcomer, trading
from tests.platform import Platform, running_platform
from veritick import VeritickError
from veritick.trading.v1.order_pb2 import Order
from veritick.trading.v1.order_service_pb2 import (
    ListOrdersRequest,
    ListOrdersResponse,
    PlaceOrderRequest,
)

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]

WORDS = {
    "trading": "services.trading serve",
    "settlement": "services.settlement work",
    "stream": "edge stream",
    "valkey": "valkey-server",
    "postgres": "postgres -D",
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform that these tests may hurt."""
    with running_platform(tmp_path_factory.mktemp("own") / "home") as platform:
        yield platform


def kill(platform: Platform, part: str) -> None:
    """End a part of this platform as a crash would."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text().replace("\0", " ")
            said = command.encode() + (folder / "environ").read_bytes()
        except OSError:
            continue
        if WORDS[part] in command and str(platform.home).encode() in said:
            os.kill(int(folder.name), signal.SIGKILL)
            return
    raise AssertionError(f"there is no process of {part}")


async def attempt(trader: Trader, request: PlaceOrderRequest) -> Order | None:
    try:
        return (await trader.veritick.submit(request)).order
    except VeritickError as error:
        # The market view of a trading that has just come back is stale for a moment.
        if not (error.retryable or error.reason == "VALID_UNTIL_PASSED"):
            raise
        return None


async def listed(trader: Trader, request: PlaceOrderRequest) -> list[Order]:
    found = ListOrdersRequest(account_id=trader.account.account_id, request_id=request.request_id)
    return list((await trader.veritick.call(found, ListOrdersResponse)).orders)


@pytest.mark.parametrize("part", ["trading", "postgres"])
async def test_orders_that_are_cut_off_open_once_or_not_at_all(own: Platform, part: str) -> None:
    async with trading(own, await newcomer(own)) as trader:
        requests = [await trader.order_request(seconds=600) for _ in range(24)]
        answered = asyncio.Event()

        async def place_later(number: int, request: PlaceOrderRequest) -> Order | None:
            await asyncio.sleep(number * 0.02)
            answer = await attempt(trader, request)
            answered.set()
            return answer

        placing = asyncio.gather(*(place_later(n, r) for n, r in enumerate(requests)))
        await answered.wait()
        kill(own, part)
        answers = await placing

        opened = 0
        for request, answer in zip(requests, answers, strict=True):
            orders = await listed(trader, request)
            assert len(orders) <= 1
            assert answer is None or [order.order_id for order in orders] == [answer.order_id]
            opened += len(orders)
        assert opened
        assert_adds_up(await trader.entries(), await trader.balance())
        assert (await trader.balance()).available.minor_units == 1_000_000 - 1_000 * opened


@pytest.mark.parametrize("part", ["valkey", "stream", "settlement"])
async def test_an_order_is_settled_and_told_while_parts_come_and_go(
    own: Platform, part: str
) -> None:
    async with trading(own, await newcomer(own)) as trader:
        order = await trader.buy()
        waiting = asyncio.ensure_future(trader.settled(order))
        await asyncio.sleep(1)

        kill(own, part)

        closed = await waiting
        assert closed.state == Order.CLOSED
        assert closed.outcome != Order.VOID
        assert (await trader.veritick.receipt(closed)).outcome == closed.outcome
