"""The whole platform, run for a test the way a person runs it: `python -m services`."""

import os
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.local.home import Home, Refusal
from services.local.ports import Ports

READY_SECONDS = 180
STOP_SECONDS = 120
_LAST_LINES = 20


def _bases() -> Iterator[int]:
    """Yield first ports in no particular order, each once, and to one of pytest's workers only."""
    ports = range(20_000, 32_000, 20)  # below those the kernel gives to whoever asks for any
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    own = ports[worker :: int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))]
    yield from random.sample(own, len(own))


_BASES = _bases()
SHARED = ExitStack()
"""Holds the platform that tests share in this process; closed after the last of them."""

BUSY = {"CLOCK_SKEWED", "MARKET_VIEW_STALE", "TICK_TOO_OLD", "FEED_SILENT"}
"""What an order is answered for a moment where the machine is busy, before all else is judged."""

UNHISTORIED = {"VERITICK_GENERATED_PAST": "false"}
"""What a platform is told that shows nobody a chart: it starts with less to do."""


class Logged:
    """Something that runs for tests in processes of its own, which write logs."""

    logs: Path

    def last_words(self) -> str:
        """Return the end of every log, for whoever reads why a test failed."""
        return "\n".join(
            f"--- {path.stem}\n" + "\n".join(path.read_text().splitlines()[-_LAST_LINES:])
            for path in sorted(self.logs.glob("*.log"))
        )


@dataclass
class Platform(Logged):
    """A platform that runs; `lines` is what it has printed so far."""

    home: Path
    ports: Ports
    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)
    ready: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.logs = Home(self.home).logs

    @property
    def url(self) -> str:
        """Where the terminal and REST are."""
        return f"http://{self.ports.address('rest')}"

    def log(self, part: str) -> str:
        """Return what a part has said."""
        return (self.logs / f"{part}.log").read_text()

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
    """Return a first port such that all the platform's ports are free; never one twice."""
    for base in _BASES:
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
        except BaseException as error:
            error.add_note(platform.last_words())
            raise
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
