import os
import signal
import subprocess
import time
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
import redis

from services.local import process
from services.local.databases import Passwords, access, newest_revision, provision, revision
from services.local.home import Home, Refusal, write_private
from services.local.keys import SIGNERS, ensure_keys
from services.local.postgres import Cluster, embedded_binaries
from tests.stores import Postgres, ValkeyServer
from tests.waiting import until


@pytest.fixture
def fleeting(stores_folder: Path) -> Path:
    folder = stores_folder / f"own-{time.monotonic_ns()}"
    folder.mkdir(mode=0o700)
    return folder


def cluster_in(folder: Path, *, durable: bool = False) -> Cluster:
    (folder / "run").mkdir(exist_ok=True)
    return Cluster(folder / "postgres", folder / "run", "secret", embedded_binaries(), durable)


def answer(url: str, query: LiteralString) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
        return row[0] if row else None


def test_the_platforms_postgres_gives_up_no_acknowledged_commit(fleeting: Path) -> None:
    cluster = cluster_in(fleeting, durable=True)
    with cluster.running(fleeting / "log"):
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert answer(cluster.url("postgres"), f"SHOW {setting}") == "on"
        assert answer(cluster.url("postgres"), "SHOW listen_addresses") == ""


def test_a_wrong_password_does_not_open_the_cluster(postgres: Postgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.cluster.url("postgres", "veritick", "guessed"))


def test_a_service_enters_its_own_database_and_no_other(postgres: Postgres) -> None:
    cluster, passwords = postgres.cluster, postgres.passwords
    provision(cluster, passwords, ["near", "far"])
    assert answer(access(cluster, passwords, "near").service, "SELECT current_user") == (
        "near_service"
    )
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(access(cluster, passwords, "near", database="far").service)


def test_a_service_makes_no_tables_and_its_owner_does(postgres: Postgres) -> None:
    provision(postgres.cluster, postgres.passwords, ["made"])
    made = access(postgres.cluster, postgres.passwords, "made")
    with psycopg.connect(made.owner) as connection:
        connection.execute("CREATE TABLE entry (amount bigint)")
    with (
        psycopg.connect(made.service) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("CREATE TABLE other (amount bigint)")


def test_provisioning_twice_keeps_what_is_there(postgres: Postgres) -> None:
    kept = access(postgres.cluster, postgres.passwords, "kept")
    for _ in range(2):
        provision(postgres.cluster, postgres.passwords, ["kept"])
        with psycopg.connect(kept.owner) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS once (number int)")
            connection.execute("INSERT INTO once VALUES (1)")
    assert answer(kept.owner, "SELECT count(*) FROM once") == 2


def test_a_database_knows_the_migration_it_is_at(postgres: Postgres, tmp_path: Path) -> None:
    (tmp_path / "versions").mkdir()
    for name in ("0001_accounts.py", "0002_orders.py", "__init__.py"):
        (tmp_path / "versions" / name).touch()
    assert newest_revision(tmp_path) == "0002"
    provision(postgres.cluster, postgres.passwords, ["dated"])
    assert revision(postgres.cluster, "dated") is None
    with psycopg.connect(access(postgres.cluster, postgres.passwords, "dated").owner) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num text)")
        connection.execute("INSERT INTO alembic_version VALUES ('0002')")
    assert revision(postgres.cluster, "dated") == "0002"


def test_what_was_committed_survives_the_death_of_the_whole_server(fleeting: Path) -> None:
    cluster = cluster_in(fleeting, durable=True)
    cluster.create()
    server = subprocess.Popen(cluster.command(), stderr=subprocess.DEVNULL)
    until(cluster.answers)
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE TABLE told AS SELECT 7 AS number")
    server.kill()
    server.wait()
    with cluster.running(fleeting / "log"):
        assert answer(cluster.url("postgres"), "SELECT number FROM told") == 7


