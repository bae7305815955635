"""The databases of the platform, and who may enter them."""

import json
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from services.local.home import write_private
from services.local.postgres import Cluster

DATABASES = ("identity", "quotes", "settlement", "trading_demo", "trading_real")


@dataclass(frozen=True)
class Access:
    """The two ways into a database: `owner` migrates it, `service` works in it."""

    owner: str
    service: str


@dataclass
class Passwords:
    """The passwords of the database roles, each made when first asked for and then kept."""

    path: Path
    make: Callable[[], str] = lambda: secrets.token_urlsafe(24)

    def of(self, role: str) -> str:
        """Return the password of `role`."""
        known: dict[str, str] = json.loads(self.path.read_bytes()) if self.path.exists() else {}
        if role not in known:
            known[role] = self.make()
            write_private(self.path, json.dumps(known, indent=2).encode())
        return known[role]


def access(cluster: Cluster, passwords: Passwords, name: str, database: str = "") -> Access:
    """Return the addresses of the database `name` for its two roles.

    `database` names a copy of it, which has the same roles.
    """

    def url(role: str) -> str:
        return cluster.url(database or name, role, passwords.of(role))

    return Access(owner=url(f"{name}_owner"), service=url(f"{name}_service"))


def provision(cluster: Cluster, passwords: Passwords, names: Iterable[str] = DATABASES) -> None:
    """Create the databases and roles that are missing; a second time nothing changes."""
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        roles = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
        databases = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
        for name in names:
            for role in (f"{name}_owner", f"{name}_service"):
                if role not in roles:
                    create_role(connection, role, passwords.of(role))
            if name not in databases:
                create_database(connection, name)


def create_role(connection: psycopg.Connection, role: str, password: str) -> None:
    """Create a role that may log in. The server never sees the password, only its verifier."""
    verifier = connection.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    )
    connection.execute(
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
            sql.Identifier(role), sql.Literal(verifier.decode())
        )
    )


def create_database(
    connection: psycopg.Connection, name: str, copy_as: str = "", strategy: str = "WAL_LOG"
) -> None:
    """Create a database that only its own two roles may enter.

    With `copy_as`, the new one is a copy of `name` under that name, and belongs to the same roles.
    """
    database = sql.Identifier(copy_as or name)
    owner, service = sql.Identifier(f"{name}_owner"), sql.Identifier(f"{name}_service")
    template = sql.Identifier(name if copy_as else "template1")
    for statement in (
        sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY {}").format(
            database, owner, template, sql.SQL(strategy)
        ),
        sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database),
        sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(database, service),
    ):
        connection.execute(statement)


def revision(cluster: Cluster, database: str) -> str | None:
    """Return the migration a database is at; None before its first."""
    with psycopg.connect(cluster.url(database)) as connection:
        table = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
        if table is None or table[0] is None:
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row else None


def newest_revision(migrations: Path) -> str | None:
    """Return the last of a service's migrations, read off the file names as the kit does."""
    files = sorted((migrations / "versions").glob("[0-9]*.py"))
    return files[-1].stem.partition("_")[0] if files else None
