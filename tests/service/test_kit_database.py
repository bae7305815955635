import asyncio
from contextlib import suppress
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from services.kit.database import CommitUnknown, Database, DatabaseUnavailable, committing
from services.kit.settings import DatabaseSettings
from tests.service.kit_databases import Databases, running_server
from tests.waiting import PATIENCE_SECONDS, eventually

pytest_plugins = ["tests.service.kit_fixtures"]

ADD = text("INSERT INTO note (number, text) VALUES (:number, 'hello')")
COUNT = text("SELECT count(*) FROM note")


async def notes(database: Database) -> int:
    async with database.connection() as connection:
        return int((await connection.execute(COUNT)).scalar_one())


def hang_up(databases: Databases, name: str) -> int:
    """End the sessions of an application, as a failover of Postgres does; return how many."""
    with databases.superuser() as superuser:
        return superuser.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
            " WHERE application_name = %s",
            [name],
        ).rowcount


async def test_a_transaction_commits_when_the_block_ends(kit_database: Database) -> None:
    async with kit_database.transaction() as connection:
        await connection.execute(ADD, {"number": 1})
        assert await notes(kit_database) == 0

    assert await notes(kit_database) == 1


async def test_a_transaction_rolls_back_when_the_block_raises(kit_database: Database) -> None:
    with pytest.raises(LookupError):
        async with kit_database.transaction() as connection:
            await connection.execute(ADD, {"number": 1})
            raise LookupError

    assert await notes(kit_database) == 0


async def test_an_error_of_the_statement_is_the_callers(kit_database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with kit_database.transaction() as connection:
            await connection.execute(ADD, {"number": 1})
            await connection.execute(ADD, {"number": 1})

    assert await notes(kit_database) == 0


async def test_swallowing_an_error_does_not_pass_for_a_commit(kit_database: Database) -> None:
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        async with kit_database.transaction() as connection:
            await connection.execute(ADD, {"number": 1})
            with suppress(IntegrityError):
                await connection.execute(ADD, {"number": 1})


async def test_a_reading_transaction_sees_one_moment_and_cannot_write(
    kit_database: Database,
) -> None:
    async with kit_database.transaction(isolation="REPEATABLE READ", read_only=True) as reader:
        before = (await reader.execute(COUNT)).scalar_one()
        async with kit_database.transaction() as writer:
            await writer.execute(ADD, {"number": 1})
        assert (await reader.execute(COUNT)).scalar_one() == before

    with pytest.raises(Exception, match="read-only"):
        async with kit_database.transaction(read_only=True) as reader:
            await reader.execute(ADD, {"number": 2})


async def test_what_one_borrower_set_the_next_does_not_inherit(
    kit_settings: DatabaseSettings,
) -> None:
    url = kit_settings.database_url.get_secret_value()
    async with Database(url, name="single", pool_max=1) as database:
        async with database.transaction(isolation="SERIALIZABLE", read_only=True) as connection:
            await connection.execute(COUNT)
        async with database.connection() as connection:
            await connection.execute(COUNT)
        async with database.raw() as raw:
            await raw.set_autocommit(True)

        async with database.transaction() as connection:
            level = await connection.execute(text("SHOW transaction_isolation"))
            assert level.scalar_one() == "read committed"
            await connection.execute(ADD, {"number": 1})
        async with database.raw() as raw:
            assert not raw.autocommit
        assert await notes(database) == 1


async def test_raw_sql_is_committed_by_its_caller_or_not_at_all(kit_database: Database) -> None:
    async with kit_database.raw() as raw:
        await raw.execute("INSERT INTO note VALUES (1, 'forgotten')")
    assert await notes(kit_database) == 0

    copying = "COPY note (number, text) FROM STDIN"
    async with kit_database.raw() as raw, raw.transaction(), raw.cursor().copy(copying) as copy:
        for number in range(100):
            await copy.write_row((number, "copied"))
    assert await notes(kit_database) == 100

    async with kit_database.raw() as raw:
        async with raw.pipeline():
            for number in range(100, 200):
                await raw.execute("INSERT INTO note VALUES (%s, 'piped')", [number])
        with committing():
            await raw.commit()
    assert await notes(kit_database) == 200


async def test_times_are_utc_and_statements_have_an_end(kit_settings: DatabaseSettings) -> None:
    url = kit_settings.database_url.get_secret_value()
    limit = timedelta(milliseconds=500)
    async with Database(url, name="hasty", statement_timeout=limit) as database:
        async with database.raw() as raw:
            zone = await (await raw.execute("SHOW timezone")).fetchone()
        assert zone == ("UTC",)

        with pytest.raises(DatabaseUnavailable, match="statement timeout"):
            async with database.connection() as connection:
                await connection.execute(text("SELECT pg_sleep(10)"))
        await eventually(database.healthy)


async def test_a_statement_repeated_is_prepared_and_the_connection_kept_tidy(
    kit_settings: DatabaseSettings,
) -> None:
    url = kit_settings.database_url.get_secret_value()
    async with Database(url, name="tidy", pool_max=1) as database:
        for number in range(20):
            async with database.transaction() as connection:
                await connection.execute(ADD, {"number": number})

        async with database.raw() as raw:
            prepared = await raw.execute(
                "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'INSERT%'"
            )
            assert await prepared.fetchone() == (1,)
            # SQLAlchemy offers its notice handler at every loan.
            assert len(raw._notice_handlers) == 1


async def test_no_more_connections_than_agreed_whoever_asks(
    kit_databases: Databases, kit_settings: DatabaseSettings
) -> None:
    url = kit_settings.database_url.get_secret_value()
    all_three = asyncio.Barrier(3)
    async with Database(url, name="bounded", pool_max=3) as database:

        async def read() -> None:
            async with database.connection() as connection:
                await connection.execute(COUNT)
                await all_three.wait()

        async def read_raw() -> None:
            async with database.raw() as raw:
                await raw.execute("SELECT 1")
                await all_three.wait()

        await asyncio.gather(*(read() for _ in range(15)), *(read_raw() for _ in range(15)))

        with kit_databases.superuser() as superuser:
            sessions = superuser.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bounded'"
            ).fetchone()
        assert sessions == (3,)


