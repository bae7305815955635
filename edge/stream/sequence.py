"""Each event of a subject once and in order, however its delivery loses, doubles or reorders."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar


class Sequenced(Protocol):
    """Something that has its place in a sequence that counts from 1 without gaps."""

    @property
    def sequence(self) -> int:
        """Its place."""


E = TypeVar("E", bound=Sequenced)


class Sequencer(Generic[E]):
    """Holds back what came too early, drops what came twice, and knows when something is missing.

    Before `start` it holds everything. It holds at most `held_max` entries: one more is dropped
    and counts as missing, to be asked for again.
    """

    def __init__(self, held_max: int) -> None:
        self._held: dict[int, E] = {}
        self._held_max = held_max
        self._known = 0
        self._last: int | None = None

    @property
    def last(self) -> int | None:
        """The last sequence released; None before the start."""
        return self._last

    @property
    def missing(self) -> bool:
        """Whether an event is known to exist that could not be released yet."""
        return self._last is None or self._known > self._last

    def start(self, last: int) -> list[E]:
        """Begin, or go on, after this sequence; return what can be released."""
        self._last = last
        self._held = {place: entry for place, entry in self._held.items() if place > last}
        return self._release(last)

    def note(self, last: int) -> None:
        """Learn that the subject has reached this sequence."""
        self._known = max(self._known, last)

    def offer(self, entries: Iterable[E]) -> list[E]:
        """Take entries in any order; return those that can be released now, in order."""
        released = []
        for entry in entries:
            if not self._held and self._last is not None and entry.sequence == self._last + 1:
                # As almost all of them come.
                self._last = entry.sequence
                self.note(self._last)
                released.append(entry)
                continue
            self._take(entry)
            # At once, so that what is due never waits behind what is held.
            if self._last is not None:
                released += self._release(self._last)
        return released

    def restart(self, last: int) -> None:
        """Begin again after this sequence, and believe in nothing heard of so far beyond it."""
        self._held.clear()
        self._known = self._last = last

    def _take(self, entry: E) -> None:
        if self._last is not None and entry.sequence <= self._last:
            return
        self.note(entry.sequence)
        due = self._last is not None and entry.sequence == self._last + 1
        if due or entry.sequence in self._held or len(self._held) < self._held_max:
            self._held[entry.sequence] = entry

    def _release(self, last: int) -> list[E]:
        released = []
        while (entry := self._held.pop(last + 1, None)) is not None:
            released.append(entry)
            last += 1
        self._last = last
        return released
