"""The whole platform, run for a test the way a person runs it: `python -m services`."""

import os
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.local.home import Home, Refusal
from services.local.ports import Ports

READY_SECONDS = 90
STOP_SECONDS = 60
_PORTS = range(20_000, 32_000, 20)  # below those the kernel gives to whoever asks for any


@dataclass
class Platform:
    """A platform that runs; `lines` is what it has printed so far."""

    home: Path
    ports: Ports
    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)
    ready: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where the terminal and REST are."""
        return f"http://{self.ports.address('rest')}"

    def log(self, part: str) -> str:
        """Return what a part has said."""
        return (Home(self.home).logs / f"{part}.log").read_text()

    def read(self) -> None:
        """Follow what it prints, until it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line == f"ready {self.url}\n":
                self.ready.set()

    def await_ready(self) -> None:
        """Wait for the ready line; fail with everything that was said instead."""
        assert self.ready.wait(READY_SECONDS), "never ready:\n" + "\n".join(self.lines)


def free_base() -> int:
    """Return a first port such that all the platform's ports are free."""
    for base in random.sample(_PORTS, len(_PORTS)):
        try:
            Ports(base).require_free()
        except Refusal:
            continue
        return base
    raise AssertionError("no ports are free")


@contextmanager
def running_platform(
    home: Path | None = None,
    environment: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
) -> Iterator[Platform]:
    """Run a platform until the context is left, from the moment it is ready.

    Without `home` it forgets everything afterwards.
    """
    with tempfile.TemporaryDirectory(prefix="veritick-") as temporary:
        platform = _started(home or Path(temporary) / "home", environment or {}, arguments)
        reader = threading.Thread(target=platform.read, daemon=True)
        reader.start()
        try:
            platform.await_ready()
            yield platform
        finally:
            platform.process.terminate()
            platform.process.wait(STOP_SECONDS)
            reader.join()


def _started(home: Path, environment: Mapping[str, str], arguments: Sequence[str]) -> Platform:
    base = free_base()
    own = {"VERITICK_HOME": str(home), "VERITICK_PORT": str(base)}
    process = subprocess.Popen(
        [sys.executable, "-m", "services", *arguments],
        env={**os.environ, **own, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Platform(home, Ports(base), process)
