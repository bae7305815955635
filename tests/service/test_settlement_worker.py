"""Settlement settles a real book: each order closes once, as decided, with one receipt."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from prometheus_client import REGISTRY

from services.kit.database import Database
from services.kit.errors import Failure
from services.kit.leader import LeadershipLost, Term
from services.kit.reason import Reason
from services.settlement.decisions import Decisions
from services.settlement.fixing import VoidReason
from services.settlement.fixings import Fixings
from services.settlement.outcome import Decision, Outcome
from services.settlement.wire import to_fixing
from services.trading import order as trading
from services.trading.book import DueOrder
from services.trading.order import Direction
from tests.service.settlement_world import ENTRY, World
from tests.service.trading_fixtures import SYMBOL
from tests.settlement_receipt import hash_of
from tests.stores import Postgres
from tests.waiting import eventually

pytest_plugins = ["tests.service.settlement_fixtures"]

UP, DOWN = Direction.UP, Direction.DOWN
ISSUED = "SELECT count(*) FROM receipt"
OUTSTANDING = "SELECT count(*) FROM outstanding_chunk"


@pytest.mark.parametrize(
    ("direction", "close", "outcome", "returned"),
    [
        (UP, ENTRY + 1, "WIN", 1_850),
        (UP, ENTRY - 1, "LOSS", 0),
        (DOWN, ENTRY - 1, "WIN", 1_850),
        (DOWN, ENTRY + 1, "LOSS", 0),
        (UP, ENTRY, "DRAW", 1_000),
        (UP, VoidReason.FEED_SILENT, "VOID", 1_000),
    ],
)
async def test_an_order_settles_when_the_watermark_passes_its_expiry(
    world: World, direction: Direction, close: int, outcome: str, returned: int
) -> None:
    order = await world.order(direction)
    expiry = world.expiry()
    world.fix(close, expiry)
    async with world.settlement() as settlement:
        world.pass_to(expiry)
        await world.receipts(1)
        receipt = await settlement.receipt(order)
    assert (receipt["orderId"], receipt["outcome"]) == (order, outcome)
    assert receipt["returned"] == {"currencyCode": "USD", "minorUnits": str(returned)}
    assert receipt["fixing"].get("voidReason") == getattr(close, "name", None)
    assert receipt["hash"] == hash_of(receipt)
    assert await world.outcomes() == {order: outcome}


async def test_nothing_settles_before_its_expiry_is_wholly_known(world: World) -> None:
    order = await world.order()
    expiry = world.expiry()
    world.fix(ENTRY + 1, expiry)
    async with world.settlement() as settlement:
        await world.asked("ListDueOrders", 1)
        world.pass_to(expiry - timedelta(microseconds=1))
        await world.asked("ListDueOrders", 1)
        await asyncio.sleep(0.2)
        assert world.rows(ISSUED) == [(0,)]
        with pytest.raises(Failure) as refused:
            await settlement.receipt(order)
        assert refused.value.reason is Reason.RECEIPT_NOT_FOUND
        world.pass_to(expiry)
        await world.receipts(1)


async def test_receipts_of_a_book_are_one_chain(world: World) -> None:
    orders = []
    for seconds in (10, 5, 7):
        world.fix(ENTRY + seconds - 6, world.expiry(seconds))
        orders += [await world.order(duration_seconds=seconds) for _ in range(2)]
    async with world.settlement() as settlement:
        world.pass_to(world.expiry(5))
        await world.receipts(2)
        world.pass_to(world.expiry(10))
        await world.receipts(6)
        receipts = [await settlement.receipt(order) for order in orders]
    previous = "0" * 64
    for number, receipt in enumerate(sorted(receipts, key=lambda r: int(r["sequence"])), start=1):
        assert (int(receipt["sequence"]), receipt["previousHash"]) == (number, previous)
        assert receipt["hash"] == hash_of(receipt)
        previous = receipt["hash"]


@pytest.mark.parametrize("order_id", ["real_{}", "demo_{}"])
async def test_a_receipt_is_found_only_in_its_own_book(world: World, order_id: str) -> None:
    order = await world.order()
    expiry = world.expiry()
    world.fix(ENTRY, expiry)
    asked = order_id.format(order.removeprefix("demo_") if order_id[0] == "r" else uuid4())
    async with world.settlement() as settlement:
        world.pass_to(expiry)
        await world.receipts(1)
        with pytest.raises(Failure) as refused:
            await settlement.receipt(asked)
    assert refused.value.reason is Reason.RECEIPT_NOT_FOUND


async def test_an_id_that_is_none_is_refused(world: World) -> None:
    async with world.settlement() as settlement:
        with pytest.raises(Failure) as refused:
            await settlement.receipt("7")
    assert refused.value.reason is Reason.INVALID_REQUEST


async def test_pending_orders_do_not_hide_others(world: World) -> None:
    pending = [await world.order(duration_seconds=5) for _ in range(3)]
    known = await world.order(duration_seconds=9)
    world.fix(ENTRY + 1, world.expiry(9))
    world.book.page_max = 2
    gauge = {"book": "demo"}
    async with world.settlement():
        late = world.expiry(5)
        world.pass_to(world.expiry(9))
        await world.receipts(1)
        assert await world.outcomes() == {known: "WIN"}
        await eventually(
            lambda: REGISTRY.get_sample_value("veritick_settlement_pending", gauge) == 3
        )
        world.fix(ENTRY - 1, late)
        world.script.watermark += timedelta(seconds=1)
        await world.receipts(4)
    assert await world.outcomes() == {known: "WIN"} | dict.fromkeys(pending, "LOSS")


async def test_an_instrument_that_quotes_does_not_know_holds_up_nobody(world: World) -> None:
    stuck = await world.order(instrument="ETHUSD")
    orders = [await world.order(), await world.order(duration_seconds=6), await world.order()]
    world.script.unknown.add("ETHUSD")
    for seconds in (6, 10):
        world.fix(ENTRY + 1, world.expiry(seconds))
    async with world.settlement():
        world.pass_to(world.expiry(10))
        await world.receipts(3)
    assert await world.outcomes() == dict.fromkeys(orders, "WIN")
    assert stuck not in await world.outcomes()


async def test_an_outage_of_an_hour_changes_nothing_about_outcomes(world: World) -> None:
    order = await world.order()
    expiry = world.expiry()
    world.fix(ENTRY + 1, expiry)
    world.fix(ENTRY - 500, expiry + timedelta(hours=1))
    world.pass_to(expiry + timedelta(hours=1))
    async with world.settlement():
        await world.receipts(1)
    assert await world.outcomes() == {order: "WIN"}


@pytest.mark.parametrize("away", ["trading", "quotes"])
async def test_a_neighbour_being_away_only_delays(world: World, away: str) -> None:
    order = await world.order()
    expiry = world.expiry()
    world.fix(ENTRY + 1, expiry)
    neighbour = world.book if away == "trading" else world.script
    neighbour.away = True
    async with world.settlement() as settlement:
        world.pass_to(expiry)
        call = "ListDueOrders" if away == "trading" else "BatchGetFixings"
        await world.asked(call, 2)
        assert world.rows(ISSUED) == [(0,)]
        neighbour.away = False
        await world.receipts(1)
        assert not settlement.failed.is_set()
    assert await world.outcomes() == {order: "WIN"}


async def test_settlement_is_ready_while_it_hears_the_watermark(world: World) -> None:
    async with world.settlement() as settlement:
        await eventually(settlement.application.ready)
        world.script.silent = True
        await eventually(lambda: not settlement.application.ready())


async def test_a_book_that_closed_otherwise_raises_an_alarm_and_the_receipt_tells_its_close(
    world: World,
) -> None:
    order = await world.order()
    expiry = world.expiry()
    world.fix(ENTRY + 1, expiry)
    world.book.before.close()
    with alarms("ALREADY_CLOSED") as counted:
        async with world.settlement() as settlement:
            world.pass_to(expiry)
            await world.book.before.reached()
            await world.bench.settle(UUID(order.removeprefix("demo_")), trading.Outcome.VOID)
            world.book.before.open()
            await world.receipts(1)
            receipt = await settlement.receipt(order)
    assert counted() == 1
    assert (receipt["outcome"], receipt["returned"]["minorUnits"]) == ("VOID", "1000")
    assert receipt["hash"] == hash_of(receipt)


async def test_an_order_that_its_book_does_not_know_raises_an_alarm_and_holds_up_nobody(
    world: World,
) -> None:
    order = await world.order()
    expiry = world.expiry()
    world.fix(ENTRY + 1, expiry)
    lost = DueOrder(uuid4(), SYMBOL, trading.Direction.DOWN, ENTRY, expiry)
    world.book.never_heard_of.append(lost)
    with alarms("NOT_FOUND") as counted:
        async with world.settlement():
            world.pass_to(expiry)
            await world.receipts(1)
    assert counted() >= 1
    assert await world.outcomes() == {order: "WIN"}


async def test_only_one_worker_is_live_and_the_other_takes_over(world: World) -> None:
    first_order = await world.order(duration_seconds=5)
    world.fix(ENTRY + 1, world.expiry(5))
    second_order = await world.order(duration_seconds=9)
    world.fix(ENTRY - 1, world.expiry(9))
    epoch = "SELECT coalesce(max(epoch), 0) FROM leader WHERE name = 'worker:demo'"
    first, second = world.settlement(), world.settlement()
    await first.__aenter__()
    await world.until(epoch, 1)
    async with second as standby:
        later = world.expiry(9)
        world.pass_to(world.expiry(5))
        await world.receipts(1)
        asked = world.book.calls["SettleOrders"]
        # The one that stands by shows receipts, and settles nothing.
        assert (await standby.receipt(first_order))["outcome"] == "WIN"
        assert (asked, world.rows(epoch)) == (1, [(1,)])
        await first.__aexit__(None, None, None)
        await world.until(epoch, 2)
        world.pass_to(later)
        await world.receipts(2)
        receipt = await standby.receipt(second_order)
    assert (receipt["outcome"], receipt["sequence"]) == ("LOSS", "2")


async def test_a_worker_of_a_past_term_can_store_nothing(world: World) -> None:
    order = await world.order()
    expiry = world.expiry()
    world.fix(ENTRY + 1, expiry)
    world.pass_to(expiry)
    async with world.settlement():
        await world.receipts(1)
    fixing = to_fixing(world.script.fixing(SYMBOL, expiry))
    assert fixing
    decision = Decision(uuid4(), fixing.point, Outcome.LOSS, None)
    async with Database(world.access.service, name="settlement") as database:
        with pytest.raises(LeadershipLost):
            await Decisions(database, "demo", Fixings(database)).store(
                Term("worker:demo", 0), [decision], {fixing.point: fixing}, expiry
            )
    assert world.rows("SELECT count(*) FROM decision") == [(1,)]
    assert await world.outcomes() == {order: "WIN"}


@pytest.mark.parametrize("table", ["decision", "receipt", "fixing"])
def test_the_service_can_change_nothing_it_has_decided(postgres: Postgres, table: str) -> None:
    changes = ("UPDATE {} SET instrument = 'X'", "DELETE FROM {}", "TRUNCATE {}")
    with postgres.database("settlement") as access, psycopg.connect(access.service) as connection:
        for change in changes:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(change.format(table).encode())
            connection.rollback()


@contextmanager
def alarms(name: str) -> Iterator[Callable[[], float]]:
    """Lend what counts the alarms of this name within the block."""
    labels = {"book": "demo", "alarm": name}

    def total() -> float:
        return REGISTRY.get_sample_value("veritick_settlement_alarms_total", labels) or 0

    before = total()
    yield lambda: total() - before
