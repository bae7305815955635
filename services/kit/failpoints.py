"""Failpoints: places at which a test may have a real process die, stand still or fail.

`VERITICK_FAILPOINTS` arms them: `place=action`, joined by semicolons. An action is `kill` (as a
crash would), `exit` (with code 1), `error` or `sleep:SECONDS` (the whole process stands still), and
`@PROBABILITY` behind it makes it happen by chance:

    VERITICK_FAILPOINTS="writer.after_write=kill@0.02;worker.before_settle=sleep:5@0.1"

`clock=offset:SECONDS` puts the process's clock wrong. `VERITICK_FAILPOINTS_SEED` makes chance
repeatable. Production refuses to start with either; unarmed, a place costs one comparison.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from random import Random
from types import MappingProxyType

import structlog

from services.kit.clock import Clock, SystemClock

PLACES: Mapping[str, str] = MappingProxyType(
    {
        "writer.before_write": "a book's batch is decided, nothing of it was sent",
        "writer.after_write": "a book's batch is committed, nobody was told",
        "worker.before_decisions": "orders are decided, the decisions are not stored",
        "worker.before_settle": "decisions are stored, the book was not told",
        "worker.after_settle": "the book has closed orders, settlement has not looked at that",
        "worker.before_receipts": "the book's answer is examined, no receipt is stored",
        "relay.after_send": "entries are in Redis, the relay has not noted how far it came",
        "ingest.before_store": "ticks were heard, they are not stored",
        "ingest.after_store": "ticks are stored, nobody was shown them",
        "follower.after_effect": "an event had its effect, the position is not stored",
    }
)
"""Every place that can be armed, and what is true when a process gets there."""

CLOCK = "clock"
_log = structlog.stdlib.get_logger()


class FailpointError(BaseException):
    """What a place raises when it is armed with `error`.

    It stands for the end of what runs there: none of the exceptions that code recovers from.
    """


@dataclass(frozen=True)
class _Armed:
    act: Callable[[], None]
    probability: Decimal


class _Failpoints:
    """What is armed in this process."""

    def __init__(self, text: str, random: Random) -> None:
        self._random = random
        self.offset = timedelta(0)
        self._armed: dict[str, _Armed] = {}
        for item in filter(None, (part.strip() for part in text.split(";"))):
            self._arm(item)

    def _arm(self, item: str) -> None:
        place, _, rest = item.partition("=")
        action, _, chance = rest.partition("@")
        verb, _, argument = action.partition(":")
        if place == CLOCK and verb == "offset":
            self.offset = timedelta(seconds=float(_number(argument)))
            return
        if place not in PLACES:
            raise ValueError(f"there is no failpoint {place!r}")
        probability = _number(chance) if chance else Decimal(1)
        self._armed[place] = _Armed(_action(verb, argument, place), probability)

    def reached(self, place: str) -> None:
        armed = self._armed.get(place)
        if armed and self._random.random() < armed.probability:
            _log.warning("failpoint", place=place)
            armed.act()


@dataclass(frozen=True)
class _WrongClock:
    """A clock of this machine that someone set wrong."""

    offset: timedelta

    def now(self) -> datetime:
        return SystemClock().now() + self.offset

    def monotonic(self) -> float:
        return SystemClock().monotonic()


_failpoints: _Failpoints | None = None


def arm(text: str, seed: int | None) -> None:
    """Arm what `text` says in this process; nothing when it is empty. ValueError if malformed."""
    global _failpoints  # noqa: PLW0603  one process, one set of faults
    # The seed repeats a test's chance, so it must not be a better one.
    _failpoints = _Failpoints(text, Random(seed)) if text else None  # noqa: S311


def reached(place: str) -> None:
    """Fail here, if this place is armed."""
    if _failpoints is not None:
        _failpoints.reached(place)


def process_clock() -> Clock:
    """Return the clock of this machine, as right as it is meant to be."""
    if _failpoints is None or not _failpoints.offset:
        return SystemClock()
    return _WrongClock(_failpoints.offset)


def check(text: str) -> str:
    """Return the text if it can be armed; ValueError says why not."""
    _Failpoints(text, Random(0))  # noqa: S311
    return text


def _action(verb: str, argument: str, place: str) -> Callable[[], None]:
    if verb == "sleep":
        seconds = float(_number(argument))
        return lambda: time.sleep(seconds)
    if argument or verb not in _ACTIONS:
        raise ValueError(f"{place} can not {verb!r}: kill, exit, error or sleep:SECONDS")
    return _ACTIONS[verb]


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _exit() -> None:
    os._exit(1)


def _error() -> None:
    raise FailpointError("a failpoint was armed here")


_ACTIONS: Mapping[str, Callable[[], None]] = MappingProxyType(
    {"kill": _kill, "exit": _exit, "error": _error}
)


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is no number") from error
