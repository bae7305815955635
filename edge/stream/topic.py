"""A topic: one subject of one journal, and the sockets that follow it.

What is missing is sequenced and filled once per topic, never once per socket.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Sequence

from edge.stream import frame
from edge.stream.channel import JournalChannel
from edge.stream.event import JournalEvent
from edge.stream.listener import Listener
from edge.stream.metrics import FRAMES_SENT, GAPS
from edge.stream.sequence import Sequencer

HELD_MAX = 1_000
RECENT_MAX = 64


class Topic:
    """Releases each event of a subject once and in order to everybody who follows it."""

    def __init__(self, channel: JournalChannel) -> None:
        self.channel = channel
        self.user_id = ""
        """For whom the journal is asked; set once it has answered for that user."""
        self.holders = 0
        """Who keeps the topic: subscriptions, also those still replaying."""
        self.recent: deque[JournalEvent] = deque(maxlen=RECENT_MAX)
        self.filling: asyncio.Task[None] | None = None
        self.fill_again = False
        self.revoked = False
        """Its owner says that it does not exist, or belongs to somebody else."""
        self.sequencer: Sequencer[JournalEvent] = Sequencer(HELD_MAX)
        self._floors: dict[Listener, int] = {}
        self._prefix = frame.event_prefix(channel.name)

    @property
    def listeners(self) -> Collection[Listener]:
        """Who receives events as they come."""
        return self._floors.keys()

    def learn(self, last: int) -> None:
        """Learn from the journal where the subject stands."""
        if self.sequencer.last is None:
            self._release(self.sequencer.start(last))
        self.sequencer.note(last)

    def offer(self, events: Sequence[JournalEvent]) -> None:
        """Take events from wherever they come, and send what is due."""
        self._release(self.sequencer.offer(events))

    def skip_to(self, sequence: int) -> None:
        """Go on after this sequence, and tell everybody that what lies before is not to be had."""
        self._tell_gap(sequence)
        self._release(self.sequencer.start(sequence))

    def restart(self, sequence: int) -> None:
        """Go back to this sequence: the journal has begun another life."""
        self._tell_gap(sequence)
        self.sequencer.restart(sequence)

    def join(self, listener: Listener, cursor: int) -> bool:
        """Let a listener that has everything up to `cursor` receive what comes after it.

        False when it lacks events that only the journal still has.
        """
        last = self.sequencer.last
        if last is not None and cursor < last:
            lacking = [event for event in self.recent if event.sequence > cursor]
            if not lacking or lacking[0].sequence != cursor + 1:
                return False
            for event in lacking:
                listener.deliver(self.frame_of(event))
            cursor = last
        self._floors[listener] = cursor
        return True

    def leave(self, listener: Listener) -> None:
        """Send a listener nothing more."""
        self._floors.pop(listener, None)

    def frame_of(self, event: JournalEvent) -> bytes:
        """Return an event as it is sent."""
        return frame.event(self._prefix, event.sequence, event.type, event.data)

    def _tell_gap(self, sequence: int) -> None:
        GAPS.inc()
        self.recent.clear()
        for listener, floor in self._floors.items():
            after = max(floor, self.sequencer.last or 0)
            listener.deliver(frame.gap(self.channel.name, after, sequence))
            self._floors[listener] = sequence

    def _release(self, events: Sequence[JournalEvent]) -> None:
        self.recent.extend(events)
        self._send(events)

    def _send(self, events: Sequence[JournalEvent]) -> None:
        """Send events that follow each other to everybody who does not have them."""
        if not events or not self._floors:
            return
        frames = [self.frame_of(event) for event in events]
        last = events[-1].sequence
        for listener, floor in list(self._floors.items()):
            if floor < last:
                due = frames[-(last - floor) :]
                listener.deliver(*due)
                FRAMES_SENT.inc(len(due))
