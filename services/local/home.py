"""The folder in which one machine keeps its platform."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_LONGEST_SOCKET_PATH = 100  # the kernel allows 107 bytes; the rest is for the socket's own name
_LONGEST_SOCKET_NAME = len("/.s.PGSQL.5432.lock")


class Refusal(Exception):
    """The platform cannot start here; the message says why and what to do, in one line."""


@dataclass(frozen=True)
class Home:
    """Where everything of one platform lies, in folders that are their owner's only."""

    root: Path

    @property
    def postgres(self) -> Path:
        """The data directory of the embedded Postgres."""
        return self.root / "postgres"

    @property
    def keys(self) -> Path:
        """The signing keys of the services: `private/<name>.pem` and `public/<name>.pem`."""
        return self.root / "keys"

    @property
    def prices(self) -> Path:
        """Where the simulated market keeps its last prices."""
        return self.root / "prices"

    @property
    def documents(self) -> Path:
        """What users handed in, sealed."""
        return self.root / "documents"

    @property
    def logs(self) -> Path:
        """One log per part."""
        return self.root / "logs"

    @property
    def passwords(self) -> Path:
        """The passwords of the database roles."""
        return self.root / "passwords.json"

    @property
    def lock(self) -> Path:
        """Held by the platform that runs here, which writes into it who it is."""
        return self.root / "lock"

    @property
    def sockets(self) -> Path:
        """The folder of the databases' sockets; elsewhere when this path is too long for one."""
        inside = self.root / "run"
        if len(os.fsencode(inside)) + _LONGEST_SOCKET_NAME <= _LONGEST_SOCKET_PATH:
            return inside
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"veritick-{os.getuid()}-{name}"

    def prepare(self) -> None:
        """Make the folders, closed to everyone else.

        Raises `Refusal` when the folder of the sockets belongs to somebody else.
        """
        for folder in (self.root, self.logs, self.sockets):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.stat().st_uid != os.getuid():
                raise Refusal(f"{folder} belongs to another user: name another VERITICK_HOME")
            folder.chmod(0o700)

    @contextmanager
    def held(self, holder: str) -> Iterator[None]:
        """Hold this home for one platform, described by `holder`.

        Raises `Refusal` when another one holds it. The lock goes with the process, so a platform
        that was killed leaves none behind.
        """
        self.prepare()
        with self.lock.open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise Refusal(f"{self.root} is in use: {file.read().strip()}") from None
            file.truncate(0)
            file.write(holder + "\n")
            file.flush()
            yield
            file.truncate(0)

    def forget(self) -> None:
        """Delete everything the platform keeps here, and nothing else that may lie beside it."""
        kept = (self.postgres, self.keys, self.prices, self.documents, self.logs, self.sockets)
        for folder in kept:
            shutil.rmtree(folder, ignore_errors=True)
        self.passwords.unlink(missing_ok=True)
        self.lock.unlink(missing_ok=True)
        if not any(self.root.iterdir()):
            self.root.rmdir()


def write_private(path: Path, content: bytes) -> None:
    """Write a file only its owner can read, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
