"""Processes that a test starts, hurts and starts again."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_STOP_SECONDS = 30
_AGAIN_SECONDS = 0.1


class Process:
    """One process of the platform, started again whenever it dies, as a supervisor would.

    It lives from `start` to `stop`, in as many lives as it takes.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        seed: int,
    ) -> None:
        self.name = name
        self.deaths = 0
        self._command = list(command)
        self._environment = dict(environment)
        self._log = log
        self._seed = seed
        self._lives = 0
        self._wanted = False
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: threading.Thread | None = None

    @property
    def pid(self) -> int:
        """The process that lives now, or was the last to."""
        assert self._process is not None
        return self._process.pid

    def start(self, **changes: str | None) -> None:
        """Start it, with these changes to its environment from now on; None takes one away."""
        for name, value in changes.items():
            if value is None:
                self._environment.pop(name, None)
            else:
                self._environment[name] = value
        self._wanted = True
        self._begin()
        self._keeper = threading.Thread(target=self._keep, name=self.name, daemon=True)
        self._keeper.start()

    def restart(self, **changes: str | None) -> None:
        """Stop it, and start it with these changes."""
        self.stop()
        self.start(**changes)

    def kill(self) -> None:
        """End it as a crash would; it comes back."""
        os.kill(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """End it as a crash would; it stays away until it is started."""
        self._wanted = False
        self.kill()
        self._await_keeper()

    def pause(self) -> None:
        """Let it stand still."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end, and wait until it has."""
        self._wanted = False
        if self._process is not None and self._process.poll() is None:
            self.resume()
            self._process.send_signal(how)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._await_keeper()

    def _begin(self) -> None:
        # Another one for each life: not every life shall end at the same place.
        seed = {"VERITICK_FAILPOINTS_SEED": str(self._seed + self._lives)}
        self._lives += 1
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env={**os.environ, **self._environment, **seed},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _keep(self) -> None:
        while self._process is not None:
            self._process.wait()
            if not self._wanted:
                return
            self.deaths += 1
            time.sleep(_AGAIN_SECONDS)
            if self._wanted:
                self._begin()

    def _await_keeper(self) -> None:
        if self._keeper is not None:
            self._keeper.join()
            self._keeper = None
