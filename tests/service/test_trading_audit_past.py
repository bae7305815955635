"""What an audit knows of the past: a chain that was cut off, money that moved twice, fixings."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from psycopg.conninfo import make_conninfo

from services.kit.database import Database
from services.trading.audit import Fixing, MarketState, Point, Standing, check_derivation
from services.trading.auditor import Auditor
from services.trading.order import Outcome, Tick, VoidReason
from services.trading.posting import closing_entries, stake_entry
from tests.service.trading_audit_fixtures import Books, found
from tests.service.trading_fixtures import START

pytest_plugins = ["tests.service.trading_audit_fixtures"]

TICK = Tick(7, 10_000, START, START)

CUT = """
    WITH gone AS (DELETE FROM account WHERE account_id = %(account)s),
    untold AS (DELETE FROM journal WHERE subject LIKE '%%' || %(account)s RETURNING position),
    nobody AS (DELETE FROM journal_subject WHERE subject LIKE '%%' || %(account)s),
    back AS (UPDATE journal_head SET position = position - (SELECT count(*) FROM untold)),
    entered AS (DELETE FROM entry WHERE account_id = %(account)s RETURNING seal_id)
    DELETE FROM seal WHERE seal_id IN (SELECT seal_id FROM entered) RETURNING seal_id
