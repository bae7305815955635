"""How the cost of a book grows: statements per batch, and what each of them reads.

There are no timings here. A batch takes the same few statements whatever its size, and none of
them reads a table from end to end, however large it has grown.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio

from services.kit.ids import scoped
from services.trading.auditor import Auditor
from services.trading.book import Account, OrderFilter
from services.trading.ledger import NEWEST, EntryFilter
from services.trading.order import Outcome, VoidReason
from services.trading.settling import Decision, SettleOrders
from services.trading.wire import account_subject
from tests.service.statements import read_whole, shape_of, watched
from tests.service.trading_fixtures import Bench, bench, request
from tests.stores import Postgres

MANY = 5_000
"""Rows of each table: far more than a page holds, so that reading all of them is not cheaper."""

_GROW: LiteralString = """
    INSERT INTO account (account_id, user_id, currency, posted, opened_at)
    SELECT uuidv7(), uuidv4(), 'USD', 1000000, now() FROM generate_series(1, %(many)s);
    INSERT INTO open_order
    SELECT uuidv7(), account_id, uuidv4(), '', 'BTCUSD', 1, 100, 'USD', 8500, 1, 2, 1, 10000,
           now(), now(), now(), now() + interval '1 day'
    FROM account;
    INSERT INTO closed_order
    SELECT uuidv7(), account_id, uuidv4(), '', 'BTCUSD', 1, 100, 'USD', 8500, 1, 2, 1, 10000,
           now(), now(), now(), now(), 2, 0, 0, 2, 9999, now(), now(), now(), uuidv7()
    FROM account;
    INSERT INTO entry
    SELECT 1000000 + row_number() OVER (), 0, uuidv7(), 3, account_id, uuidv4(), -100, 'USD',
           1000000, uuidv7(), now()
    FROM account;
    INSERT INTO journal_subject SELECT 'account:demo_' || account_id, 1 FROM account
    ON CONFLICT DO NOTHING;
    INSERT INTO journal
    SELECT 1000000 + row_number() OVER (), 'account:demo_' || uuidv4(), 1, 'order.opened.v1', '',
           now()
    FROM account;
    INSERT INTO seal
    SELECT entry_id, entry_id, 1, '', '', now() FROM entry WHERE entry_id > 1000000;
    INSERT INTO audit (time, seal_id, seal_hash, entry_id, position, transfer_id)
    SELECT now(), 1005000, '', 1005000, 1005000, uuidv7();
    INSERT INTO account_statistics
    SELECT account_id, current_date - 1, 'BTCUSD', 1, 0, 1, 0, 100, 0 FROM account
"""


@pytest_asyncio.fixture
async def demo(postgres: Postgres) -> AsyncIterator[Bench]:
    async with bench(postgres) as lent:
        yield lent


@pytest.mark.parametrize("orders", [1, 30])
async def test_a_batch_of_orders_takes_two_statements_however_many_they_are(
    demo: Bench, monkeypatch: pytest.MonkeyPatch, orders: int
) -> None:
    account = await demo.account()
    with watched(monkeypatch) as seen:
        await demo.desk.writer.submit_all([request(account) for _ in range(orders)])
    assert len(seen.texts) == 2


@pytest.mark.parametrize("orders", [1, 40])
async def test_closing_takes_three_statements_however_many_orders(
    demo: Bench, monkeypatch: pytest.MonkeyPatch, orders: int
) -> None:
    account = await demo.account()
    command = await settling(demo, account, orders)
    with watched(monkeypatch) as seen:
        await demo.desk.writer.submit(command)
    assert len(seen.texts) == 3


async def test_nothing_that_happens_often_reads_a_table_from_end_to_end(
    demo: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await demo.account()
    command = await settling(demo, account, 3)
    await asyncio.to_thread(grow, demo.owner)
    asked, desk = request(account), demo.desk
    with watched(monkeypatch) as seen:
        await desk.writer.submit(asked)
        await desk.writer.submit(asked)  # answered as a replay
        await desk.writer.submit(command)
        await desk.writer.submit(command)  # answered with the first close
        now, key = demo.market.clock.now() + timedelta(seconds=60), uuid4()
        await desk.book.due_orders(now, None, 100)
        await desk.book.due_orders(now, (now, key), 100)
        await desk.book.account(account.account_id)
        await desk.book.accounts_of(account.user_id)
        await desk.book.order(account.account_id, key)
        for condition in (OrderFilter(), OrderFilter(is_open=False), OrderFilter(request_id=key)):
            await desk.book.orders(account.account_id, condition, key, 50)
        await desk.ledger.statement(account.account_id, EntryFilter(), NEWEST, 50)
        await desk.journal.read(1_000, 100)
        await desk.journal.read_subject(subject_of(account), 0, 100)
    assert len(seen.plans) > 15
    assert [whole for plan in seen.plans for whole in read_whole(plan)] == []


async def test_an_audit_of_what_is_new_reads_nothing_of_the_history_from_end_to_end(
    demo: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is open, and the accounts, it looks through; what has been, it looks up."""
    await asyncio.to_thread(grow, demo.owner)
    auditor = Auditor(demo.desk.book.database, demo.desk.wire, demo.market.clock.now, None)
    with watched(monkeypatch) as seen:
        report = await auditor.audit()
    assert not report.full
    whole = {name for plan in seen.plans for name in read_whole(plan)} - {"journal_head"}
    assert any(name.startswith("open_order") for name in whole)
    history = ("closed_order", "entry", "journal", "seal")
    assert [name for name in whole if name.startswith(history)] == []


