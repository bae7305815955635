"""Results of a banned user are taken back once, by two people, as one transfer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from services.kit.errors import Failure
from services.kit.ids import scoped
from services.kit.principal import Principal, set_caller
from services.kit.reason import Reason
from services.trading.adjustment_rpc import AdjustmentFace
from services.trading.blocking import note_block
from services.trading.book import Account
from services.trading.order import Outcome
from tests.service.trading_fixtures import CHIPS, Bench, bench
from tests.stores import Postgres
from veritick.trading.v1.adjustment_service_pb2 import (
    Adjustment,
    ApproveAdjustmentRequest,
    ProposeAnnulmentRequest,
    RejectAdjustmentRequest,
    WithdrawAdjustmentRequest,
)
from veritick.type.v1.staff_proposal_pb2 import StaffProposal

TODAY = "2026-11-23"
WON = 850


@pytest_asyncio.fixture
async def demo(postgres: Postgres) -> AsyncIterator[Bench]:
    async with bench(postgres) as lent:
        yield lent


def face(demo: Bench, person: UUID | None = None) -> AdjustmentFace:
    """Return what a member of staff calls, somebody else each time unless it is said who."""
    set_caller(Principal("user", str(person or uuid4())))
    return AdjustmentFace({"demo": demo.desk})


async def propose(
    demo: Bench, account: Account, person: UUID | None = None, **changes: str
) -> Adjustment:
    fields: dict[str, Any] = {
        "request_id": str(uuid4()),
        "account_id": scoped("demo", account.account_id),
        "first_date": TODAY,
        "last_date": TODAY,
        "reason": "traded on a leaked feed",
    }
    request = ProposeAnnulmentRequest(**(fields | changes))
    return (await face(demo, person).ProposeAnnulment(request, None)).adjustment


async def approve(demo: Bench, adjustment: Adjustment) -> Adjustment:
    request = ApproveAdjustmentRequest(adjustment_id=adjustment.adjustment_id)
    return (await face(demo).ApproveAdjustment(request, None)).adjustment


async def refusal(demo: Bench, account: Account, **changes: str) -> Reason:
    with pytest.raises(Failure) as caught:
        await propose(demo, account, None, **changes)
    return caught.value.reason


async def winner(demo: Bench) -> Account:
    """Return the account of somebody who won an order today and was banned for it."""
    account = await demo.account()
    placed = await demo.place(account)
    await demo.settle(placed.booked.order.order_id, Outcome.WIN)
    await ban(demo, account)
    return account


async def ban(demo: Bench, account: Account, *, blocked: bool = True) -> None:
    async with demo.desk.book.database.transaction() as connection:
        await note_block(connection, account.user_id, blocked=blocked, until=None)


async def test_what_was_won_is_taken_back_once_by_two_people(demo: Bench) -> None:
    account = await winner(demo)

    proposed = await propose(demo, account)
    done = await approve(demo, proposed)

    assert proposed.amount.minor_units == -WON
    assert (proposed.annulled_first_date, proposed.annulled_last_date) == (TODAY, TODAY)
    assert done.proposal.state == StaffProposal.EXECUTED
    assert (await demo.now(account)).posted == CHIPS
    assert await refusal(demo, account) is Reason.ALREADY_ANNULLED
    assert sum((await demo.trial_balance()).values()) == 0


async def test_of_two_that_were_proposed_at_one_moment_the_first_stands(demo: Bench) -> None:
    account = await winner(demo)
    first = await propose(demo, account)
    reject = RejectAdjustmentRequest(adjustment_id=first.adjustment_id)
    await face(demo).RejectAdjustment(reject, None)
    second = await propose(demo, account)
    async with demo.desk.book.database.raw() as connection:
        # As if both had been proposed before either was seen.
        await connection.execute(
            "UPDATE proposal SET state = 1, decided_by = NULL, decided_at = NULL, ended_at = NULL "
            "WHERE proposal_id = %s",
            [first.proposal.proposal_id.removeprefix("demo_")],
        )
        await connection.commit()

    failed, done = await approve(demo, second), await approve(demo, first)

    assert failed.proposal.state == StaffProposal.FAILED
    assert failed.proposal.result.startswith(Reason.ALREADY_ANNULLED)
    assert done.proposal.state == StaffProposal.EXECUTED
    assert (await demo.now(account)).posted == CHIPS


async def test_a_repeated_proposal_is_answered_as_first_whatever_has_changed(demo: Bench) -> None:
    account, ana, request_id = await winner(demo), uuid4(), str(uuid4())
    first = await propose(demo, account, ana, request_id=request_id)
    await ban(demo, account, blocked=False)
    placed = await demo.place(account)
    await demo.settle(placed.booked.order.order_id, Outcome.WIN)

    assert await propose(demo, account, ana, request_id=request_id) == first
    with pytest.raises(Failure) as refused:
        await propose(demo, account, ana, request_id=request_id, last_date="2026-11-24")
    assert refused.value.reason is Reason.REQUEST_ID_REUSED
    assert await refusal(demo, account) is Reason.USER_NOT_BANNED


async def test_days_whose_annulment_was_withdrawn_can_be_annulled(demo: Bench) -> None:
    account, ana = await winner(demo), uuid4()
    proposed = await propose(demo, account, ana)
    withdraw = WithdrawAdjustmentRequest(adjustment_id=proposed.adjustment_id, note="a typo")

    answer = await face(demo, ana).WithdrawAdjustment(withdraw, None)
    done = await approve(demo, await propose(demo, account, ana))

    assert answer.adjustment.proposal.state == StaffProposal.WITHDRAWN
    assert done.proposal.state == StaffProposal.EXECUTED
    assert (await demo.now(account)).posted == CHIPS


async def test_each_obstacle_has_its_reason(demo: Bench) -> None:
    free, idle, busy = await demo.account(), await demo.account(), await demo.account()
    await demo.place(busy)
    await ban(demo, idle)
    await ban(demo, busy)

    assert await refusal(demo, free) is Reason.USER_NOT_BANNED
    assert await refusal(demo, idle) is Reason.INVALID_TRANSFER
    assert await refusal(demo, busy) is Reason.ACCOUNT_HAS_OPEN_ORDERS
    assert await refusal(demo, idle, first_date="2026-11-24") is Reason.INVALID_TIME_RANGE
    assert await refusal(demo, idle, first_date="2026-02-30") is Reason.INVALID_REQUEST
    nobody = idle._replace(account_id=uuid4())
    assert await refusal(demo, nobody) is Reason.ACCOUNT_NOT_FOUND