async def test_a_pool_that_is_taken_says_so_in_time(kit_settings: DatabaseSettings) -> None:
    url = kit_settings.database_url.get_secret_value()
    wait = timedelta(seconds=0.2)
    async with Database(url, name="taken", pool_max=1, acquire_timeout=wait) as database:
        # To connect may take longer than that, on a machine that is busy.
        await eventually(database.healthy)
        async with database.raw():
            with pytest.raises(DatabaseUnavailable):
                async with database.connection():
                    pass
        await eventually(database.healthy)


async def test_a_cancelled_caller_gives_its_connection_back(
    kit_settings: DatabaseSettings,
) -> None:
    url = kit_settings.database_url.get_secret_value()
    async with Database(url, name="cancelled", pool_max=1) as database:
        for number in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02), database.transaction() as connection:
                    await connection.execute(ADD, {"number": number})
                    await connection.execute(text("SELECT pg_sleep(10)"))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02), database.raw() as raw:
                    await raw.execute("SELECT pg_sleep(10)")

        assert await notes(database) == 0


async def test_who_was_told_to_stop_commits_nothing_though_the_driver_lost_the_word(
    kit_database: Database,
) -> None:
    async def told_within() -> None:
        async with kit_database.transaction() as connection:
            await connection.execute(ADD, {"number": 1})
            working.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)

    working = asyncio.create_task(told_within())
    with pytest.raises(asyncio.CancelledError):
        await working

    assert await notes(kit_database) == 0


async def test_sessions_ended_while_idle_trouble_nobody(
    kit_databases: Databases, kit_settings: DatabaseSettings
) -> None:
    url = kit_settings.database_url.get_secret_value()
    async with Database(url, name="idle", pool_min=5, pool_max=5) as database:
        await eventually(lambda: database.pool_statistics()["pool_available"] == 5)

        assert hang_up(kit_databases, "idle") == 5

        for _ in range(10):
            assert await notes(database) == 0


