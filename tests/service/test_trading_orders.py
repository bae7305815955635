"""Orders on a real book: what they cost, what refuses them, how they close."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.values import Money
from services.trading.blocking import note_block
from services.trading.book import OrderFilter
from services.trading.ledger import NEWEST, EntryFilter
from services.trading.moving import BALANCE_MAX, RefillRequest, TransferRequest
from services.trading.order import Direction, OrderRequest, Outcome
from services.trading.posting import SystemAccount
from services.trading.settling import SettleStatus
from services.trading.tables import Exposure
from services.trading.terms import AMOUNT_MAX
from tests.service.trading_fixtures import CHIPS, SYMBOL, Bench, bench, request
from tests.stores import Postgres
from tests.waiting import eventually

ESCROW, HOUSE = int(SystemAccount.ESCROW), int(SystemAccount.HOUSE)


@pytest_asyncio.fixture
async def demo(postgres: Postgres) -> AsyncIterator[Bench]:
    async with bench(postgres, open_orders_max=5) as lent:
        yield lent


async def refusal(demo: Bench, account: object, **changes: object) -> Reason:
    """Return why an order is refused, having seen that nothing moved."""
    before = await demo.trial_balance()
    with pytest.raises(Failure) as refused:
        await demo.place(account, **changes)  # type: ignore[arg-type]
    assert await demo.trial_balance() == before
    return refused.value.reason


async def test_an_accepted_order_has_been_paid_for(demo: Bench) -> None:
    account = await demo.account()
    placed = await demo.place(account)
    after = await demo.now(account)
    assert not placed.replay
    assert (after.posted, after.open_orders) == (CHIPS - 1_000, 1)
    assert await demo.trial_balance() == {
        0: CHIPS - 1_000,
        ESCROW: 1_000,
        int(SystemAccount.ISSUE): -CHIPS,
    }
    found = await demo.desk.book.order(account.account_id, placed.booked.order.order_id)
    assert found == placed.booked
    # Twelve and a half seconds past, rounded up to the whole second of the clock.
    assert found.order.expires_at - demo.market.clock.now() == timedelta(seconds=10.5)


@pytest.mark.parametrize(
    ("outcome", "returned", "house"),
    [
        (Outcome.WIN, 1_850, -850),
        (Outcome.LOSS, 0, 1_000),
        (Outcome.DRAW, 1_000, 0),
        (Outcome.VOID, 1_000, 0),
    ],
)
async def test_an_order_closes_once(
    demo: Bench, outcome: Outcome, returned: int, house: int
) -> None:
    account = await demo.account()
    order = (await demo.place(account)).booked.order
    tick = demo.market.advance(11, 10_100) if outcome is not Outcome.VOID else None
    first = await demo.settle(order.order_id, outcome, tick)
    again = await demo.settle(order.order_id, outcome, tick)
    other = Outcome.LOSS if outcome is Outcome.WIN else Outcome.WIN
    different = await demo.settle(order.order_id, other, tick)
    assert first.status is again.status is SettleStatus.SETTLED
    assert different.status is SettleStatus.ALREADY_CLOSED
    assert first.booked == again.booked == different.booked
    after = await demo.now(account)
    assert (after.posted, after.open_orders) == (CHIPS - 1_000 + returned, 0)
    balances = await demo.trial_balance()
    assert sum(balances.values()) == 0
    assert (balances[ESCROW], balances.get(HOUSE, 0)) == (0, house)


async def test_an_unknown_order_cannot_be_settled(demo: Bench) -> None:
    assert (await demo.settle(uuid4(), Outcome.WIN)).status is SettleStatus.NOT_FOUND


async def test_a_request_id_is_answered_once(demo: Bench) -> None:
    account = await demo.account()
    asked = request(account)
    first = await demo.desk.writer.submit(asked)
    demo.market.advance(60)  # the market is stale by now: a replay is answered all the same
    again = await demo.desk.writer.submit(asked)
    assert again.replay
    assert again.booked == first.booked
    with pytest.raises(Failure) as refused:
        await demo.desk.writer.submit(asked._replace(direction=Direction.DOWN))
    assert refused.value.reason is Reason.REQUEST_ID_REUSED
    await demo.settle(first.booked.order.order_id, Outcome.LOSS)
    closed = await demo.desk.writer.submit(asked)
    assert closed.replay
    assert closed.booked.close is not None
    assert (await demo.now(account)).posted == CHIPS - 1_000


async def test_the_same_request_twice_at_once_opens_one_order(demo: Bench) -> None:
    account = await demo.account()
    asked = request(account)
    answers = await asyncio.gather(*(demo.desk.writer.submit(asked) for _ in range(20)))
    assert sum(not answer.replay for answer in answers) == 1
    assert len({answer.booked.order.order_id for answer in answers}) == 1
    assert (await demo.now(account)).posted == CHIPS - 1_000


async def test_parallel_orders_cannot_pass_a_limit_together(demo: Bench) -> None:
    account = await demo.account()
    answers = await asyncio.gather(
        *(demo.place(account) for _ in range(12)), return_exceptions=True
    )
    refused = [answer.reason for answer in answers if isinstance(answer, Failure)]
    assert refused == [Reason.OPEN_ORDERS_LIMIT] * 7
    assert (await demo.now(account)).open_orders == 5


async def test_parallel_orders_cannot_pass_the_exposure_together(postgres: Postgres) -> None:
    """Each may win 8.50 from the book, which owes at most 20.00 on one side."""
    async with bench(postgres, SYMBOL, "ETHUSD", exposure_max=2_000) as demo:
        accounts = [await demo.account() for _ in range(6)]
        answers = await asyncio.gather(
            *(demo.place(account) for account in accounts), return_exceptions=True
        )
        refused = [answer.reason for answer in answers if isinstance(answer, Failure)]
        assert refused == [Reason.EXPOSURE_LIMIT] * 4
        # Nor one after the other; what is another direction's or instrument's is no part of it.
        asked = request(accounts[0])
        assert await reason_of(demo, asked) is Reason.EXPOSURE_LIMIT
        assert await reason_of(demo, asked._replace(direction=Direction.DOWN)) is None
        other = asked._replace(request_id=uuid4(), instrument="ETHUSD")
        assert await reason_of(demo, other) is None
        [first, _] = [answer for answer in answers if not isinstance(answer, BaseException)]
        await demo.settle(first.booked.order.order_id, Outcome.VOID)
        assert await reason_of(demo, request(accounts[1])) is None
        assert await reason_of(demo, request(accounts[2])) is Reason.EXPOSURE_LIMIT


async def test_parallel_orders_cannot_spend_the_same_money(demo: Bench) -> None:
    account = await demo.account()
    stake = Money(100_000, "USD")
    for _ in range(2):
        await demo.place(account, stake=stake)
    take = TransferRequest(
        account.account_id, uuid4(), SystemAccount.ADJUSTMENT, Money(-650_000, "USD")
    )
    await demo.desk.writer.submit(take)
    answers = await asyncio.gather(
        *(demo.place(account, stake=stake) for _ in range(3)), return_exceptions=True
    )
    assert [isinstance(answer, Failure) for answer in answers] == [False, True, True]
    assert (await demo.now(account)).posted == 50_000


async def test_a_bad_order_in_a_batch_is_refused_alone(demo: Bench) -> None:
    accounts = [await demo.account() for _ in range(6)]
    requests = [request(account) for account in accounts]
    requests[2] = requests[2]._replace(stake=Money(5, "USD"))
    requests[4] = requests[4]._replace(instrument="NOSUCH")
    answers = await asyncio.gather(
        *(demo.desk.writer.submit(asked) for asked in requests), return_exceptions=True
    )
    assert [getattr(answer, "reason", None) for answer in answers] == [
        None,
        None,
        Reason.STAKE_BELOW_MINIMUM,
        None,
        Reason.INSTRUMENT_NOT_FOUND,
        None,
    ]


async def test_anothers_account_is_as_if_it_did_not_exist(demo: Bench) -> None:
    account, other = await demo.account(), await demo.account()
    asked = {"user_id": other.user_id}
    assert await refusal(demo, account, **asked) is Reason.ACCOUNT_NOT_FOUND
    assert await refusal(demo, account, account_id=uuid4()) is Reason.ACCOUNT_NOT_FOUND


async def test_an_unlucky_market_refuses_with_its_reason(demo: Bench) -> None:
    account = await demo.account()
    view, clock = demo.market.view, demo.market.clock
    clock.advance(timedelta(seconds=0.6))
    assert await refusal(demo, account) is Reason.MARKET_VIEW_STALE
    now = clock.now()
    view.set_watermark(now, now - timedelta(seconds=5), now)
    assert await refusal(demo, account) is Reason.FEED_SILENT
    clock.advance(timedelta(seconds=5))
    now = clock.now()
    view.set_watermark(now, now, now)
    assert await refusal(demo, account) is Reason.TICK_TOO_OLD
    view.forget()
    assert await refusal(demo, account) is Reason.MARKET_VIEW_STALE


async def test_a_refill_fills_up_once(demo: Bench) -> None:
    account = await demo.account()
    await demo.place(account, stake=Money(50_000, "USD"))
    refill = RefillRequest(account.account_id, account.user_id, uuid4(), CHIPS)
    first = await demo.desk.writer.submit(refill)
    again = await demo.desk.writer.submit(refill)
    assert (first.replay, again.replay) == (False, True)
    assert (await demo.now(account)).posted == CHIPS
    with pytest.raises(Failure) as refused:
        await demo.desk.writer.submit(refill._replace(request_id=uuid4()))
    assert refused.value.reason is Reason.REFILL_NOT_ALLOWED


async def test_a_transfer_never_takes_what_is_not_there(demo: Bench) -> None:
    account = await demo.account()
    take = TransferRequest(
        account.account_id, uuid4(), SystemAccount.CLEARING, Money(-CHIPS - 1, "USD")
    )
    with pytest.raises(Failure) as refused:
        await demo.desk.writer.submit(take)
    assert refused.value.reason is Reason.INSUFFICIENT_FUNDS


async def test_no_account_comes_to_more_than_the_ledger_can_hold(demo: Bench) -> None:
    account = await demo.account()
    give = TransferRequest(
        account.account_id, uuid4(), SystemAccount.CLEARING, Money(BALANCE_MAX - CHIPS, "USD")
    )
    for amount in (BALANCE_MAX - CHIPS + 1, 2**63 - 1):
        with pytest.raises(Failure) as refused:
            await demo.desk.writer.submit(give._replace(amount=Money(amount, "USD")))
        assert refused.value.reason is Reason.BALANCE_LIMIT
    with pytest.raises(Failure) as refused:
        least = Money(-(2**63), "USD")
        await demo.desk.writer.submit(give._replace(amount=least))
    assert refused.value.reason is Reason.INSUFFICIENT_FUNDS
    await demo.desk.writer.submit(give)
    assert (await demo.now(account)).posted == BALANCE_MAX


async def test_the_largest_order_is_won_and_counted_also_by_who_leads_next(
    postgres: Postgres,
) -> None:
    """The profit of one such order times ten thousand does not fit 64 bits."""
    largest: dict[str, Any] = {"stake_max": AMOUNT_MAX, "exposure_max": AMOUNT_MAX}
    async with bench(postgres, **largest, payout_fixed_bp=9_500) as demo:
        account = await demo.account()
        give = TransferRequest(
            account.account_id, uuid4(), SystemAccount.CLEARING, Money(BALANCE_MAX - CHIPS, "USD")
        )
        await demo.desk.writer.submit(give)
        order = (await demo.place(account, stake=Money(AMOUNT_MAX, "USD"))).booked.order
        exposure = Exposure()
        async with demo.desk.book.database.raw() as connection:
            await exposure.load(connection)
        assert exposure.owed((SYMBOL, int(Direction.UP))) == 95 * AMOUNT_MAX // 100
        await demo.settle(order.order_id, Outcome.WIN, demo.market.advance(11, 10_100))
        assert (await demo.now(account)).posted == 195 * AMOUNT_MAX // 100
        assert sum((await demo.trial_balance()).values()) == 0


async def test_a_statement_adds_up_to_the_balance(demo: Bench) -> None:
    account = await demo.account()
    for outcome in (Outcome.WIN, Outcome.LOSS, Outcome.DRAW):
        order = (await demo.place(account)).booked.order
        await demo.settle(order.order_id, outcome, demo.market.advance(11, 10_100))
    lines = await demo.desk.ledger.statement(account.account_id, EntryFilter(), NEWEST, 100)
    assert sum(line.amount for line in lines) == lines[0].balance
    assert lines[0].balance == (await demo.now(account)).posted
    for newer, older in pairwise(lines):
        assert newer.balance == older.balance + newer.amount


async def test_orders_are_listed_newest_first_by_key(demo: Bench) -> None:
    account = await demo.account()
    placed = [(await demo.place(account)).booked.order.order_id for _ in range(4)]
    await demo.settle(placed[1], Outcome.WIN, demo.market.advance(11, 10_100))
    book = demo.desk.book
    first = await book.orders(account.account_id, OrderFilter(), None, 3)
    rest = await book.orders(account.account_id, OrderFilter(), first[-1].order.order_id, 3)
    assert [item.order.order_id for item in first + rest] == placed[::-1]
    for condition, expected in (
        (OrderFilter(is_open=True), [placed[3], placed[2], placed[0]]),
        (OrderFilter(is_open=False), [placed[1]]),
        (OrderFilter(outcome=Outcome.WIN), [placed[1]]),
        (OrderFilter(outcome=Outcome.LOSS), []),
        (OrderFilter(instrument="EURUSD"), []),
    ):
        found = await book.orders(account.account_id, condition, None, 10)
        assert [item.order.order_id for item in found] == expected


async def test_what_happens_is_told_in_order(demo: Bench) -> None:
    account = await demo.account()
    order = (await demo.place(account)).booked.order
    await demo.settle(order.order_id, Outcome.WIN, demo.market.advance(11, 10_100))
    subject = f"account:demo_{account.account_id}"
    entries = await demo.desk.journal.read_subject(subject, 0, 100)
    assert [(entry.sequence, entry.type) for entry in entries] == [
        (1, "balance.changed.v1"),
        (2, "order.opened.v1"),
        (3, "balance.changed.v1"),
        (4, "order.settled.v1"),
        (5, "balance.changed.v1"),
    ]
    positions = [entry.position for entry in await demo.desk.journal.read(0, 1_000)]
    assert positions == list(range(1, len(positions) + 1))


async def test_only_one_of_two_writers_can_commit(demo: Bench) -> None:
    """A writer whose epoch has passed learns it from the database, whatever it believes."""
    account = await demo.account()
    async with demo.desk.book.database.transaction() as connection:
        await connection.exec_driver_sql("UPDATE leader SET epoch = epoch + 1")
    with pytest.raises(Failure) as refused:
        await demo.place(account)
    assert refused.value.reason is Reason.UNAVAILABLE
    assert (await demo.now(account)).posted == CHIPS


async def reason_of(demo: Bench, asked: OrderRequest) -> Reason | None:
    """Return why an order is refused, or None when it is not."""
    try:
        await demo.desk.writer.submit(asked)
    except Failure as failure:
        return failure.reason
    return None


async def test_a_killed_connection_costs_no_order(demo: Bench) -> None:
    account = await demo.account()
    asked = [request(account) for _ in range(3)]
    await demo.desk.writer.submit(asked[0])
    async with demo.desk.book.database.raw() as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND usename = current_user"
        )

    async def placed() -> bool:
        reason = await reason_of(demo, asked[1])
        assert reason in {None, Reason.UNAVAILABLE, Reason.OUTCOME_UNKNOWN}
        return reason is None

    await eventually(placed)
    assert (await demo.now(account)).open_orders == 2
    assert sum((await demo.trial_balance()).values()) == 0


@pytest.mark.parametrize(
    ("seconds", "blocked"), [(None, True), (10, True), (0, False), (-10, False)]
)
async def test_who_is_blocked_buys_nothing_while_it_lasts_and_his_orders_settle(
    demo: Bench, seconds: int | None, blocked: bool
) -> None:
    account, other = await demo.account(), await demo.account()
    again = request(account)
    first = await demo.desk.writer.submit(again)
    now = demo.market.view.now()
    until = None if seconds is None else now + timedelta(seconds=seconds)
    async with demo.desk.book.database.transaction() as connection:
        await note_block(connection, account.user_id, blocked=True, until=until)
    if blocked:
        assert await refusal(demo, account) is Reason.USER_BLOCKED
    else:
        await demo.place(account)
    await demo.place(other)
    # What was bought before is answered as before, and closes by rule.
    replayed = await demo.desk.writer.submit(again)
    assert replayed.booked.order == first.booked.order
    await demo.settle(first.booked.order.order_id, Outcome.WIN)
    async with demo.desk.book.database.transaction() as connection:
        await note_block(connection, account.user_id, blocked=False, until=None)
    await demo.place(account)
