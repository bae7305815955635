"""Databases with the kit's own tables, for the tests of the kit."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import psycopg
from pydantic import SecretStr

from services.kit.migrate import migrate
from services.kit.settings import DatabaseSettings
from services.local.databases import Passwords, access, create_database, provision
from services.local.postgres import Cluster, embedded_binaries

MIGRATIONS = Path(__file__).parent / "kit_migrations"
_NAME = "kit"


class Databases:
    """Makes databases in a running cluster."""

    def __init__(self, cluster: Cluster, passwords: Passwords) -> None:
        self.cluster = cluster
        self._passwords = passwords
        self._numbers = count(1)

    def empty(self) -> DatabaseSettings:
        """Return a new database without any table."""
        name = f"{_NAME}_empty_{next(self._numbers)}"
        provision(self.cluster, self._passwords, [name])
        return self._settings(name, name)

    def migrated(self) -> DatabaseSettings:
        """Return a new database with all tables."""
        provision(self.cluster, self._passwords, [_NAME])
        migrate(self._settings(_NAME, _NAME), MIGRATIONS)
        copy = f"{_NAME}_{next(self._numbers)}"
        with self.superuser() as connection:
            create_database(connection, _NAME, copy_as=copy, strategy="FILE_COPY")
        return self._settings(_NAME, copy)

    def superuser(self) -> psycopg.Connection:
        return psycopg.connect(self.cluster.url("postgres"), autocommit=True)

    def _settings(self, name: str, database: str) -> DatabaseSettings:
        urls = access(self.cluster, self._passwords, name, database)
        return DatabaseSettings(
            database_url=SecretStr(urls.service), migration_url=SecretStr(urls.owner)
        )


class Server:
    """A Postgres of one test's own, to be stopped and started."""

    def __init__(self, folder: Path) -> None:
        passwords = Passwords(folder / "passwords.json")
        sockets = folder / "run"
        sockets.mkdir(mode=0o700)
        self._cluster = Cluster(
            folder / "postgres",
            sockets,
            passwords.of("veritick"),
            embedded_binaries(),
            durable=False,
        )
        self._log = folder / "postgres.log"
        self._running = ExitStack()
        self.databases = Databases(self._cluster, passwords)

    def start(self) -> None:
        self._running.enter_context(self._cluster.running(self._log))

    def stop(self) -> None:
        self._running.close()


@contextmanager
def running_server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="kit-") as folder:
        server = Server(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
