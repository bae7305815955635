"""A batch is decided while the one before it is written, and no result shows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio

from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.values import Money
from services.trading import commit, statement, writer
from services.trading.acceptance import Offer
from services.trading.book import Account
from services.trading.commit import Transaction
from services.trading.moving import OpenAccount, TransferRequest
from services.trading.order import Order, OrderRequest, Outcome, VoidReason
from services.trading.placing import Placing
from services.trading.posting import SystemAccount
from services.trading.setting_terms import SetTerms
from services.trading.settling import Decision, SettleOrders, SettleStatus
from services.trading.writer import _COMPANY, _ENOUGH
from tests.service.trading_fixtures import SYMBOL, Bench, bench, desk_on, request
from tests.stores import Postgres
from tests.waiting import PATIENCE_SECONDS

CHIPS, STAKE = 150, Money(100, "USD")


class Gate:
    """Holds every commit back where it would be sent, and may let the first one fail there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._open = asyncio.Event()
        self._held = asyncio.Event()
        self._waiting = asyncio.Event()
        self.failure: Exception | None = None
        self._run: Any = statement.run
        self._turn: Any = Transaction.turn
        monkeypatch.setattr(commit, "run", self._hold)
        monkeypatch.setattr(Transaction, "turn", self._watch())

    async def _hold(self, *arguments: Any) -> None:
        self._held.set()
        await self._open.wait()
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        await self._run(*arguments)

    def _watch(self) -> Any:
        async def turn(transaction: Transaction) -> None:
            if transaction._previous is not None:
                self._waiting.set()
            await self._turn(transaction)

        return turn

    async def holds_one_and_the_next_is_decided(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._held.wait()
            await self._waiting.wait()

    async def holds_one(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._held.wait()

    def open(self) -> None:
        self._open.set()


@pytest_asyncio.fixture
async def demo(postgres: Postgres) -> AsyncIterator[Bench]:
    async with bench(postgres) as lent:
        yield lent


async def account_with_one_stake(demo: Bench) -> Account:
    account: Account = await demo.desk.writer.submit(OpenAccount(uuid4(), "USD", CHIPS))
    return account


def asking(demo: Bench, command: Any) -> asyncio.Task[Any]:
    """Submit a command; the answer may be the reason why it was refused."""

    async def answer() -> Any:
        try:
            return await demo.desk.writer.submit(command)
        except Failure as failure:
            return failure.reason

    return asyncio.create_task(answer())


class Sizes:
    """How many orders shared each commit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[int] = []
        decide = Placing.commit

        async def counted(placing: Placing, commands: Any, transaction: Transaction) -> Any:
            self.seen.append(len(commands))
            return await decide(placing, commands, transaction)

        monkeypatch.setattr(Placing, "commit", counted)


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> Sizes:
    return Sizes(monkeypatch)


async def ask_together(demo: Bench, account: Account, number: int) -> None:
    asked = [asking(demo, request(account, stake=STAKE)) for _ in range(number)]
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*asked)


async def test_of_a_crowd_one_half_is_decided_while_the_other_is_written(
    demo: Bench, sizes: Sizes, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await account_with_one_stake(demo)
    gate = Gate(monkeypatch)
    crowd = asyncio.create_task(ask_together(demo, account, 2 * _ENOUGH))
    await gate.holds_one()
    gate.open()
    await crowd
    assert sizes.seen == [_ENOUGH, _ENOUGH]


async def test_who_comes_after_company_waits_until_enough_have_come(
    demo: Bench, sizes: Sizes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_LINGER", timedelta(hours=1))
    account = await account_with_one_stake(demo)
    await ask_together(demo, account, _COMPANY)
    first = asking(demo, request(account, stake=STAKE))
    await asyncio.sleep(0.05)
    assert sizes.seen == [_COMPANY]
    await ask_together(demo, account, _ENOUGH - 1)
    await first
    assert sizes.seen == [_COMPANY, _ENOUGH]


async def test_who_comes_after_company_waits_only_a_moment_when_nobody_else_comes(
    demo: Bench, sizes: Sizes
) -> None:
    account = await account_with_one_stake(demo)
    await ask_together(demo, account, _COMPANY)
    await ask_together(demo, account, 1)
    assert sizes.seen == [_COMPANY, 1]


async def test_who_comes_alone_waits_for_nobody(
    demo: Bench, sizes: Sizes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_LINGER", timedelta(hours=1))
    account = await account_with_one_stake(demo)
    for _ in range(3):
        await ask_together(demo, account, 1)
    assert sizes.seen == [1, 1, 1]


async def test_the_next_batch_sees_what_the_one_under_way_will_leave(
    demo: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await account_with_one_stake(demo)
    gate = Gate(monkeypatch)
    first = asking(demo, request(account, stake=STAKE))
    await gate.holds_one()
    second = asking(demo, request(account, stake=STAKE))
    await gate.holds_one_and_the_next_is_decided()
    # A refusal that rests on an order which is not committed is not told before it is.
    assert not first.done()
    assert not second.done()
    gate.open()
    assert (await first).replay is False
    assert await second is Reason.INSUFFICIENT_FUNDS
    assert (await demo.now(account)).posted == CHIPS - STAKE.minor_units


async def test_the_next_batch_sees_the_exposure_of_the_one_under_way(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(postgres, exposure_max=100) as demo:
        first, second = await demo.account(), await demo.account()
        gate = Gate(monkeypatch)
        placed = asking(demo, request(first, stake=STAKE))
        await gate.holds_one()
        refused = asking(demo, request(second, stake=STAKE))
        await gate.holds_one_and_the_next_is_decided()
        gate.open()
        assert (await placed).replay is False
        assert await refused is Reason.EXPOSURE_LIMIT


async def test_what_was_decided_on_a_commit_that_failed_is_decided_again(
    demo: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await account_with_one_stake(demo)
    gate = Gate(monkeypatch)
    gate.failure = psycopg.errors.CheckViolation("a fault")
    first = asking(demo, request(account, stake=STAKE))
    await gate.holds_one()
    second = asking(demo, request(account, stake=STAKE))
    await gate.holds_one_and_the_next_is_decided()
    gate.open()
    assert await first is Reason.INTERNAL
    assert (await second).replay is False
    after = await demo.now(account)
    assert (after.posted, after.open_orders) == (CHIPS - STAKE.minor_units, 1)


async def test_a_commit_that_nobody_knows_of_is_found_out_before_the_next_is_decided(
    demo: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await account_with_one_stake(demo)
    gate = Gate(monkeypatch)
    gate.failure = psycopg.OperationalError("the server closed the connection unexpectedly")
    first = asking(demo, request(account, stake=STAKE))
    await gate.holds_one()
    second = asking(demo, request(account, stake=STAKE))
    await gate.holds_one_and_the_next_is_decided()
    gate.open()
    assert (await first).replay is False
    assert await second is Reason.INSUFFICIENT_FUNDS
    assert (await demo.now(account)).open_orders == 1


async def test_a_repeated_request_is_answered_with_the_order_under_way(
    demo: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await account_with_one_stake(demo)
    gate, asked = Gate(monkeypatch), request(account, stake=STAKE)
    first = asking(demo, asked)
    await gate.holds_one()
    again = asking(demo, asked)
    await gate.holds_one_and_the_next_is_decided()
    gate.open()
    placed, replay = await first, await again
    assert (placed.replay, replay.replay) == (False, True)
    assert placed.booked == replay.booked
    assert placed.message == replay.message


async def test_an_order_is_closed_while_another_of_its_account_is_under_way(
    demo: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await demo.account()
    open_order = (await demo.place(account)).booked.order
    gate = Gate(monkeypatch)
    placed = asking(demo, request(account))
    await gate.holds_one()
    decision = Decision(open_order.order_id, Outcome.VOID, VoidReason.NO_TICK, None)
    closed = asking(demo, SettleOrders([decision]))
    await gate.holds_one_and_the_next_is_decided()
    assert demo.desk.writer.has_others("settle")
    gate.open()
    [settled] = await closed
    assert not demo.desk.writer.has_others("settle")
    stake = (await placed).booked.order.stake
    after = await demo.now(account)
    assert settled.status is SettleStatus.SETTLED
    assert (after.posted, after.open_orders) == (account.posted - stake, 1)


async def test_an_order_that_waited_long_for_its_turn_gets_the_price_of_now(
    demo: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await demo.account()
    gate = Gate(monkeypatch)
    first = asking(demo, request(account))
    await gate.holds_one()
    second = asking(demo, request(account))
    await gate.holds_one_and_the_next_is_decided()
    demo.market.advance(0.6, 12_345)
    gate.open()
    prices = [(await placed).booked.order.entry_price for placed in (first, second)]
    assert prices == [10_000, 12_345]


async def test_a_transfer_has_the_book_to_itself(
    demo: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await account_with_one_stake(demo)
    gate = Gate(monkeypatch)
    placed = asking(demo, request(account, stake=STAKE))
    await gate.holds_one()
    amount = Money(-STAKE.minor_units, "USD")
    command = TransferRequest(account.account_id, uuid4(), SystemAccount.CLEARING, amount)
    moved = asking(demo, command)
    gate.open()
    assert (await placed).replay is False
    assert await moved is Reason.INSUFFICIENT_FUNDS


async def test_a_balance_that_moved_since_it_was_read_is_not_written_over(
    demo: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody but the writer moves one; should it happen, no arithmetic on the past is stored."""
    account = await demo.account()
    gate = Gate(monkeypatch)
    placed = asking(demo, request(account))
    await gate.holds_one()
    with psycopg.connect(demo.owner, autocommit=True) as connection:
        connection.execute("UPDATE account SET posted = posted - 1")
    gate.open()
    assert await placed is Reason.INTERNAL
    after = await demo.now(account)
    assert (after.posted, after.open_orders) == (account.posted - 1, 0)


async def test_a_term_that_has_passed_is_noticed_before_what_the_next_writer_did(
    demo: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes late is told that it does not lead, not that balances have moved."""
    account = await demo.account()
    gate = Gate(monkeypatch)
    placed = asking(demo, request(account))
    await gate.holds_one()
    with psycopg.connect(demo.owner, autocommit=True) as connection:
        connection.execute("UPDATE leader SET epoch = epoch + 1")
        connection.execute("UPDATE account SET posted = posted - 1")
    gate.open()
    assert await placed is Reason.UNAVAILABLE


async def test_a_fault_that_one_order_provokes_is_answered_and_stops_nobody(
    demo: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong in deciding it: its company is decided again, and the book goes on."""
    account = await demo.account()
    decide = Placing._open

    def stumble(placing: Placing, asked: OrderRequest, given: Offer) -> Order:
        if asked.stake.minor_units == 666:
            raise ZeroDivisionError
        return decide(placing, asked, given)

    monkeypatch.setattr(Placing, "_open", stumble)
    stakes = [Money(amount, "USD") for amount in (1_000, 666, 1_000)]
    answers = [asking(demo, request(account, stake=stake)) for stake in stakes]
    placed, fault, also_placed = [await answer for answer in answers]
    assert (placed.replay, fault, also_placed.replay) == (False, Reason.INTERNAL, False)
    assert (await demo.place(account)).replay is False
    after = await demo.now(account)
    assert (after.posted, after.open_orders) == (account.posted - 3_000, 3)


async def test_terms_whose_commit_nobody_heard_of_are_answered_as_set(
    demo: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (terms,) = await demo.desk.terms.current(SYMBOL, "", 1)
    wanted = SetTerms(terms._replace(stake_max=500), "somebody")
    run, lost = statement.run, psycopg.OperationalError("the server closed the connection")
    faults = [lost]

    async def run_and_lose(*arguments: Any) -> None:
        await run(*arguments)
        if faults:
            raise faults.pop()

    monkeypatch.setattr(commit, "run", run_and_lose)
    assert await asking(demo, wanted) == wanted.terms._replace(version=2)
    assert await asking(demo, wanted) == wanted.terms._replace(version=2)
    other = wanted._replace(terms=terms._replace(stake_max=600))
    assert await asking(demo, other) is Reason.TERMS_CHANGED
    (now,) = await demo.desk.terms.current(SYMBOL, "", 1)
    assert (now.version, now.stake_max) == (2, 500)


async def test_a_standby_takes_no_orders_and_makes_no_proposals(demo: Bench) -> None:
    account = await demo.account()
    standby = desk_on(demo.desk.book.database, demo.market)
    assert not standby.ready()
    with pytest.raises(Failure) as proposed:
        standby.propose(request(account))
    with pytest.raises(Failure) as placed:
        await standby.writer.submit(request(account))
    assert proposed.value.reason is placed.value.reason is Reason.UNAVAILABLE
    # What is stored it tells as the writer does.
    assert await standby.book.account(account.account_id) == account
    assert await standby.terms.current(SYMBOL, "", 1) == await demo.desk.terms.current(
        SYMBOL, "", 1
    )
