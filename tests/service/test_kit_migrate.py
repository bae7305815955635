import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from pydantic import SecretStr

from services.kit import process
from services.kit.migrate import MigrationRefused, migrate
from services.kit.process import Application
from services.kit.settings import DatabaseSettings, ServiceSettings
from services.kit.tokens import Keyring
from tests.service.commands import Ended, RunCommand
from tests.service.kit_databases import MIGRATIONS, Databases
from tests.waiting import PATIENCE_SECONDS, until

pytest_plugins = ["tests.service.commands", "tests.service.kit_fixtures"]


class _Settings(ServiceSettings, DatabaseSettings):
    """Of a service with one database."""


@asynccontextmanager
async def _serves_nothing(_: _Settings) -> AsyncIterator[Application]:
    yield Application(Keyring({}))


def as_owner(settings: DatabaseSettings) -> psycopg.Connection:
    assert settings.migration_url
    return psycopg.connect(settings.migration_url.get_secret_value(), autocommit=True)


def as_service(settings: DatabaseSettings) -> psycopg.Connection:
    return psycopg.connect(settings.database_url.get_secret_value(), autocommit=True)


def one(connection: psycopg.Connection, statement: str) -> Any:
    row = connection.execute(statement.encode()).fetchone()
    return row[0] if row else None


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """A copy of the migrations, to add to."""
    folder = tmp_path / "100% service" / "migrations"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def add_migration(migrations: Path, revision: str, after: str, statement: str) -> None:
    file = migrations / "versions" / f"{revision}_more.py"
    file.write_text(
        f"from alembic import op\nrevision = {revision!r}\ndown_revision = {after!r}\n"
        f"def upgrade():\n    op.execute({statement!r})\n"
    )


def test_an_empty_database_gets_every_table(kit_databases: Databases) -> None:
    settings = kit_databases.empty()

    assert migrate(settings, MIGRATIONS) == ["0001", "0002"]

    with as_service(settings) as connection:
        connection.execute("INSERT INTO note VALUES (1, 'hello', 'someone')")
        assert one(connection, "SELECT author FROM note") == "someone"
    with as_owner(settings) as connection:
        assert one(connection, "SELECT version_num FROM alembic_version") == "0002"


