"""A batch gives exactly the results its orders would have had one by one, in order of arrival."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.kit.errors import Failure
from services.kit.values import Money, Period
from services.trading import commit, statement
from services.trading.auditor import Auditor
from services.trading.book import Account
from services.trading.commit import Batch, Transaction
from services.trading.moving import OpenAccount
from services.trading.order import Direction, OrderRequest, Outcome, VoidReason
from services.trading.protecting import Protect
from services.trading.protection import Kind, Limit
from services.trading.settling import Decision, SettleOrders
from tests.service.trading_fixtures import Bench, bench, request
from tests.stores import Postgres

EXAMPLES = 100
TOGETHER, ALONE = ("AAAUSD", "BBBUSD"), ("CCCUSD", "DDDUSD")
"""The same two instruments twice, so that neither side's exposure meets the other's."""


class Asked(NamedTuple):
    """One order of an example. Accounts, ids and instruments are few, so that they meet."""

    account: int
    request: int
    instrument: int
    direction: Direction
    stake: int
    seconds: int
    min_payout_bp: int | None


orders = st.builds(
    Asked,
    account=st.integers(0, 2),
    request=st.integers(0, 6),
    instrument=st.integers(0, 1),
    direction=st.sampled_from(Direction),
    stake=st.sampled_from([99, 100, 101, 400, 700]),
    seconds=st.sampled_from([1, 10]),
    min_payout_bp=st.sampled_from([None, 8_500, 8_501]),
)
ahead = st.tuples(
    st.lists(orders, min_size=2, max_size=14),
    st.lists(st.sampled_from([0, 100, 950, 2_500]), min_size=3, max_size=3),
    st.lists(st.sampled_from([None, None, 0, 850, 1_900]), min_size=3, max_size=3),
    st.integers(1, 4),
    st.none() | st.integers(0, 4),
)
"""Orders, chips, limits, how many share a commit, and which commit nobody hears of."""

examples = st.tuples(
    st.lists(orders, min_size=1, max_size=14),
    st.lists(st.sampled_from([0, 100, 950, 2_500]), min_size=3, max_size=3),
    st.lists(st.sampled_from([None, None, 0, 850, 1_900]), min_size=3, max_size=3),
    st.integers(0, 14),
)
"""Orders, chips, limits, and after how many the batch ends."""


@pytest_asyncio.fixture
async def demo(postgres: Postgres) -> AsyncIterator[Bench]:
    limits: dict[str, Any] = {"open_orders_max": 3, "exposure_max": 600}
    async with bench(postgres, *TOGETHER, *ALONE, **limits) as lent:
        yield lent
        auditor = Auditor(lent.desk.book.database, lent.desk.wire, lent.market.clock.now, None)
        assert (await auditor.audit()).findings == []


@settings(
    max_examples=EXAMPLES,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(example=examples)
async def test_a_batch_equals_its_orders_one_by_one(demo: Bench, example: Any) -> None:
    asked, chips, limits, first = example
    for symbol in (*TOGETHER, *ALONE):
        demo.market.tick(10_000, symbol)
    together = await accounts(demo, chips, limits)
    alone = await accounts(demo, chips, limits)
    batch = [command(item, together, TOGETHER) for item in asked]
    answers = [
        *await in_one_batch(demo, batch[:first]),
        *await in_one_batch(demo, batch[first:]),
    ]
    singly = [await answer(demo, command(item, alone, ALONE)) for item in asked]
    assert told(answers) == told(singly)
    assert await money_of(demo, together) == await money_of(demo, alone)
    await close(demo, [*answers, *singly])


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(example=ahead)
async def test_batches_that_are_decided_ahead_equal_their_orders_one_by_one(
    demo: Bench, example: Any
) -> None:
    """Also when it is not known of one of their commits whether it happened."""
    asked, chips, limits, size, lost = example
    for symbol in (*TOGETHER, *ALONE):
        demo.market.tick(10_000, symbol)
    together = await accounts(demo, chips, limits)
    alone = await accounts(demo, chips, limits)
    with of_size(demo, size), losing(lost):
        waiting = (answer(demo, command(item, together, TOGETHER)) for item in asked)
        answers = await asyncio.gather(*waiting)
    singly = [await answer(demo, command(item, alone, ALONE)) for item in asked]
    # What happened before it was known to have happened is answered as a replay.
    known = lost is None
    assert told(answers, replays=known) == told(singly, replays=known)
    assert await money_of(demo, together) == await money_of(demo, alone)
    await close(demo, [*answers, *singly])


@contextmanager
def of_size(demo: Bench, size: int) -> Iterator[None]:
    """Let no more orders than this share a commit, so that there are several."""
    placing = demo.desk.writer._batches[OrderRequest]
    placing.size_max, whole = size, placing.size_max
    try:
        yield
    finally:
        placing.size_max = whole


@contextmanager
def losing(nth: int | None) -> Iterator[None]:
    """Lose the answer to the nth commit from now on, which happened."""
    commits = count()

    async def run_and_lose(*arguments: Any) -> None:
        await statement.run(*arguments)
        if next(commits) == nth:
            raise psycopg.OperationalError("the server closed the connection unexpectedly")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commit, "run", run_and_lose)
        yield


async def accounts(
    demo: Bench, chips: Sequence[int], limits: Sequence[int | None]
) -> list[Account]:
    """Open accounts with this much on them, whose users may lose and stake that much a day."""
    opening = [OpenAccount(uuid4(), "USD", amount) for amount in chips]
    opened = [await demo.desk.writer.submit(command) for command in opening]
    for account, allowed in zip(opened, limits, strict=True):
        if allowed is not None:
            own = tuple(Limit(kind, Period.DAY, allowed) for kind in Kind)
            await demo.desk.protect(Protect(account.user_id, 1, own, None, None))
    return opened


def command(asked: Asked, owners: Sequence[Account], symbols: Sequence[str]) -> OrderRequest:
    """Return the order as one side asks for it."""
    return request(
        owners[asked.account],
        request_id=UUID(int=asked.request),
        instrument=symbols[asked.instrument],
        direction=asked.direction,
        stake=Money(asked.stake, "USD"),
        duration_seconds=asked.seconds,
        min_payout_bp=asked.min_payout_bp,
    )


async def in_one_batch(demo: Bench, commands: Sequence[OrderRequest]) -> list[Any]:
    """Place orders in one commit, and see that it was one."""
    if not commands:
        return []
    placing = demo.desk.writer._batches[OrderRequest]
    sizes: list[int] = []
    demo.desk.writer._batches = {
        **demo.desk.writer._batches,
        OrderRequest: Counted(placing, sizes),
    }
    waiting = (answer(demo, command) for command in commands)
    answers = await asyncio.gather(*waiting)
    demo.desk.writer._batches = {**demo.desk.writer._batches, OrderRequest: placing}
    assert sizes == [len(commands)]
    return answers


class Counted:
    """A batch that notes how many commands share a commit."""

    def __init__(self, batch: Batch, sizes: list[int]) -> None:
        self.kind, self.size_max, self.ahead = batch.kind, batch.size_max, batch.ahead
        self.load = batch.load
        self._batch = batch
        self._sizes = sizes

    async def commit(self, commands: Sequence[Any], transaction: Transaction) -> Sequence[object]:
        self._sizes.append(len(commands))
        return await self._batch.commit(commands, transaction)


async def answer(demo: Bench, asked: OrderRequest) -> Any:
    try:
        return await demo.desk.writer.submit(asked)
    except Failure as failure:
        return failure


def told(answers: Sequence[Any], *, replays: bool = True) -> list[object]:
    """Return answers without what differs between the sides: ids of accounts and orders."""
    seen: dict[UUID, int] = {}
    return [_told(item, seen, replays) for item in answers]


def _told(item: Any, seen: dict[UUID, int], replays: bool) -> object:
    if isinstance(item, Failure):
        details = {key: value for key, value in item.metadata.items() if key != "instrument"}
        return item.reason, details
    order = item.booked.order
    nth = seen.setdefault(order.order_id, len(seen))
    return (
        nth,
        replays and item.replay,
        order.request_id,
        order.direction,
        order.stake,
        order.expires_at,
    )


async def money_of(demo: Bench, owners: Sequence[Account]) -> list[object]:
    """Return what the accounts hold, and what their users have used up of their limits."""
    now = [await demo.now(owner) for owner in owners]
    found = [await demo.desk.protections.of(owner.user_id) for owner in owners]
    return [
        (account.posted, account.open_orders, protection and protection.used)
        for account, protection in zip(now, found, strict=True)
    ]


async def close(demo: Bench, answers: Sequence[Any]) -> None:
    """Close what was opened, so that the next example begins without exposure."""
    opened = {item.booked.order.order_id for item in answers if not isinstance(item, Failure)}
    decisions = [Decision(key, Outcome.VOID, VoidReason.NO_TICK, None) for key in opened]
    if decisions:
        await demo.desk.writer.submit(SettleOrders(decisions))
