"""What the role that trading runs as may do to a book: add to its history, and never rewrite it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest
import pytest_asyncio

from tests.service.trading_fixtures import Bench, bench
from tests.stores import Postgres


@pytest_asyncio.fixture
async def demo(postgres: Postgres) -> AsyncIterator[Bench]:
    async with bench(postgres) as lent:
        yield lent


async def test_the_service_cannot_rewrite_history(demo: Bench) -> None:
    account = await demo.account()
    await demo.place(account)
    for statement in (
        "UPDATE entry SET amount = 1",
        "DELETE FROM entry",
        "TRUNCATE entry",
        "ALTER TABLE entry ADD COLUMN x int",
        "UPDATE journal SET type = ''",
        "DELETE FROM journal",
        "UPDATE closed_order SET returned = 1",
        "DELETE FROM closed_order",
        "UPDATE open_order SET stake = 1",
        "DELETE FROM transfer",
        "UPDATE transfer SET amount = 1",
        "UPDATE terms SET payout_bp = 1",
        "DELETE FROM account",
        "UPDATE account SET user_id = account_id",
        "UPDATE account SET currency = 'EUR'",
        "ALTER TABLE account DROP CONSTRAINT available_is_not_negative",
        "ALTER TABLE entry DISABLE TRIGGER ALL",
        "DROP FUNCTION require",
        "CREATE OR REPLACE FUNCTION require(boolean, text) RETURNS void LANGUAGE sql AS 'SELECT'",
        "SET session_replication_role = replica",
        "COPY entry FROM PROGRAM 'true'",
    ):
        async with demo.desk.book.database.raw() as connection:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(statement)
            await connection.rollback()


async def test_what_is_written_once_may_be_added_and_read_and_nothing_else(demo: Bench) -> None:
    once = ["audit", "closed_order", "entry", "journal", "ledger_head", "rollup", "seal", "terms"]
    once.append("transfer")
    async with demo.desk.book.database.raw() as connection:
        cursor = await connection.execute(
            """
            SELECT relname, array_agg(acl.privilege_type::text ORDER BY acl.privilege_type::text)
            FROM pg_class, aclexplode(relacl) acl
            WHERE relname = ANY (%(once)s) AND acl.grantee <> relowner GROUP BY relname
            """,
            {"once": once},
        )
        granted = dict(await cursor.fetchall())
        cursor = await connection.execute(
            """
            SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication,
                   EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid),
                   EXISTS (SELECT FROM pg_class WHERE relowner = pg_roles.oid)
            FROM pg_roles WHERE rolname = current_user
            """
        )
        assert await cursor.fetchall() == [(False, False, False)]
    assert granted == {table: ["INSERT", "SELECT"] for table in once}
