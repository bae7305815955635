"""A trade from signing up to the receipt, on the whole platform."""

import asyncio
import re
import sys
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.end_to_end.traders import (
    HELD_UP,
    OPENING_MINOR_UNITS,
    STAKE,
    UNENDING,
    Trader,
    assert_adds_up,
    newcomer,
    trading,
)
from tests.platform import Platform
from tests.waiting import PATIENCE_SECONDS
from veritick.quotes.v1.fixing_service_pb2 import Fixing
from veritick.trading.v1.account_pb2 import Entry
from veritick.trading.v1.order_pb2 import UP, Order

pytestmark = [pytest.mark.platform, pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[2]


def returned_by_rule(order: Order) -> int:
    """What rules.md, "Outcome", says comes back."""
    stake = order.stake.minor_units
    match order.outcome:
        case Order.WIN:
            return stake + stake * order.payout_bp // 10_000
        case Order.LOSS:
            return 0
    return stake


def outcome_by_rule(order: Order) -> "Order.Outcome.ValueType":
    """What an UP order's ticks say."""
    entry, close = order.entry_tick.price.mantissa, order.close_tick.price.mantissa
    if close == entry:
        return Order.DRAW
    return Order.WIN if close > entry else Order.LOSS


async def test_a_newcomer_trades_and_the_server_settles_with_a_receipt(platform: Platform) -> None:
    async with trading(platform, await newcomer(platform)) as trader:
        assert trader.account.available.minor_units == OPENING_MINOR_UNITS

        order = await trader.buy(seconds=UNENDING)

        assert (order.state, order.direction, order.instrument) == (
            Order.OPEN,
            UP,
            trader.instrument,
        )
        assert (await trader.balance()).available.minor_units == OPENING_MINOR_UNITS - STAKE
        assert (await trader.balance()).open_orders == 1
        assert (off := trader.veritick.clock.uncertainty) is not None
        assert off < timedelta(seconds=1)

        closed = await trader.settled(await trader.buy())
        while closed.outcome == Order.VOID and closed.void_reason in HELD_UP:
            closed = await trader.settled(await trader.buy())

        assert closed.state == Order.CLOSED
        assert closed.outcome == outcome_by_rule(closed)
        assert closed.returned.minor_units == returned_by_rule(closed)
        account = await trader.balance()
        won = returned_by_rule(closed) - STAKE
        assert account.posted.minor_units == OPENING_MINOR_UNITS - STAKE + won
        assert account.open_orders == 1
        await assert_proven(trader, closed)


async def assert_proven(trader: Trader, order: Order) -> None:
    receipt = await trader.veritick.receipt(order)
    assert receipt.order_id == order.order_id
    assert receipt.outcome == order.outcome
    assert receipt.entry_tick == order.entry_tick
    assert receipt.fixing.state == Fixing.FINAL
    assert receipt.fixing.tick == order.close_tick
    assert receipt.fixing.time == order.expire_time == receipt.expire_time
    assert receipt.fixing.tick.time.ToDatetime() <= order.expire_time.ToDatetime()
    assert receipt.returned == order.returned
    assert len(receipt.transfer_ids) == 2
    assert re.fullmatch(r"[0-9a-f]{64}", receipt.hash)
    assert re.fullmatch(r"[0-9a-f]{64}", receipt.previous_hash)
    statement = {entry.transfer_id for entry in await trader.entries()}
    assert receipt.transfer_ids[0] in statement


async def test_the_statement_adds_up_over_many_trades_at_once(trader: Trader) -> None:
    orders = await asyncio.gather(*(trader.buy(stake=100 + n) for n in range(12)))
    closed = await asyncio.gather(*(trader.settled(order) for order in orders))

    entries = await trader.entries(page_size=5)

    assert_adds_up(entries, await trader.balance())
    stakes = [entry for entry in entries if entry.kind == Entry.STAKE]
    assert {entry.order_id for entry in stakes} >= {order.order_id for order in orders}
    for order in closed:
        mine = [entry.amount.minor_units for entry in entries if entry.order_id == order.order_id]
        assert sum(mine) == returned_by_rule(order) - order.stake.minor_units


async def test_what_happened_is_told_in_order_and_once(trader: Trader) -> None:
    begin = await trader.veritick.last_sequence(trader.account.account_id)
    order = await trader.buy()
    types, sequences = [], []

    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        aclosing(trader.veritick.events(trader.account.account_id, after=begin)) as events,
    ):
        async for entry in events:
            sequences.append(entry.sequence)
            types.append(entry.type)
            if entry.event.order_settled.order.order_id == order.order_id:
                break

    assert sequences == list(range(begin + 1, begin + 1 + len(sequences)))
    assert types[0] in {"order.opened.v1", "balance.changed.v1"}
    assert "balance.changed.v1" in types
    assert types.count("order.opened.v1") == types.count("order.settled.v1") == 1


async def test_prices_come_as_they_are_made(trader: Trader) -> None:
    numbers, times = [], []

    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        aclosing(trader.veritick.ticks(trader.instrument)) as ticks,
    ):
        async for tick in ticks:
            assert tick.instrument == trader.instrument
            assert tick.price.mantissa > 0
            numbers.append(tick.number)
            times.append(tick.time.ToNanoseconds())
            if len(numbers) == 5:
                break

    assert numbers == sorted(set(numbers))
    assert times == sorted(set(times))


async def pasted(platform: Platform, readme: Path) -> str:
    """Run the example of a README against this platform; return what it printed."""
    blocks = re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL)
    example = next(block for block in blocks if "Veritick.connect" in block)
    assert "http://127.0.0.1:8080" in example
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", example.replace("http://127.0.0.1:8080", platform.url)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    return said.decode()


async def test_the_examples_work_when_pasted(platform: Platform) -> None:
    readmes = (ROOT / "README.md", ROOT / "clients/python/README.md")
    said = await asyncio.gather(*(pasted(platform, readme) for readme in readmes))
    assert all(text.strip() for text in said)
