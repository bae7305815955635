"""The real stores that tests run on: one Postgres and one Valkey for the whole session."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
import redis
from psycopg import sql
from pydantic import SecretStr

from services.kit.migrate import migrate
from services.kit.settings import DatabaseSettings
from services.local import databases
from services.local.databases import Access, Passwords
from services.local.postgres import Cluster, embedded_binaries
from services.local.valkey import Valkey, embedded_server
from tests.waiting import PATIENCE_SECONDS

SERVICES = Path(__file__).parents[1] / "services"


@dataclass
class Postgres:
    """A running cluster that copies databases from migrated templates."""

    cluster: Cluster
    passwords: Passwords
    _templates: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=count)

    def create_database(self, template: str, name: str | None = None) -> Access:
        """Return the two ways into a new database like `template`, with all migrations.

        `template` is a database of the platform: identity, quotes, settlement, trading_<book>.
        """
        self._ensure_template(template)
        copy = name or f"{template}_{next(self._numbers)}"
        with self._superuser() as connection:
            databases.create_database(connection, template, copy_as=copy, strategy="FILE_COPY")
        return databases.access(self.cluster, self.passwords, template, copy)

    def drop_database(self, access: Access) -> None:
        """Drop a database, whoever is still connected to it."""
        name = psycopg.conninfo.conninfo_to_dict(access.owner)["dbname"]
        with self._superuser() as connection:
            statement = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(str(name)))
            connection.execute(statement)

    @contextmanager
    def database(self, template: str) -> Iterator[Access]:
        """Lend a new database for as long as the context lasts."""
        access = self.create_database(template)
        try:
            yield access
        finally:
            self.drop_database(access)

    def _ensure_template(self, name: str) -> None:
        if name in self._templates:
            return
        databases.provision(self.cluster, self.passwords, [name])
        access = databases.access(self.cluster, self.passwords, name)
        migrate(
            DatabaseSettings(
                database_url=SecretStr(access.service), migration_url=SecretStr(access.owner)
            ),
            SERVICES / name.partition("_")[0] / "migrations",
        )
        self._templates.add(name)

    def _superuser(self) -> psycopg.Connection:
        return psycopg.connect(self.cluster.url("postgres"), autocommit=True)


@dataclass(frozen=True)
class ValkeyServer:
    """A running Valkey."""

    url: str

    def flush(self) -> None:
        """Forget everything in it."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()


@contextmanager
def running_postgres(folder: Path, *, durable: bool = False) -> Iterator[Postgres]:
    """Run a throwaway cluster in `folder`; a durable one flushes its commits to disk."""
    sockets = _made(folder / "run")
    passwords = Passwords(folder / "passwords.json")
    cluster = Cluster(
        folder / "postgres", sockets, passwords.of("veritick"), embedded_binaries(), durable=durable
    )
    with cluster.running(folder / "postgres.log"):
        yield Postgres(cluster, passwords)


@contextmanager
def running_valkey(folder: Path) -> Iterator[ValkeyServer]:
    """Run a throwaway Valkey in `folder`."""
    valkey = Valkey(_made(folder / "run"), embedded_server())
    with (folder / "valkey.log").open("wb") as log:
        process = subprocess.Popen(valkey.command(), stdout=log, stderr=log)
    try:
        _await_pong(valkey.url)
        yield ValkeyServer(valkey.url)
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def _await_pong(url: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    with redis.Redis.from_url(url) as client:
        while True:
            try:
                client.ping()
            except redis.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