async def test_sessions_ended_in_use_are_an_outage_and_leave_no_hole_in_the_pool(
    kit_databases: Databases, kit_settings: DatabaseSettings
) -> None:
    url = kit_settings.database_url.get_secret_value()
    async with Database(url, name="used", pool_max=2) as database:
        for number in range(5):
            with pytest.raises(DatabaseUnavailable) as outage:
                async with database.transaction() as connection:
                    await connection.execute(ADD, {"number": number})
                    hang_up(kit_databases, "used")
                    await connection.execute(COUNT)
            assert not isinstance(outage.value, CommitUnknown)
            with pytest.raises(DatabaseUnavailable):
                async with database.raw() as raw:
                    hang_up(kit_databases, "used")
                    await raw.execute("SELECT 1")

        assert await notes(database) == 0
        async with database.raw(), database.connection():
            assert database.pool_statistics()["pool_size"] == 2


async def test_a_connection_lost_at_commit_leaves_the_outcome_unknown(
    kit_databases: Databases, kit_settings: DatabaseSettings
) -> None:
    url = kit_settings.database_url.get_secret_value()
    async with Database(url, name="unknown") as database:
        with pytest.raises(CommitUnknown):
            async with database.transaction() as connection:
                await connection.execute(ADD, {"number": 1})
                hang_up(kit_databases, "unknown")
        with pytest.raises(CommitUnknown):
            async with database.raw() as raw:
                await raw.execute("INSERT INTO note VALUES (1, 'raw')")
                hang_up(kit_databases, "unknown")
                with committing():
                    await raw.commit()

        assert await notes(database) == 0


async def test_a_restart_of_postgres_needs_no_restart_of_ours() -> None:
    with running_server() as own:
        url = own.databases.migrated().database_url.get_secret_value()
        wait = timedelta(seconds=0.3)
        async with Database(url, name="kit", pool_max=3, acquire_timeout=wait) as database:
            await eventually(database.healthy)

            own.stop()
            for _ in range(8):
                with pytest.raises(DatabaseUnavailable):
                    await notes(database)
            assert not await database.healthy()

            own.start()
            await eventually(database.healthy)

            async def all_places_are_there() -> bool:
                with suppress(DatabaseUnavailable):
                    async with database.raw(), database.raw(), database.raw():
                        return True
                return False

            await eventually(all_places_are_there)


async def test_a_database_that_comes_later_is_found() -> None:
    with running_server() as own:
        url = own.databases.migrated().database_url.get_secret_value()
        own.stop()
        wait = timedelta(seconds=PATIENCE_SECONDS)
        async with Database(url, name="early", acquire_timeout=wait) as database:
            reading = asyncio.create_task(notes(database))
            await asyncio.sleep(0.5)
            assert not reading.done()
            own.start()

            assert await reading == 0


async def test_a_closed_database_is_unavailable(kit_settings: DatabaseSettings) -> None:
    database = Database.from_settings(kit_settings, name="closed")
    async with database:
        assert await database.healthy()

    with pytest.raises(DatabaseUnavailable):
        await notes(database)


async def test_what_a_cancelled_pipeline_left_on_the_line_is_nobody_elses_answer(
    kit_database: Database,
) -> None:
    async def interrupted() -> None:
        async with kit_database.raw() as connection:
            await connection.set_autocommit(True)
            async with connection.pipeline(), connection.transaction():
                await connection.execute("SELECT 1")

    # Where a cancellation strikes is a matter of luck, so it strikes everywhere.
    for pauses in range(12):
        task = asyncio.create_task(interrupted())
        for _ in range(pauses):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert await notes(kit_database) == 0


async def test_what_one_user_made_of_a_connection_the_next_does_not_meet(
    kit_settings: DatabaseSettings,
) -> None:
    """A reader of a snapshot who is cancelled must not leave a connection that cannot write."""
    settings = kit_settings.model_copy(update={"pool_min": 1, "pool_max": 1})
    async with Database.from_settings(settings, name="kit") as database:
        async with database.raw() as connection:
            await connection.set_read_only(True)
            await connection.set_isolation_level(psycopg.IsolationLevel.SERIALIZABLE)
        async with database.raw() as connection:
            rows = await connection.execute(
                "SELECT current_setting('transaction_read_only'),"
                " current_setting('transaction_isolation')"
            )
            assert await rows.fetchone() == ("off", "read committed")
