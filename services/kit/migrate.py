"""Brings a database to the newest migration, as the role that owns its tables.

A service keeps its migrations in `migrations/versions/<revision>_<what it does>.py`: a straight
line, ordered by file name. Any number of replicas may call `migrate` at once; one does the work
and the others wait for it. At the head, which is the usual case, Alembic is not even imported.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import structlog
from psycopg.errors import DeadlockDetected, LockNotAvailable
from psycopg.sql import SQL

from services.kit.settings import DatabaseSettings

if TYPE_CHECKING:
    from sqlalchemy import Connection

_ENVIRONMENT = Path(__file__).parent / "alembic"
_LOCK_KEY = 0x7665_7269_7469_636B  # "veritick": one lock, as there is one schema, per database
_LOCK_WAIT_SECONDS = 300
# Who waits for a table keeps everybody else from it who comes later. So a migration gives up soon
# when somebody reads for long, as an audit does, and comes again; so it does when somebody at work
# had locked the tables that it changes in another order.
_HELD_UP = (LockNotAvailable, DeadlockDetected)
_TABLE_WAIT_SECONDS = 2
_AGAIN_SECONDS = 1.0
_CONNECT_SECONDS = 10
_log = structlog.stdlib.get_logger()


class MigrationRefused(Exception):
    """The database and the migrations do not fit together; the message says in what way."""


def migrate(
    database: DatabaseSettings, migrations: Path, service_role: str | None = None
) -> list[str]:
    """Apply the migrations this database lacks and return their revisions.

    `migrations` is the service's folder of that name. `service_role` is whom `grant` grants to; by
    default the user of `database_url`. Errors: MigrationRefused; psycopg.OperationalError when the
    database cannot be reached.
    """
    if database.migration_url is None:
        raise MigrationRefused("no migration_url: migrations run as the owner of the tables")
    role = service_role or _user_of(database.database_url.get_secret_value())
    revisions = _revisions(migrations)
    with psycopg.connect(
        database.migration_url.get_secret_value(),
        autocommit=True,
        connect_timeout=_CONNECT_SECONDS,
        application_name="migrate",
    ) as connection:
        if not _missing(connection, revisions):
            return []
        connection.execute(SQL("SET lock_timeout = {}").format(f"{_LOCK_WAIT_SECONDS}s"))
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK_KEY])
        # Another replica may have done it while this one waited.
        missing = _missing(connection, revisions)
        if missing:
            _require_role(connection, role)
            _upgrade(database.migration_url.get_secret_value(), migrations, role)
            _log.info("migrated", revisions=missing)
        return missing


def _revisions(migrations: Path) -> list[str]:
    """Return the revisions in order, read off the file names: nothing is imported for it."""
    files = sorted((migrations / "versions").glob("[0-9]*.py"))
    if not files:
        raise MigrationRefused(f"no migrations in {migrations}")
    return [file.stem.partition("_")[0] for file in files]


def _missing(connection: psycopg.Connection[Any], revisions: list[str]) -> list[str]:
    at = _current(connection)
    if at is None:
        return revisions
    if at not in revisions:
        raise MigrationRefused(f"the database is at {at}, which this version does not know")
    return revisions[revisions.index(at) + 1 :]


def _current(connection: psycopg.Connection[Any]) -> str | None:
    exists = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
    if not exists or exists[0] is None:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def _user_of(url: str) -> str:
    user = psycopg.conninfo.conninfo_to_dict(url).get("user")
    if not user:
        raise MigrationRefused("database_url names no user, so there is nobody to grant to")
    return str(user)


def _require_role(connection: psycopg.Connection[Any], role: str) -> None:
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    if not known:
        raise MigrationRefused(f"the role {role} does not exist: create it before migrating")


def _upgrade(url: str, migrations: Path, role: str) -> None:
    # SQLAlchemy and Alembic take a third of a second to import; a database at head never pays.
    from sqlalchemy import NullPool, create_engine  # noqa: PLC0415
    from sqlalchemy.exc import OperationalError  # noqa: PLC0415

    options = f"-c lock_timeout={_TABLE_WAIT_SECONDS}s"
    engine = create_engine(
        "postgresql+psycopg://",
        poolclass=NullPool,
        creator=lambda: psycopg.connect(url, options=options),
    )
    deadline = time.monotonic() + _LOCK_WAIT_SECONDS
    while True:
        try:
            with engine.connect() as connection:
                return _run_alembic(connection, migrations, role)
        except OperationalError as error:
            if not isinstance(error.orig, _HELD_UP) or time.monotonic() > deadline:
                raise
        time.sleep(_AGAIN_SECONDS)


def _run_alembic(connection: "Connection", migrations: Path, role: str) -> None:
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    from services.kit.schema import SERVICE_ROLE  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", _escaped(_ENVIRONMENT))
    config.set_main_option("version_locations", _escaped(migrations / "versions"))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    config.attributes[SERVICE_ROLE] = role
    command.upgrade(config, "head")


def _escaped(path: Path) -> str:
    """Write a path for Alembic, which interpolates percent signs."""
    return str(path.resolve()).replace("%", "%%")