async def test_closing_is_planned_alike_among_a_thousand_and_a_million_open_orders(
    demo: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planner is told of a million; the pages are those of a few thousand.

    That is no kindness: to read so few pages from end to end looks cheaper than it would be. The
    bench (S2) compares plans, and rates, where a million orders really are open.
    """
    account = await demo.account()
    commands = [await settling(demo, account, 3) for _ in range(2)]
    await asyncio.to_thread(grow, demo.owner)
    shapes = []
    for believed, command in zip((1_000, 1_000_000), commands, strict=True):
        await asyncio.to_thread(let_believe, demo.owner, "open_order", believed)
        with watched(monkeypatch) as seen:
            now = demo.market.clock.now() + timedelta(seconds=60)
            for after in (None, (now, uuid4())):
                await demo.desk.book.due_orders(now, after, 500)
            await demo.desk.writer.submit(command)
            async with demo.desk.book.database.raw() as connection:
                await connection.execute("SELECT * FROM open_order")
        *plans, whole = seen.plans
        assert whole["Plan Rows"] == pytest.approx(believed, rel=0.1)
        shapes.append([shape_of(plan) for plan in plans])
    assert len(shapes[0]) == 5
    assert shapes[0] == shapes[1]


async def test_reading_from_end_to_end_is_noticed(
    demo: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(grow, demo.owner)
    with watched(monkeypatch) as seen:
        async with demo.desk.book.database.raw() as connection:
            await connection.execute("SELECT * FROM entry WHERE amount = 7")
            await connection.execute("SELECT max(order_id::text) FROM open_order")
    assert [whole for plan in seen.plans for whole in read_whole(plan)] == ["entry", "open_order"]


async def settling(demo: Bench, account: Account, orders: int) -> SettleOrders:
    """Open orders, and return the command that closes them."""
    placed = await demo.desk.writer.submit_all([request(account) for _ in range(orders)])
    ids = [item.booked.order.order_id for item in placed]
    return SettleOrders([Decision(key, Outcome.VOID, VoidReason.NO_TICK, None) for key in ids])


def grow(owner: str) -> None:
    """Fill the book's tables, and let the planner know."""
    with psycopg.connect(owner, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(_GROW, {"many": MANY})
        connection.execute("ANALYZE")


def let_believe(owner: str, table: str, rows: int) -> None:
    """Let the planner think that a table, and each of its indexes, has so many rows."""
    told = """
        SELECT pg_restore_relation_stats(
            'schemaname', 'public', 'relname', relname::text,
            'relpages', (pg_relation_size(oid) / 8192)::integer, 'reltuples', %(rows)s::real)
        FROM pg_class WHERE oid = %(table)s::regclass
           OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = %(table)s::regclass)
    """
    with psycopg.connect(owner, autocommit=True) as connection:
        # Nobody may find out by himself meanwhile.
        connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)".encode())
        connection.execute(told, {"table": table, "rows": rows})


def subject_of(account: Account) -> str:
    return account_subject(scoped("demo", account.account_id))