def test_a_migration_that_waits_for_a_table_keeps_nobody_else_waiting(
    kit_settings: DatabaseSettings, migrations: Path
) -> None:
    """Who reads for long, as an audit does, holds it up; whoever comes after it does not wait."""
    add_migration(migrations, "0003", "0002", "ALTER TABLE note ADD COLUMN later text")
    with (
        as_service(kit_settings) as reader,
        as_service(kit_settings) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        with reader.transaction():
            reader.execute("SELECT FROM note")
            migrating = pool.submit(migrate, kit_settings, migrations)
            waits = (
                "SELECT count(*) FROM pg_locks WHERE relation = 'note'::regclass AND NOT granted"
            )
            until(lambda: one(other, waits) == 1)
            other.execute("SELECT FROM note")
            assert not migrating.done()
        assert migrating.result(PATIENCE_SECONDS) == ["0003"]


def test_at_the_head_there_is_nothing_to_do(kit_settings: DatabaseSettings) -> None:
    assert migrate(kit_settings, MIGRATIONS) == []


def test_at_the_head_alembic_is_not_even_imported(kit_settings: DatabaseSettings) -> None:
    assert kit_settings.migration_url
    program = (
        "import sys; from pathlib import Path; from services.kit.migrate import migrate;"
        "from services.kit.settings import DatabaseSettings;"
        "database, owner, folder = sys.stdin.read().splitlines();"
        "settings = DatabaseSettings(database_url=database, migration_url=owner);"
        "assert migrate(settings, Path(folder)) == [];"
        "assert not {'alembic', 'sqlalchemy'} & set(sys.modules)"
    )
    urls = (kit_settings.database_url, kit_settings.migration_url)
    told = "\n".join([*(url.get_secret_value() for url in urls), str(MIGRATIONS)])

    done = subprocess.run(
        [sys.executable, "-c", program], input=told, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_a_later_migration_is_applied_alone(
    kit_settings: DatabaseSettings, migrations: Path
) -> None:
    add_migration(migrations, "0003", "0002", "ALTER TABLE note ADD COLUMN colour text")

    assert migrate(kit_settings, migrations) == ["0003"]


def test_a_failing_migration_changes_nothing_and_keeps_those_before(
    kit_databases: Databases, migrations: Path
) -> None:
    settings = kit_databases.empty()
    add_migration(migrations, "0003", "0002", "CREATE TABLE half (a int); SELECT 1 / 0")

    with pytest.raises(Exception, match="division by zero"):
        migrate(settings, migrations)

    with as_owner(settings) as connection:
        assert one(connection, "SELECT version_num FROM alembic_version") == "0002"
        assert one(connection, "SELECT to_regclass('half')") is None
    add_migration(migrations, "0003", "0002", "CREATE TABLE half (a int)")
    assert migrate(settings, migrations) == ["0003"]


def test_replicas_that_start_together_migrate_once(
    kit_databases: Databases, migrations: Path
) -> None:
    settings = kit_databases.empty()
    add_migration(migrations, "0003", "0002", "SELECT pg_sleep(0.3)")

    with ThreadPoolExecutor(4) as replicas:
        done = list(replicas.map(lambda _: migrate(settings, migrations), range(4)))

    assert sorted(done) == [[], [], [], ["0001", "0002", "0003"]]


def test_a_database_from_the_future_is_refused(
    kit_settings: DatabaseSettings, migrations: Path
) -> None:
    add_migration(migrations, "0003", "0002", "SELECT 1")
    migrate(kit_settings, migrations)

    with pytest.raises(MigrationRefused, match="0003"):
        migrate(kit_settings, MIGRATIONS)


async def test_the_command_tells_what_it_did_and_why_it_does_not(
    kit_settings: DatabaseSettings,
    migrations: Path,
    monkeypatch: pytest.MonkeyPatch,
    run_command: RunCommand,
) -> None:
    def run(folder: Path) -> None:
        def brought_to_newest(settings: _Settings) -> None:
            migrate(settings, folder)

        process.main("kit", _Settings, _serves_nothing, brought_to_newest)

    def command(folder: Path) -> Awaitable[Ended]:
        return run_command(lambda: run(folder))

    add_migration(migrations, "0003", "0002", "SELECT 1")
    assert kit_settings.migration_url is not None
    monkeypatch.setattr("sys.argv", ["kit", "migrate"])
    monkeypatch.setenv("VERITICK_MODE", "development")
    monkeypatch.setenv("VERITICK_DATABASE_URL", kit_settings.database_url.get_secret_value())
    monkeypatch.setenv("VERITICK_MIGRATION_URL", kit_settings.migration_url.get_secret_value())

    done = await command(migrations)
    assert (done.returncode, '"revisions": ["0003"]' in done.stdout + done.stderr) == (0, True)
    refused = await command(MIGRATIONS)
    why = "migrate: the database is at 0003, which this version does not know\n"
    assert (refused.returncode, refused.stderr) == (1, why)
    monkeypatch.setenv("VERITICK_MIGRATION_URL", "postgresql://nobody@127.0.0.1:1/kit")
    unreachable = await command(MIGRATIONS)
    assert unreachable.returncode == 1
    assert unreachable.stderr.startswith("migrate: connection failed")


def test_what_is_missing_is_named(kit_databases: Databases, tmp_path: Path) -> None:
    settings = kit_databases.empty()

    with pytest.raises(MigrationRefused, match="no migrations"):
        migrate(settings, tmp_path)
    with pytest.raises(MigrationRefused, match="role nobody_here does not exist"):
        migrate(settings, MIGRATIONS, "nobody_here")
    with pytest.raises(MigrationRefused, match="migration_url"):
        migrate(settings.model_copy(update={"migration_url": None}), MIGRATIONS)
    with pytest.raises(MigrationRefused, match="user"):
        anonymous = SecretStr("postgresql:///kit")
        migrate(settings.model_copy(update={"database_url": anonymous}), MIGRATIONS)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET payload = ''",
        "UPDATE journal SET position = position + 1",
        "DELETE FROM journal",
        "TRUNCATE journal",
        "DELETE FROM journal_head",
        "TRUNCATE journal_head",
        "DELETE FROM journal_subject",
        "DELETE FROM follower_position",
        "DELETE FROM leader",
        "DELETE FROM job",
        "UPDATE note SET text = ''",
        "ALTER TABLE journal ADD COLUMN extra text",
        "ALTER TABLE journal DISABLE TRIGGER ALL",
        "DROP TABLE journal",
        "CREATE RULE forget AS ON INSERT TO journal DO INSTEAD NOTHING",
        "CREATE TABLE mine (a int)",
        "GRANT ALL ON journal TO CURRENT_USER",
        "UPDATE alembic_version SET version_num = '0001'",
        "SET ROLE {owner}",
        "SET session_replication_role = replica",
    ],
)
def test_the_service_cannot_change_what_was_written(
    kit_settings: DatabaseSettings, statement: str
) -> None:
    add = "INSERT INTO journal VALUES (1, 'account:1', 1, 'order.opened.v1', '\\x00', now())"
    with as_owner(kit_settings) as owner:
        statement = statement.format(owner=owner.info.user)
    with as_service(kit_settings) as service:
        service.execute(add)

        # To a GRANT by one who may not, Postgres only warns: it is the effect that counts.
        if statement.startswith("GRANT"):
            service.execute(statement.encode())
            statement = "DELETE FROM journal"
        with pytest.raises(InsufficientPrivilege):
            service.execute(statement.encode())

        assert one(service, "SELECT position FROM journal WHERE payload = '\\x00'") == 1


def test_the_service_can_do_its_work(kit_settings: DatabaseSettings) -> None:
    with as_service(kit_settings) as service:
        service.execute("INSERT INTO journal_head VALUES ('demo', 0)")
        service.execute("UPDATE journal_head SET position = position + 1")
        service.execute("INSERT INTO journal_subject VALUES ('account:1', 1)")
        service.execute("UPDATE journal_subject SET sequence = sequence + 1")
        service.execute("INSERT INTO follower_position VALUES ('identity', 1)")
        service.execute("UPDATE follower_position SET position = 2")

        assert one(service, "SELECT position FROM journal_head") == 1
