"""Parts die under a trader's hands, and then everything: an order opens once or not at all.

All of it happens to one platform, in the order of this file; at its end that platform is gone and
a second one stands on what it left behind.
"""

import asyncio
import os
import signal
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.end_to_end.traders import (
    HELD_UP,
    PASSWORD,
    Credentials,
    Trader,
    assert_adds_up,
    newcomer,
    trading,
)
from tests.platform import STOP_SECONDS, UNHISTORIED, Platform, running_platform
from tests.waiting import eventually, until
from veritick import Veritick, VeritickError
from veritick.quotes.v1.fixing_service_pb2 import NOT_COVERED
from veritick.trading.v1.account_pb2 import Entry
from veritick.trading.v1.order_pb2 import Order
from veritick.trading.v1.order_service_pb2 import (
    ListOrdersRequest,
    ListOrdersResponse,
    PlaceOrderRequest,
)

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]

WORDS = {
    "identity": "services.identity serve",
    "trading": "services.trading serve",
    "settlement": "services.settlement work",
    "stream": "edge stream",
    "valkey": "valkey-server",
    "postgres": "postgres -D",
}
PROCESSES = 9
LEFT_OPEN_SECONDS = 7
"""Far longer than it takes to kill a platform, also on a machine that is busy."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform that these tests may hurt."""
    with running_platform(tmp_path_factory.mktemp("own") / "home", UNHISTORIED) as platform:
        yield platform


def processes_of(platform: Platform) -> dict[int, str]:
    """Return the processes whose environment or command names this platform's home."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            said = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
            if str(platform.home).encode() in said:
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
    return found


def kill(platform: Platform, part: str) -> None:
    """End a part of this platform as a crash would."""
    found = [pid for pid, command in processes_of(platform).items() if WORDS[part] in command]
    assert found, f"there is no process of {part}"
    os.kill(found[0], signal.SIGKILL)


@asynccontextmanager
async def dying(platform: Platform, part: str) -> AsyncIterator[None]:
    """Kill a part; after the block it must come back, and the platform say so and be ready."""
    before = len(platform.lines)

    def said(words: str) -> bool:
        return any(f" {part} {words}" in line for line in platform.lines[before:])

    kill(platform, part)
    yield
    await eventually(lambda: said("died: killed by SIGKILL"))
    await eventually(lambda: said("is well"))
    await eventually(lambda: answers(f"{platform.url}/readyz"))


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


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


def test_nothing_secret_is_on_a_command_line(own: Platform) -> None:
    secrets = (own.home / "passwords.json").read_text().split('"')[3::4]
    assert len(secrets) > 5
    commands = processes_of(own).values()
    assert len(commands) >= PROCESSES
    assert not [secret for secret in secrets if secret in " ".join(commands)]


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
        async with dying(own, part):
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
        assert closed.outcome != Order.VOID or closed.void_reason in HELD_UP
        assert (await trader.veritick.receipt(closed)).outcome == closed.outcome


async def test_what_nobody_trades_with_comes_back_too(own: Platform) -> None:
    async with dying(own, "identity"):
        pass
    assert await newcomer(own)


async def traded(
    platform: Platform, who: Credentials
) -> tuple[Order, Order, PlaceOrderRequest, list[Entry]]:
    """Trade once to the end, and leave one order that will expire while nobody is there."""
    async with trading(platform, who) as trader:
        closed = await trader.settled(await trader.buy())
        entries = await trader.entries()
        request = await trader.order_request(seconds=LEFT_OPEN_SECONDS)
        return closed, (await trader.veritick.submit(request)).order, request, entries


async def again(platform: Platform, email: str) -> Trader:
    veritick = Veritick.connect(platform.url)
    await veritick.log_in(email, PASSWORD)
    account = await veritick.account("DEMO")
    return Trader(veritick, account, "")


async def test_no_process_survives_its_platform_and_the_next_finds_everything(
    own: Platform,
) -> None:
    who = await newcomer(own)
    closed, left_open, request, entries = await traded(own, who)
    key = (own.home / "keys" / "public" / "identity.pem").read_bytes()

    own.process.kill()

    await asyncio.to_thread(until, lambda: processes_of(own) == {})
    # No run of the market may cover the expiry: the first has ended, the second is yet to begin.
    expiry = left_open.expire_time.ToNanoseconds() / 1e9
    await eventually(lambda: time.time() > expiry)
    with running_platform(own.home, UNHISTORIED) as second:
        assert not [line for line in second.lines if "migrate" in line]
        assert (own.home / "keys" / "public" / "identity.pem").read_bytes() == key
        trader = await again(second, who.email)
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

        second.process.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(second.process.wait, STOP_SECONDS) == 0
        assert processes_of(second) == {}
        await eventually(lambda: second.lines[-1] == "stopped")
