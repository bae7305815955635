"""The book against a plain-Python ledger: whatever is done to both, they agree after every step.

A failing run prints how to repeat it. `make faults` takes thousands of steps, from its own seed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from services.kit.approval import State
from services.kit.database import Database
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.values import Money
from services.trading.adjusting import ADJUSTMENT, Adjustment
from services.trading.audit import Point, outcome_of
from services.trading.book import BookedOrder
from services.trading.desk import Desk
from services.trading.holding import EndHold, ExpireHolds, HoldRequest, HoldState
from services.trading.moving import RefillRequest, TransferRequest
from services.trading.order import Direction, Order, Outcome, Tick
from services.trading.posting import SystemAccount
from services.trading.settling import SettleStatus
from tests.faults.report import SEED
from tests.model.reference import Hold, Reference
from tests.service.trading_audit_fixtures import Books
from tests.service.trading_fixtures import Bench, Market, desk_on, leading, request
from tests.stores import Postgres

CHIPS = 1_000_000
LIMITS: dict[str, Any] = {"open_orders_max": 3, "exposure_max": 150_000}
EXAMPLES, STEPS = 12, 35
MANY_EXAMPLES, MANY_STEPS = 60, 80

ids = st.integers(0, 5).map(lambda number: UUID(int=number))
stakes = st.sampled_from([1, 99, 100, 101, 5_000, 99_999, 100_000, 100_001])
amounts = st.sampled_from([-1_000_001, -900_000, -50_000, -1, 0, 1, 700_000])
holds = st.sampled_from([-1, 0, 1, 300_000, 999_999])
directions = st.sampled_from(Direction)
RETRY = {Reason.UNAVAILABLE, Reason.OUTCOME_UNKNOWN}


class BookMachine(RuleBasedStateMachine):
    """Everything that can be asked of a book, with ids that repeat and money that runs out."""

    users = Bundle("users")
    opened = Bundle("opened")
    held = Bundle("held")

    def __init__(self, postgres: Postgres) -> None:
        super().__init__()
        self._postgres = postgres
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._writing = AsyncExitStack()
        self._reference = Reference(CHIPS, **LIMITS)
        self._open: dict[UUID, Order] = {}
        self._closed: dict[UUID, BookedOrder] = {}
        self._books: Books

    def _run(self, steps: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(steps)

    @initialize(target=users)
    def begin(self) -> Any:
        self._run(self._begin())
        users = [self._run(self._books.demo.account()) for _ in range(2)]
        for user in users:
            self._reference.open(user.account_id)
        return multiple(*users)

    async def _begin(self) -> None:
        access = self._stack.enter_context(self._postgres.database("trading_demo"))
        self._database = Database(access.service, name="demo")
        await self._stack.enter_async_context(self._database)
        market = Market()
        desk = desk_on(self._database, market, **LIMITS)
        await self._writing.enter_async_context(leading(desk))
        self._books = Books(Bench(desk, market, access.owner))

    @rule(user=users, request_id=ids, direction=directions, stake=stakes, target=opened)
    def place(self, user: Any, request_id: UUID, direction: Direction, stake: int) -> Any:
        command = self._order(user, request_id, direction, stake)
        expected = self._place(command)
        result = self._submit(command, expected)
        order = result.booked.order if result else None
        if order is None or result.replay:
            return multiple()
        self._open[order.order_id] = order
        return order

    @rule(
        user=users,
        orders=st.lists(st.tuples(directions, stakes), min_size=2, max_size=6),
        pause=st.sampled_from([0.0, 0.001, 0.004]),
        target=opened,
    )
    def crash(self, user: Any, orders: Sequence[tuple[Direction, int]], pause: float) -> Any:
        """The writer dies somewhere in a batch; another takes over, and everybody asks again."""
        commands = [self._order(user, uuid4(), *order) for order in orders]
        first = self._run(self._crash(commands, pause))
        placed = []
        for command, answer in zip(commands, first, strict=True):
            expected = self._place(command)
            refused = answer.reason if isinstance(answer, Failure) else None
            if refused not in RETRY:
                assert refused == expected
            again = self._run(_answer(self._books.demo.desk, command))
            # What was refused is refused again, if perhaps for what came after it.
            assert isinstance(again, Failure) is (expected is not None)
            if expected is None:
                assert refused or answer.booked.order == again.booked.order
                placed.append(again.booked.order)
                self._open[placed[-1].order_id] = placed[-1]
        return multiple(*placed)

    async def _crash(self, commands: Sequence[Any], pause: float) -> list[Any]:
        writer = self._books.demo.desk.writer
        waiting = [asyncio.create_task(writer.submit(command)) for command in commands]
        await asyncio.sleep(pause)
        await self._writing.aclose()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        market = self._books.demo.market
        self._books.demo.desk = desk_on(self._database, market, **LIMITS)
        self._writing = AsyncExitStack()
        await self._writing.enter_async_context(leading(self._books.demo.desk))
        return list(answers)

    @rule(order=opened, price=st.sampled_from([None, 9_900, 10_000, 10_100]))
    def settle(self, order: Order, price: int | None) -> None:
        self._settle(order, price)

    def _settle(self, order: Order, price: int | None) -> None:
        tick = self._fixed(order, price)
        outcome = outcome_of(order, tick.price if tick else None)
        settled = self._run(self._books.demo.settle(order.order_id, outcome, tick))
        first = self._closed.setdefault(order.order_id, settled.booked)
        assert settled == (SettleStatus.SETTLED, first)
        if self._open.pop(order.order_id, None):
            self._reference.close(order.account_id, order.direction, order.stake, outcome.name)

    @rule(order=opened)
    def settle_otherwise(self, order: Order) -> None:
        """Settlement contradicts itself: the first close stands, and nothing moves."""
        first = self._closed.get(order.order_id)
        if first is None or first.close is None:
            return
        other: tuple[Outcome, Tick | None] = (Outcome.VOID, None)
        if first.close.outcome == Outcome.VOID:
            other = (Outcome.DRAW, self._books.demo.market.ticks[-1][1])
        settled = self._run(self._books.demo.settle(order.order_id, *other))
        assert settled == (SettleStatus.ALREADY_CLOSED, first)

    def _fixed(self, order: Order, price: int | None) -> Tick | None:
        """Return the fixing at an order's expiry: one for all orders that share it."""
        point = Point(order.instrument, order.expires_at)
        if point not in self._books.record.fixed:
            market = self._books.demo.market
            self._books.fix(order, None if price is None else market.tick(price))
        return self._books.record.fixed[point].tick

    @rule(user=users, request_id=ids, amount=amounts)
    def transfer(self, user: Any, request_id: UUID, amount: int) -> None:
        money = Money(amount, "USD")
        command = TransferRequest(user.account_id, request_id, SystemAccount.CLEARING, money)
        self._submit(command, self._reference.transfer(user.account_id, request_id, amount))

    @rule(user=users, amount=amounts, decision=st.sampled_from(["approve", "reject", "alone"]))
    def adjust(self, user: Any, amount: int, decision: str) -> None:
        """One person proposes, and another approves or rejects; alone nobody corrects anything."""
        proposal, refused = self._run(self._adjust(user, amount, decision))
        if decision == "alone":
            assert refused is Reason.SAME_PERSON
        elif decision == "reject":
            assert proposal.state == State.REJECTED
        else:
            expected = self._reference.adjust(user.account_id, amount)
            assert proposal.result.startswith(expected or "demo_")
            assert proposal.state == (State.FAILED if expected else State.EXECUTED)

    async def _adjust(self, user: Any, amount: int, decision: str) -> Any:
        approvals, one, other = self._books.demo.desk.approvals, uuid4(), uuid4()
        content = Adjustment(user.account_id, Money(amount, "USD")).content()
        proposal = await approvals.propose(
            ADJUSTMENT, content, reason="a model", person=one, request_id=uuid4()
        )
        decide = approvals.reject if decision == "reject" else approvals.approve
        person = one if decision == "alone" else other
        try:
            return await decide(ADJUSTMENT, proposal.proposal_id, person, "no"), None
        except Failure as failure:
            return proposal, failure.reason

    @rule(user=users, request_id=ids)
    def refill(self, user: Any, request_id: UUID) -> None:
        command = RefillRequest(user.account_id, user.user_id, request_id, CHIPS)
        self._submit(command, self._reference.refill(user.account_id, request_id))

    @rule(user=users, request_id=ids, amount=holds, seconds=st.sampled_from([None, 60, 3_600]))
    def hold_some(self, user: Any, request_id: UUID, amount: int, seconds: int | None) -> None:
        self._hold(user, request_id, amount, seconds)

    @rule(user=users, amount=holds, seconds=st.sampled_from([None, 5]), target=held)
    def hold_new(self, user: Any, amount: int, seconds: int | None) -> Any:
        return self._hold(user, uuid4(), amount, seconds)

    def _hold(self, user: Any, request_id: UUID, amount: int, seconds: int | None) -> Any:
        # Whole minutes, so that a repeated request can be the same one.
        now = self._books.demo.market.clock.now().replace(second=0, microsecond=0)
        expires_at = None if seconds is None else now + timedelta(seconds=60 + seconds)
        money = Money(amount, "USD")
        command = HoldRequest(
            user.account_id, request_id, SystemAccount.CLEARING, money, expires_at
        )
        expected = self._reference.hold(user.account_id, request_id, amount, expires_at)
        result = self._submit(command, expected)
        if result is None:
            return multiple()
        hold = Hold(user.account_id, amount, expires_at)
        self._reference.holds.setdefault(result.hold.hold_id, hold)
        return result.hold.hold_id

    @rule(hold_id=held, request_id=ids)
    def post(self, hold_id: UUID, request_id: UUID) -> None:
        now = self._books.demo.desk.market.now()
        expected = self._reference.post(hold_id, request_id, now)
        self._submit(EndHold(hold_id, request_id, HoldState.POSTED), expected)

    @rule(hold_id=held, request_id=ids)
    def void(self, hold_id: UUID, request_id: UUID) -> None:
        now = self._books.demo.desk.market.now()
        expected = self._reference.void(hold_id, request_id, now)
        self._submit(EndHold(hold_id, request_id, HoldState.VOIDED), expected)

    @rule(seconds=st.sampled_from([1, 60]))
    def let_time_pass(self, seconds: int) -> None:
        self._books.demo.market.advance(seconds)
        expired = self._submit(ExpireHolds(), None)
        assert expired == self._reference.expire(self._books.demo.desk.market.now())

    @invariant()
    def both_agree(self) -> None:
        if not self._reference.accounts:
            return
        for account_id, expected in self._reference.accounts.items():
            account = self._run(self._books.demo.desk.book.account(account_id))
            assert (account.posted, account.held, account.open_orders) == (
                expected.posted,
                expected.held,
                expected.open_orders,
            )
        balances = self._run(self._books.demo.trial_balance())
        assert {key: value for key, value in balances.items() if value} == {
            key: value for key, value in self._reference.trial_balance().items() if value
        }

    def teardown(self) -> None:
        if hasattr(self, "_books"):
            report = self._run(self._books.audit())
            self._run(self._writing.aclose())
            self._run(self._stack.aclose())
            assert report.findings == []
        self._runner.close()

    def _order(self, user: Any, request_id: UUID, direction: Direction, stake: int) -> Any:
        self._books.demo.market.advance(1, 10_000)
        money = Money(stake, "USD")
        return request(user, request_id=request_id, direction=direction, stake=money)

    def _place(self, command: Any) -> Reason | None:
        return self._reference.place(
            command.account_id, command.request_id, command.direction, command.stake.minor_units
        )

    def _submit(self, command: Any, expected: Reason | None) -> Any:
        """Return the book's answer, or None if it refused as expected."""
        result = self._run(_answer(self._books.demo.desk, command))
        refused = result.reason if isinstance(result, Failure) else None
        assert refused == expected
        return None if refused else result


async def _answer(desk: Desk, command: Any) -> Any:
    try:
        return await desk.writer.submit(command)
    except Failure as failure:
        return failure


@pytest.mark.timeout(600)
def test_the_book_agrees_with_the_reference(postgres: Postgres) -> None:
    run_state_machine_as_test(
        partial(BookMachine, postgres),  # type: ignore[arg-type]
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.faults
@pytest.mark.timeout(1_800)
def test_the_book_agrees_with_the_reference_for_thousands_of_steps(postgres: Postgres) -> None:
    """Another walk for every seed; the one that `make faults` prints repeats it."""
    machine = seed(SEED)(partial(BookMachine, postgres))
    run_state_machine_as_test(
        machine,  # type: ignore[arg-type]
        settings=settings(
            derandomize=False,
            database=None,
            max_examples=MANY_EXAMPLES,
            stateful_step_count=MANY_STEPS,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
