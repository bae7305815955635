"""How patiently a client tries again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Bounded exponential backoff; all in seconds.

    The wait doubles with each attempt up to the longest, and is made shorter by chance, by up to a
    half, so that clients that were cut off together do not come back together.
    """

    attempts_max: int = 8
    first_seconds: float = 0.1
    longest_seconds: float = 2.0
    chance: Callable[[], float] = random.random

    def wait_seconds(self, attempt: int, asked_seconds: float = 0) -> float:
        """Return how long to wait after a failed attempt, counted from 1.

        Never shorter than the platform asked for, up to a minute.
        """
        doubled = self.first_seconds * 2.0 ** min(attempt - 1, 30)
        wait = min(doubled, self.longest_seconds) * (1 - self.chance() / 2)
        return max(wait, min(asked_seconds, 60.0))
