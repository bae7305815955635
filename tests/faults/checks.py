"""What must hold after every fault, read from the databases as they are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence

import grpc
from psycopg.rows import TupleRow

from services.kit.channels import Channels
from services.kit.clock import SystemClock
from tests.faults import auditing
from tests.faults.listener import Heard, told_on_rest
from tests.faults.load import Tally, Trader
from tests.faults.world import WELL_SECONDS, World
from veritick.trading.v1.ledger_service_pb2 import GetTrialBalanceRequest, TrialBalanceLine
from veritick.trading.v1.ledger_service_pb2_grpc import LedgerServiceStub

_ESCROW = "00000000-0000-0000-0000-000000000001"
_ORDERS = """
    SELECT request_id, order_id FROM open_order
    UNION ALL SELECT request_id, order_id FROM closed_order
"""
# Each of these names what is wrong, and finds nothing in a book that is right.
_WRONG_IN_BOOK = {
    "a request id opened two orders": f"""
        SELECT request_id FROM ({_ORDERS}) o GROUP BY request_id HAVING count(*) > 1""",
    "an order is open and closed": """
        SELECT order_id FROM open_order JOIN closed_order USING (order_id)""",
    "an order was not paid for exactly once": f"""
        SELECT o.order_id FROM ({_ORDERS}) o
        LEFT JOIN entry e ON e.order_id = o.order_id AND e.kind = 3
        GROUP BY o.order_id HAVING count(e.order_id) <> 1""",
    "a stake was taken for no order": f"""
        SELECT e.order_id FROM entry e LEFT JOIN ({_ORDERS}) o USING (order_id)
        WHERE e.order_id IS NOT NULL AND o.order_id IS NULL""",
    "a closed order paid what it should not": """
        SELECT c.order_id FROM closed_order c
        JOIN entry e ON e.order_id = c.order_id AND e.account_id = c.account_id
        GROUP BY c.order_id, c.returned, c.stake HAVING sum(e.amount) <> c.returned - c.stake""",
    "an order closed by two transfers": """
        SELECT order_id FROM entry WHERE order_id IS NOT NULL
        GROUP BY order_id HAVING count(DISTINCT transfer_id) > 2""",
    "a balance is not the sum of its entries": """
        SELECT a.account_id FROM account a LEFT JOIN entry e USING (account_id)
        GROUP BY a.account_id, a.posted HAVING coalesce(sum(e.amount), 0) <> a.posted""",
    "a statement does not add up line by line": """
        SELECT entry_id FROM (
            SELECT entry_id, balance,
                   sum(amount) OVER (PARTITION BY account_id ORDER BY entry_id) AS running
            FROM entry WHERE balance IS NOT NULL) s
        WHERE balance <> running""",
    "an account counts its open orders wrongly": """
        SELECT a.account_id FROM account a LEFT JOIN open_order o USING (account_id)
        GROUP BY a.account_id, a.open_orders HAVING count(o.order_id) <> a.open_orders""",
    "escrow is not the stakes of open orders": f"""
        SELECT 1 WHERE (SELECT coalesce(sum(stake), 0) FROM open_order) <> (
            SELECT coalesce(sum(CASE WHEN account_id = '{_ESCROW}' THEN amount ELSE -amount END), 0)
            FROM entry WHERE '{_ESCROW}' IN (account_id, contra_account_id))""",
    "positions of the journal have gaps": """
        SELECT position FROM (
            SELECT position, row_number() OVER (ORDER BY position) AS n FROM journal) j
        WHERE position <> n""",
    "sequences of a subject have gaps": """
        SELECT subject, sequence FROM (
            SELECT subject, sequence,
                   row_number() OVER (PARTITION BY subject ORDER BY position) AS n FROM journal) j
        WHERE sequence <> n""",
    "an order closed on a price older than it": """
        SELECT order_id FROM closed_order WHERE close_number < entry_number""",
}
# The first as a build before this one lists it, which may have been the last to run.
_OUTSTANDING = """
    SELECT order_id FROM outstanding UNION ALL SELECT unnest(orders) FROM outstanding_chunk