def test_a_note_of_a_process_that_is_another_program_now_is_no_obstacle(fleeting: Path) -> None:
    cluster = cluster_in(fleeting)
    cluster.create()
    note = cluster.data / "postmaster.pid"
    note.write_text(f"{os.getppid()}\n{cluster.data}\n0\n5432\n{cluster.sockets}\n\n0\n")
    with cluster.running(fleeting / "log"):
        assert cluster.answers()


def test_a_half_made_cluster_is_made_anew(fleeting: Path) -> None:
    (fleeting / "postgres.new").mkdir()
    (fleeting / "postgres.new" / "PG_VERSION").write_text("18")
    cluster = cluster_in(fleeting)
    with cluster.running(fleeting / "log"):
        assert cluster.answers()


@pytest.mark.skipif(os.getuid() != 0, reason="only root is ever made nobody")
def test_where_namespaces_are_forbidden_postgres_runs_as_nobody(
    fleeting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = cluster_in(fleeting)
    cluster.create()
    monkeypatch.setattr(process, "_namespaces_work", lambda: False)
    with cluster.running(fleeting / "log"):
        assert cluster.data.stat().st_uid == process.NOBODY
        server = int((cluster.data / "postmaster.pid").read_text().split()[0])
        assert Path(f"/proc/{server}").stat().st_uid == process.NOBODY
    monkeypatch.undo()
    with cluster.running(fleeting / "log"):
        assert cluster.data.stat().st_uid == 0


def test_postgres_goes_when_what_started_it_is_killed(fleeting: Path) -> None:
    cluster = cluster_in(fleeting)
    cluster.create()
    parent = subprocess.Popen(["sh", "-c", '"$@" & wait', "sh", *cluster.command()])
    until(cluster.answers)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until(lambda: not (cluster.data / "postmaster.pid").exists())
    assert not cluster.answers()


def test_valkey_keeps_itself_within_bounds_and_off_the_disk(valkey: ValkeyServer) -> None:
    with redis.Redis.from_url(valkey.url, decode_responses=True) as client:
        assert int(client.config_get("maxmemory")["maxmemory"]) == 256 << 20
        assert client.config_get("save") == {"save": ""}
        assert client.config_get("port") == {"port": "0"}


def test_valkey_forgets_when_it_is_flushed(valkey: ValkeyServer) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        client.set("ticket", "used")
        valkey.flush()
        assert client.get("ticket") is None


def test_every_signer_gets_a_pair_that_only_its_owner_can_read(tmp_path: Path) -> None:
    ensure_keys(tmp_path)
    for name in SIGNERS:
        private = tmp_path / "private" / f"{name}.pem"
        assert private.stat().st_mode & 0o777 == 0o600
        assert b"PRIVATE KEY" in private.read_bytes()
        assert b"PUBLIC KEY" in (tmp_path / "public" / f"{name}.pem").read_bytes()


def test_keys_are_made_once(tmp_path: Path) -> None:
    ensure_keys(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.pem")}
    ensure_keys(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.pem")} == before


def test_a_password_is_made_once_and_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "passwords.json"
    first = Passwords(path).of("identity_service")
    assert Passwords(path).of("identity_service") == first
    assert Passwords(path).of("identity_owner") != first
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_home_is_one_platforms_at_a_time(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with home.held("by the first"):
        second = home.held("by the second")
        with pytest.raises(Refusal, match="is in use: by the first"):
            second.__enter__()
    with home.held("by the second"):
        pass


def test_forgetting_leaves_what_is_not_the_platforms(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    write_private(home.passwords, b"{}")
    (tmp_path / "mine.txt").write_text("keep")
    home.forget()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_home_with_a_long_path_keeps_its_sockets_elsewhere(tmp_path: Path) -> None:
    long = Home(tmp_path / ("x" * 100))
    assert not long.sockets.is_relative_to(long.root)
    assert Home(Path("/h")).sockets == Path("/h/run")
