"""Holds: what they keep aside, and how they end."""

from __future__ import annotations

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
from services.trading.book import Account
from services.trading.holding import EndHold, ExpireHolds, HoldRequest, HoldState
from services.trading.ledger import NEWEST, EntryFilter
from services.trading.posting import SystemAccount
from tests.service.trading_audit_fixtures import Books
from tests.service.trading_fixtures import CHIPS, bench
from tests.stores import Postgres

CLEARING = SystemAccount.CLEARING


@pytest_asyncio.fixture
async def books(postgres: Postgres) -> AsyncIterator[Books]:
    async with bench(postgres) as demo:
        books = Books(demo)
        yield books
        # Whatever a test did, the book is in order.
        assert (await books.audit(full=True)).findings == []


async def money_of(books: Books, account: Account) -> tuple[int, int, int]:
    """Return (posted, held, available)."""
    now = await books.demo.now(account)
    return now.posted, now.held, now.available


async def refusal(books: Books, command: object) -> Failure:
    """Return why a command is refused."""
    with pytest.raises(Failure) as refused:
        await books.demo.desk.writer.submit(command)
    return refused.value


def asked(account: Account, amount: int, **changes: Any) -> HoldRequest:
    request = HoldRequest(account.account_id, uuid4(), CLEARING, Money(amount, "USD"))
    return request._replace(**changes)


async def test_what_is_held_cannot_be_spent(books: Books) -> None:
    account = await books.demo.account()
    await books.hold(account, CHIPS - 999)
    assert await money_of(books, account) == (CHIPS, CHIPS - 999, 999)
    with pytest.raises(Failure) as refused:
        await books.open(account)
    assert refused.value.reason is Reason.INSUFFICIENT_FUNDS
    assert (await refusal(books, asked(account, 1_000))).reason is Reason.INSUFFICIENT_FUNDS
    await books.hold(account, 999)
    assert await money_of(books, account) == (CHIPS, CHIPS, 0)


@pytest.mark.parametrize(
    ("end", "posted", "cleared"),
    [(HoldState.POSTED, CHIPS - 300, 300), (HoldState.VOIDED, CHIPS, 0)],
)
async def test_a_hold_ends_once(books: Books, end: HoldState, posted: int, cleared: int) -> None:
    account = await books.demo.account()
    hold_id = await books.hold(account, 300)
    command = EndHold(hold_id, uuid4(), end)
    first = await books.demo.desk.writer.submit(command)
    again = await books.demo.desk.writer.submit(command)
    assert (first.replay, again.replay) == (False, True)
    assert first.hold == again.hold
    assert first.hold.state == end
    for other in (HoldState.POSTED, HoldState.VOIDED):
        failure = await refusal(books, EndHold(hold_id, uuid4(), other))
        assert (failure.reason, failure.metadata) == (
            Reason.HOLD_NOT_PENDING,
            {"state": end.name},
        )
    assert await money_of(books, account) == (posted, 0, posted)
    assert (await books.demo.trial_balance()).get(int(CLEARING), 0) == cleared


async def test_a_request_id_is_answered_once(books: Books) -> None:
    account = await books.demo.account()
    command = asked(account, 300)
    first = await books.demo.desk.writer.submit(command)
    again = await books.demo.desk.writer.submit(command._replace(note="said otherwise"))
    assert (first.replay, again.replay) == (False, True)
    assert first.hold == again.hold
    other = command._replace(amount=Money(301, "USD"))
    assert (await refusal(books, other)).reason is Reason.REQUEST_ID_REUSED
    assert await money_of(books, account) == (CHIPS, 300, CHIPS - 300)


async def test_a_posting_takes_no_request_id_of_another_transfer(books: Books) -> None:
    account = await books.demo.account()
    transfer_id = await books.move(account, 50)
    transfer = await books.demo.desk.ledger.transfer(transfer_id)
    assert transfer is not None
    hold_id = await books.hold(account, 300)
    command = EndHold(hold_id, transfer.request_id, HoldState.POSTED)
    assert (await refusal(books, command)).reason is Reason.REQUEST_ID_REUSED
    assert await money_of(books, account) == (CHIPS + 50, 300, CHIPS - 250)


async def test_a_hold_expires_when_its_time_is_over(books: Books) -> None:
    account = await books.demo.account()
    for_ever = await books.hold(account, 100)
    for_a_while = await books.hold(account, 200, seconds=5)
    writer, clock = books.demo.desk.writer, books.demo.market.clock
    assert await writer.submit(ExpireHolds()) == 0
    clock.advance(timedelta(seconds=5))
    # It has ended although nobody has looked yet.
    failure = await refusal(books, EndHold(for_a_while, uuid4(), HoldState.POSTED))
    assert failure.metadata == {"state": "EXPIRED"}
    assert await writer.submit(ExpireHolds()) == 1
    assert await writer.submit(ExpireHolds()) == 0
    assert await money_of(books, account) == (CHIPS, 100, CHIPS - 100)
    clock.advance(timedelta(days=365))
    assert await writer.submit(ExpireHolds()) == 0
    assert (await books.end(for_ever, HoldState.POSTED)).hold.state == HoldState.POSTED


