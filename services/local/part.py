"""A part of the platform: one process, described as data."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

Probe = Callable[[], Awaitable[bool]]
"""Asks a part whether it can do its work. False, or any failure to connect, means not now."""


@dataclass(frozen=True)
class Part:
    """A process that belongs to the platform.

    `command` and `environment` start it. It starts once every part it `needs` is well, and is well
    when its `probe` says so. A part that runs `once` has no probe: it is well when it has ended
    without error, and is started again only when it fails.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    probe: Probe | None = None
    once: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 15
    address: str = ""
    """Where a person may reach it; shown, not used."""


class State(Enum):
    """What a part is doing."""

    WAITING = "waiting"
    """For parts it needs."""
    STARTING = "starting"
    """It runs, and has not been well since."""
    WELL = "well"
    UNWELL = "unwell"
    """It runs, was well, and does not answer that it is now."""
    DOWN = "down"
    """It died; it will be started again."""
    DONE = "done"
    """It ran once and ended without error."""
    STOPPED = "stopped"
    """With the platform."""


@dataclass
class Condition:
    """How a part fares; `since` is in seconds of the supervisor's monotonic clock."""

    part: Part
    state: State = State.WAITING
    since: float = 0.0
    restarts: int = 0
    note: str = ""

    @property
    def fine(self) -> bool:
        """Whether others may count on it."""
        return self.state in {State.WELL, State.DONE}
