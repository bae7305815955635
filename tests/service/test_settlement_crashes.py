"""Wherever settlement is killed, what it decided stands, and each order gets one receipt."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import psycopg

from services.trading.order import Direction
from tests.service.settlement_world import ENTRY, World
from tests.settlement_receipt import hash_of
from tests.waiting import eventually

pytest_plugins = ["tests.service.settlement_fixtures"]

DECIDED = "SELECT count(*) FROM decision"


async def test_killed_after_deciding_it_repeats_the_decision(world: World) -> None:
    world.book.before.close()
    async with killed(world, world.book.before.open):
        await world.book.before.reached()
        assert (world.rows(DECIDED), await world.outcomes()) == ([(2,)], {})


async def test_what_a_build_before_this_one_had_listed_is_carried_out(world: World) -> None:
    def list_order_by_order() -> None:
        with psycopg.connect(world.access.owner) as connection:
            connection.execute("DELETE FROM outstanding_chunk")
            connection.execute(
                "INSERT INTO outstanding SELECT book, expires_at, order_id FROM decision"
            )
        world.book.before.open()

    world.book.before.close()
    async with killed(world, list_order_by_order):
        await world.book.before.reached()
    assert world.rows("SELECT count(*) FROM outstanding") == [(0,)]


async def test_a_build_before_this_one_finds_what_this_one_had_listed(world: World) -> None:
    def be_elected() -> None:
        with psycopg.connect(world.access.service) as connection:
            connection.execute("UPDATE leader SET epoch = epoch + 1 WHERE name = 'worker:demo'")
        assert world.rows("SELECT count(*) FROM outstanding_chunk") == [(0,)]
        assert world.rows("SELECT book FROM outstanding") == [("demo",), ("demo",)]
        world.book.after.open()

    world.book.after.close()
    async with killed(world, be_elected):
        await world.book.after.reached()
    assert world.rows("SELECT count(*) FROM outstanding") == [(0,)]


async def test_killed_after_the_book_closed_it_issues_the_receipts(world: World) -> None:
    world.book.after.close()
    async with killed(world, world.book.after.open):
        await world.book.after.reached()
        assert sorted((await world.outcomes()).values()) == ["LOSS", "WIN"]
        assert world.rows("SELECT count(*) FROM receipt") == [(0,)]


async def test_killed_while_storing_receipts_it_stores_each_once(world: World) -> None:
    with psycopg.connect(world.access.owner) as connection:
        connection.execute("LOCK TABLE receipt IN SHARE MODE")
        async with killed(world, connection.rollback):
            await world.until(
                "SELECT count(*) FROM pg_locks "
                "WHERE relation = 'receipt'::regclass AND NOT granted",
                1,
            )


async def test_a_reply_that_never_came_is_asked_for_again(world: World) -> None:
    orders = await due(world)
    world.book.lose_replies = 2
    async with world.settlement():
        await world.receipts(2)
    assert world.book.calls["SettleOrders"] == 3
    assert await world.outcomes() == orders


async def test_a_book_restored_from_yesterday_closes_its_orders_as_before(world: World) -> None:
    """The book has forgotten a close that settlement remembers."""
    orders = await due(world)
    world.back_up_book()
    async with world.settlement():
        await world.receipts(2)
    world.restore_book()
    assert await world.outcomes() == {}
    forget_prices(world)
    async with world.settlement() as settlement:

        async def closed() -> bool:
            return await world.outcomes() == orders

        await eventually(closed)
        receipts = [await settlement.receipt(order) for order in orders]
    assert {receipt["orderId"]: receipt["outcome"] for receipt in receipts} == orders


async def due(world: World) -> dict[str, str]:
    """Let two orders be due, and return how they must close."""
    up, down = await world.order(Direction.UP), await world.order(Direction.DOWN)
    world.fix(ENTRY + 1, world.expiry())
    world.pass_to(world.expiry())
    return {up: "WIN", down: "LOSS"}


def forget_prices(world: World) -> None:
    """Let quotes claim the opposite from now on: nobody may decide again."""
    for point in world.script.prices:
        world.script.prices[point] = ENTRY - 1


@asynccontextmanager
async def killed(world: World, unblock: Callable[[], None]) -> AsyncIterator[None]:
    """Kill settlement at the end of the block, then see that another one completes the work."""
    orders = await due(world)
    async with world.settlement():
        yield
    forget_prices(world)
    world.book.told.clear()
    unblock()
    async with world.settlement() as settlement:
        await world.receipts(2)
        receipts = [await settlement.receipt(order) for order in orders]
        await world.until("SELECT count(*) FROM outstanding_chunk", 0)
    # Outstanding, and found due as well while the book had not closed them yet.
    assert set(world.book.told.values()) == {1}
    assert await world.outcomes() == orders
    assert {receipt["orderId"]: receipt["outcome"] for receipt in receipts} == orders
    assert sorted(receipt["sequence"] for receipt in receipts) == ["1", "2"]
    assert all(receipt["hash"] == hash_of(receipt) for receipt in receipts)