async def test_what_a_hold_is_refused_for(books: Books) -> None:
    account = await books.demo.account()
    now = books.demo.desk.market.now()
    for command, reason in (
        (asked(account, 0), Reason.INVALID_TRANSFER),
        (asked(account, -5), Reason.INVALID_TRANSFER),
        (asked(account, 5)._replace(amount=Money(5, "EUR")), Reason.CURRENCY_MISMATCH),
        (asked(account, 5, expires_at=now), Reason.INVALID_TIME_RANGE),
        (asked(account, 5, account_id=uuid4()), Reason.ACCOUNT_NOT_FOUND),
        (EndHold(uuid4(), uuid4(), HoldState.POSTED), Reason.HOLD_NOT_FOUND),
    ):
        assert (await refusal(books, command)).reason is reason
    assert await money_of(books, account) == (CHIPS, 0, CHIPS)


async def test_a_frozen_account_holds_nothing_new_and_pays_what_was_held(books: Books) -> None:
    account = await books.demo.account()
    hold_id = await books.hold(account, 300)
    books.tamper(
        "UPDATE account SET state = 2 WHERE account_id = %(account)s", account=account.account_id
    )
    assert (await refusal(books, asked(account, 1))).reason is Reason.ACCOUNT_FROZEN
    await books.end(hold_id, HoldState.POSTED)
    assert await money_of(books, account) == (CHIPS - 300, 0, CHIPS - 300)


async def test_the_service_cannot_rewrite_seals_or_what_was_held(books: Books) -> None:
    account = await books.demo.account()
    await books.hold(account, 300)
    for statement in (
        "UPDATE seal SET hash = previous_hash",
        "DELETE FROM seal",
        "UPDATE hold SET amount = 1",
        "DELETE FROM hold",
        "UPDATE rollup SET balance = 0",
        "UPDATE audit SET entry_id = 0",
    ):
        async with books.demo.desk.book.database.raw() as connection:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(statement)
            await connection.rollback()


async def test_a_balance_is_known_for_every_moment(books: Books) -> None:
    clock, ledger = books.demo.market.clock, books.demo.desk.ledger
    before = clock.now() - timedelta(seconds=1)
    account = await books.demo.account()
    opened = clock.now()
    clock.advance(timedelta(seconds=10))
    await books.move(account, -400)
    moved = clock.now()
    clock.advance(timedelta(seconds=10))
    await books.move(account, -500)
    await books.move(await books.demo.account(), 5)
    balances = [
        await ledger.balance_at(account.account_id, moment)
        for moment in (before, opened, moved - timedelta(microseconds=1), moved, clock.now())
    ]
    assert balances == [0, CHIPS, CHIPS, CHIPS - 400, CHIPS - 900]


async def test_a_clock_that_steps_back_hides_no_entry(books: Books) -> None:
    """How far ours is ahead is measured anew all the time: market time may step back a little."""
    demo, ledger = books.demo, books.demo.desk.ledger
    account = await demo.account()
    start = demo.market.clock.now()
    demo.market.clock.advance(timedelta(seconds=31))
    await books.move(account, 1)
    # Of the last half minute, no watermark was younger than this when it came.
    sent = demo.market.clock.now() - timedelta(milliseconds=3)
    demo.market.view.set_watermark(sent, sent, sent)
    await books.move(account, 2)
    demo.market.clock.advance(timedelta(seconds=1))
    now = demo.market.view.now()
    lines = await ledger.statement(account.account_id, EntryFilter(), NEWEST, 9)
    assert [line.amount for line in lines] == [2, 1, CHIPS]
    assert lines[0].time < lines[1].time
    assert await ledger.balance_at(account.account_id, now) == CHIPS + 3
    until = EntryFilter(end=now)
    assert await ledger.statement(account.account_id, until, NEWEST, 9) == lines
    since = EntryFilter(start=start + timedelta(seconds=1))
    assert await ledger.statement(account.account_id, since, NEWEST, 9) == lines[:2]


async def test_the_trial_balance_is_the_same_with_a_rollup_and_without(books: Books) -> None:
    ledger = books.demo.desk.ledger
    await ledger.roll_up(worth=1)
    await books.be_busy()
    before = await ledger.trial_balance()
    await ledger.roll_up(worth=1_000)
    assert books.tamper("SELECT count(*) FROM rollup") == [(0,)]
    await ledger.roll_up(worth=1)
    assert await ledger.trial_balance() == before
    await books.be_busy()
    after = await ledger.trial_balance("USD")
    await ledger.roll_up(worth=1)
    assert await ledger.trial_balance() == after
    assert sum(line.balance for line in after) == 0
    assert await ledger.trial_balance("EUR") == []
