"""How many orders travel together: as many as a book closes in a moment.

A book that closes orders places none meanwhile. While nobody wants to place any it closes many in
that moment; while somebody does, few, and a burst takes longer instead of those who trade.
"""

from __future__ import annotations

CHUNK_MIN, CHUNK_MAX = 64, 512
MOMENT_SECONDS = 0.04
_TOLERANCE = 1.5


class Pace:
    """The size of a chunk, which follows how long the last ones took."""

    def __init__(self) -> None:
        self._answered = 0.0
        self.size = CHUNK_MAX // 2
        """Orders in a chunk; never more than one call of BatchGetFixings may ask for."""

    def took(self, orders: int, sent: float, answered: float, *, others_wait: bool) -> None:
        """Learn that a book closed so many orders, told of them at one second, by another.

        It closes one chunk after the other: what was sent early waited for the one before it.
        `others_wait` tells that somebody else wanted something of it.
        """
        seconds = answered - max(sent, self._answered)
        self._answered = answered
        if others_wait or seconds > MOMENT_SECONDS * _TOLERANCE:
            self.size = max(CHUNK_MIN, self.size // 2)
        # A chunk that was not full tells nothing about fuller ones.
        elif seconds < MOMENT_SECONDS / _TOLERANCE and orders >= self.size:
            self.size = min(CHUNK_MAX, self.size * 2)