"""
_WRONG_IN_SETTLEMENT = {
    "receipts are not chained": """
        SELECT sequence FROM (
            SELECT sequence, previous_hash, lag(hash) OVER w AS hash_before,
                   row_number() OVER w AS n
            FROM receipt WINDOW w AS (PARTITION BY book ORDER BY sequence)) r
        WHERE sequence <> n OR n > 1 AND previous_hash <> hash_before""",
    "a receipt says otherwise than the decision": """
        SELECT order_id FROM receipt JOIN decision USING (order_id)
        WHERE receipt.outcome <> decision.outcome""",
}
_WRONG_IN_QUOTES = {
    "ticks are not numbered in the order of their times": """
        SELECT instrument_id, number FROM (
            SELECT instrument_id, number,
                   lag(number) OVER (PARTITION BY instrument_id ORDER BY time) AS before
            FROM tick) t
        WHERE number <= before""",
    "a tick lies in no run": """
        SELECT instrument_id, number FROM tick t
        WHERE NOT EXISTS (SELECT FROM run
                          WHERE t.time > start_time AND t.time <= watermark)""",
    "runs overlap": """
        SELECT a.id FROM run a JOIN run b ON a.id < b.id
        WHERE a.watermark >= b.start_time""",
}


def lost(world: World, tally: Tally) -> list[str]:
    """Return the acknowledged orders that are not there."""
    there = _orders(world, tally.acknowledged)
    return [r for r, order in tally.acknowledged.items() if there.get(r) != order]


def doubled(world: World, tally: Tally) -> list[str]:
    """Return the ids that were asked for and opened more than one order."""
    query = f"SELECT request_id::text FROM ({_ORDERS}) o GROUP BY request_id HAVING count(*) > 1"
    return [row[0] for row in world.book(query) if row[0] in tally.asked]


def assert_refused_moved_nothing(world: World, tally: Tally) -> None:
    """A definite refusal means that no order exists under its id."""
    assert not _orders(world, tally.refused)


async def assert_all_is_well(world: World, tally: Tally, heard: Sequence[Heard] = ()) -> None:
    """Wait until everything due is settled and told, then check all of it."""
    assert not tally.unknown, f"{len(tally.unknown)} orders never got an answer"
    assert tally.doubles == 0
    assert doubled(world, tally) == []
    assert lost(world, tally) == []
    assert_refused_moved_nothing(world, tally)
    await assert_settled(world)
    _assert_nothing(world, "trading_demo", _WRONG_IN_BOOK)
    _assert_nothing(world, "settlement", _WRONG_IN_SETTLEMENT)
    _assert_nothing(world, "quotes", _WRONG_IN_QUOTES)
    await _assert_balanced(world)
    await auditing.assert_in_order(world)
    for listener in heard:
        await assert_heard_all(world, listener)


async def assert_settled(world: World) -> None:
    """Every order closes once, as decided, and has one receipt."""
    await _none_left(world, "trading_demo", "SELECT order_id FROM open_order")
    await _none_left(world, "settlement", _OUTSTANDING)
    query = "SELECT order_id, outcome, returned, transfer_id FROM closed_order ORDER BY order_id"
    closed = world.book(query)
    receipts = world.rows(
        "settlement",
        "SELECT order_id, outcome, returned, close_transfer_id FROM receipt ORDER BY order_id",
    )
    assert closed == receipts


async def assert_heard_all(world: World, heard: Heard) -> None:
    """A listener heard every event once and in order, and REST tells the same."""
    whole = await _whole_story(world, heard.trader)
    deadline = time.monotonic() + WELL_SECONDS
    while heard.last < len(whole):
        assert time.monotonic() < deadline, f"heard only {heard} of {len(whole)}"
        await asyncio.sleep(0.1)
    assert heard.lost == []
    assert heard.sequences == whole, f"not once and in order: {heard} of {len(whole)}"


async def _whole_story(world: World, trader: Trader) -> list[int]:
    (last,) = world.book(
        "SELECT count(*) FROM journal WHERE subject = %s", [f"account:{trader.account_id}"]
    )
    told = await told_on_rest(world, trader)
    assert told == list(range(1, last[0] + 1))
    return told


def _orders(world: World, requests: Iterable[str]) -> dict[str, str]:
    rows = world.book(
        f"SELECT request_id::text, 'demo_' || order_id FROM ({_ORDERS}) o "
        "WHERE request_id = ANY (%s::uuid[])",
        [list(requests)],
    )
    return {str(request): str(order) for request, order in rows}


async def _none_left(world: World, database: str, query: str) -> None:
    deadline = time.monotonic() + WELL_SECONDS
    while rows := await asyncio.to_thread(world.rows, database, query):
        assert time.monotonic() < deadline, f"{len(rows)} left over: {query}"
        await asyncio.sleep(0.2)


def _assert_nothing(world: World, database: str, wrong: dict[str, str]) -> None:
    found: dict[str, list[TupleRow]] = {}
    for what, query in wrong.items():
        if rows := world.rows(database, query):
            found[what] = rows[:5]
    assert found == {}


async def _assert_balanced(world: World) -> None:
    channels = Channels(world.operator_keys, SystemClock(), deadline_seconds=WELL_SECONDS)
    async with channels.to("trading", world.ports.address("trading")) as channel:
        lines = await _trial_balance(channel)
    sums: dict[str, int] = {}
    for line in lines:
        currency = line.balance.currency_code
        sums[currency] = sums.get(currency, 0) + line.balance.minor_units
    assert set(sums.values()) == {0}


async def _trial_balance(channel: grpc.aio.Channel) -> list[TrialBalanceLine]:
    answer = await LedgerServiceStub(channel).GetTrialBalance(GetTrialBalanceRequest(book="demo"))
    return list(answer.lines)