"""
"""Take an account that has just been opened out of the book, with everything that tells of it."""


@pytest.mark.parametrize("full", [False, True])
async def test_an_end_that_was_cut_off_is_missed_by_every_later_audit(
    books: Books, full: bool
) -> None:
    await books.be_busy()
    account = await books.demo.account()
    assert await found(books) == set()
    ((seal_id,),) = books.tamper(CUT, account=str(account.account_id))
    for _ in range(2):
        assert await found(books, full=full) == {("I7", "seal", str(seal_id))}


async def test_an_end_that_was_signed_and_then_cut_off_is_missed(books: Books) -> None:
    await books.be_busy()
    account = await books.demo.account()
    books.tamper(
        "ALTER TABLE ledger_head DROP CONSTRAINT ledger_head_seal_id_fkey;"
        "INSERT INTO ledger_head SELECT seal_id, last_entry_id, hash, now(), '', ''"
        " FROM seal ORDER BY seal_id DESC LIMIT 1"
    )
    ((seal_id,),) = books.tamper(CUT, account=str(account.account_id))
    assert await found(books) == {("I7", "ledger_head", str(seal_id))}


async def test_a_past_that_was_written_anew_does_not_fit_what_was_audited(books: Books) -> None:
    """Whoever writes all of it again leaves a chain that fits itself."""
    await books.be_busy()
    assert await found(books) == set()
    ((seal_id,),) = books.tamper("UPDATE audit SET seal_hash = sha256(seal_hash) RETURNING seal_id")
    for _ in range(2):
        assert await found(books, full=True) == {("I7", "seal", str(seal_id))}


async def test_what_is_known_to_be_broken_is_not_looked_at_again(books: Books) -> None:
    """What can not be put right would otherwise be audited for ever, with all that follows."""
    (account, *_) = await books.be_busy()
    tampered = "UPDATE seal SET time = time + interval '1 s' WHERE seal_id = 5"
    books.tamper(tampered)
    named = {("I7", "seal", "5")}
    assert await found(books) == await found(books) == named
    report = await books.auditor().audit(accept=True)
    assert (report.count, report.entries) == (1, 37)
    order = await books.trade(account, Outcome.WIN)
    assert await found(books) == set()
    assert await found(books, full=True) == named
    books.tamper(f"UPDATE closed_order SET returned = 1 WHERE order_id = '{order.order_id}'")
    assert await found(books) == set()  # it was in order before
    ((account_id,),) = books.tamper(
        "UPDATE account SET posted = posted + 1 WHERE account_id ="
        " (SELECT account_id FROM account LIMIT 1) RETURNING account_id"
    )
    await books.auditor().audit(accept=True)
    # What is wrong now stays found until it is put right.
    assert await found(books) == {("I2", "account", str(account_id))}


async def test_a_replica_is_audited_and_remembers_nothing(books: Books) -> None:
    await books.be_busy()
    options = "-c default_transaction_read_only=on"
    async with Database(
        make_conninfo(books.demo.owner, options=options), name="replica"
    ) as replica:
        auditor = Auditor(replica, books.demo.desk.wire, books.demo.market.clock.now, books.record)
        reports = [await auditor.audit() for _ in range(2)]
    assert [(report.count, report.entries) for report in reports] == [(0, 37), (0, 37)]


async def test_an_order_that_was_paid_out_twice_is_named(books: Books) -> None:
    """By another commit, under a seal that fits, with balances that add up."""
    account = await books.demo.account()
    order = await books.trade(account, Outcome.WIN)
    assert await found(books) == set()
    balance, now = (await books.demo.now(account)).posted, books.demo.market.clock.now()
    again = closing_entries(order, Outcome.WIN, balance, uuid4(), now)
    entries = await books.smuggle(again)
    assert await found(books) == {
        *(("I5", "entry", str(entry_id)) for entry_id in entries),
        ("I8", "journal", f"order {order.order_id}"),
        ("I10", "open_order", "USD"),
    }


@pytest.mark.parametrize("audited_before", [False, True])
async def test_an_order_that_was_paid_for_twice_is_named(
    books: Books, audited_before: bool
) -> None:
    account = await books.demo.account()
    order = await books.open(account)
    if audited_before:
        assert await found(books) == set()
    balance = (await books.demo.now(account)).posted
    (entry_id,) = await books.smuggle([stake_entry(order, balance - order.stake)])
    named = {("I8", "journal", f"order {order.order_id}"), ("I10", "open_order", "USD")}
    # What is new is held against itself; what is old has had its event.
    twice = set() if audited_before else {("I5", "entry", str(entry_id))}
    assert await found(books) == named | twice


@pytest.mark.parametrize(
    ("fixing", "record"),
    [
        (Fixing(TICK, 0), {"last_tick": TICK._replace(number=8)}),
        (Fixing(TICK, 0), {"last_tick": TICK._replace(price=10_001)}),
        (Fixing(TICK, 0), {"last_tick": None}),
        (Fixing(TICK, 0), {"last_tick": TICK, "max_tick_age": timedelta(seconds=4)}),
        (Fixing(TICK, 0), {"last_tick": TICK, "state": MarketState.NOT_COVERED}),
        (Fixing(None, VoidReason.NOT_COVERED), {}),
        (Fixing(None, VoidReason.NO_TICK), {"last_tick": TICK}),
    ],
)
def test_a_fixing_that_the_recorded_ticks_do_not_make_is_named(
    fixing: Fixing, record: dict[str, Any]
) -> None:
    point = Point("BTCUSD", START + timedelta(seconds=5))
    standing = Standing(MarketState.TRADABLE, None, timedelta(seconds=5), None)._replace(**record)
    (wrong,) = check_derivation(point, fixing, standing)
    assert wrong[:3] == ("I6", "fixing", "BTCUSD 2026-11-23T12:00:05.500000+00:00")
    forgotten = standing._replace(state=MarketState.FORGOTTEN)
    assert list(check_derivation(point, fixing, forgotten)) == []


@pytest.mark.parametrize(
    ("fixing", "record"),
    [
        (Fixing(TICK, 0), {"last_tick": TICK}),
        # The end of a session belongs to it, and what may not open may still close.
        (Fixing(TICK, 0), {"last_tick": TICK, "state": MarketState.CLOSED}),
        (Fixing(None, VoidReason.NOT_COVERED), {"state": MarketState.NOT_COVERED}),
        (Fixing(None, VoidReason.NO_TICK), {}),
        (Fixing(None, VoidReason.FEED_SILENT), {"last_tick": TICK}),
    ],
)
def test_a_fixing_that_the_recorded_ticks_make_is_in_order(
    fixing: Fixing, record: dict[str, Any]
) -> None:
    point = Point("BTCUSD", START + timedelta(seconds=5))
    standing = Standing(MarketState.TRADABLE, None, timedelta(seconds=5), None)._replace(**record)
    assert list(check_derivation(point, fixing, standing)) == []


async def test_a_tick_that_changed_under_its_fixing_is_named(books: Books) -> None:
    order = await books.trade(await books.demo.account(), Outcome.WIN)
    point = Point(order.instrument, order.expires_at)
    standing = books.record.stood[point]
    assert standing is not None
    assert standing.last_tick is not None
    forged = standing.last_tick._replace(price=1)
    books.record.stood[point] = standing._replace(last_tick=forged)
    assert await found(books) == {("I6", "fixing", f"{order.instrument} {point.time.isoformat()}")}
