"""The hub of events: journals, their subjects, and the sockets that follow them.

Loses nothing and repeats nothing, because a follower is held to the sequences of its subject:
an event that came twice is dropped, one that is missing is asked for from the journal, and
whenever Redis cannot be trusted the journal is asked about every subject that anybody follows,
for after the last event no successor would reveal that it was lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from random import Random

import structlog

from edge.stream import frame
from edge.stream.channel import JournalChannel
from edge.stream.event import JournalEvent
from edge.stream.listener import Listener
from edge.stream.metrics import FILLS, FRAMES_SENT, GAPS
from edge.stream.neighbours import PAGE_SIZE, JournalSource, Page, unknown_channel
from edge.stream.topic import Topic
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.tasks import end_tasks

_log = structlog.stdlib.get_logger()


class Interrupted(Failure):
    """A replay was cut short: its listener has been sent everything up to `after`."""

    def __init__(self, failure: Failure, after: int) -> None:
        super().__init__(failure.reason, failure.message, metadata=failure.metadata)
        self.after = after


class _Filled(Enum):
    """What one answer of the journal brought of what was missing."""

    ALL = auto()
    SOME = auto()
    NOTHING = auto()


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far the journal is asked for what is missing, and how eagerly."""

    events_max: int = 10_000
    """More than so many are a gap: a client is better off to fetch the present state."""

    asking_max: int = 16
    """Questions about missing events under way at once."""

    opening_max: int = 32
    """Questions under way at once on behalf of those who begin to follow: a crowd that comes back
    waits for its turn here, where a journal's owner would refuse most of it."""

    retry_seconds: float = 0.25
    retry_seconds_max: float = 5.0


class Journals:
    """Follows subjects of journals on behalf of sockets."""

    def __init__(
        self,
        source: JournalSource,
        read: Callable[[str], None],
        random: Random,
        bounds: Bounds | None = None,
    ) -> None:
        """Ask `source`; `read` is told each journal whose stream is needed from now on."""
        self._source = source
        self._read = read
        self._random = random
        self._bounds = bounds or Bounds()
        self._topics: dict[str, dict[str, Topic]] = {}
        self._asking = asyncio.Semaphore(self._bounds.asking_max)
        self._opening = asyncio.Semaphore(self._bounds.opening_max)
        self._tasks: set[asyncio.Task[None]] = set()

    # What sockets ask.

    async def follow(
        self, channel: JournalChannel, user_id: str, after: int | None, listener: Listener
    ) -> Topic:
        """Send a listener what happened after a sequence, then what happens, until `unfollow`.

        Failure UNKNOWN_CHANNEL, UNAVAILABLE or DEADLINE_EXCEEDED, and then nothing is followed;
        when it is Interrupted, another attempt goes on after what was sent already.
        """
        topic = self._hold(channel)
        try:
            page = await self._listed(topic, after, user_id)
            self._opened(topic, user_id, page)
            listener.deliver(frame.subscribed(channel.name, page.last))
            await self._replay(topic, user_id, after, page, listener)
        except BaseException:
            self._let_go(topic)
            raise
        return topic

    def unfollow(self, topic: Topic, listener: Listener) -> None:
        """Send a listener that was following nothing more."""
        topic.leave(listener)
        self._let_go(topic)

    # What Redis brings.

    def followed(self, journal: str) -> Collection[str]:
        """Return the subjects that anybody follows: events of others need not even be decoded."""
        return self._topics.get(journal, {}).keys()

    def receive(self, journal: str, subject: str, events: Sequence[JournalEvent]) -> None:
        """Take events of a subject that were published."""
        if topic := self._topic(journal, subject):
            topic.offer(events)
            # Before its start a topic is being asked about anyway.
            if topic.sequencer.last is not None and topic.sequencer.missing:
                self._ask(topic)

    def check(self, journal: str) -> None:
        """Ask the journal about every subject that is followed: events may have been lost."""
        for topic in list(self._topics.get(journal, {}).values()):
            if topic.user_id or not topic.channel.private:
                self._ask(topic)
            else:  # being opened: nobody is known yet for whom to ask
                topic.fill_again = True

    def heartbeat_topics(self) -> Iterable[Topic]:
        """Return the topics that have listeners and know where they stand."""
        topics = [topic for subjects in self._topics.values() for topic in subjects.values()]
        return [topic for topic in topics if topic.listeners and topic.sequencer.last is not None]

    async def close(self) -> None:
        """Stop asking."""
        await end_tasks(self._tasks)

    # Replaying to one listener.

    async def _replay(
        self, topic: Topic, user_id: str, after: int | None, page: Page, listener: Listener
    ) -> None:
        name = topic.channel.name
        cursor = page.last if after is None else after
        if cursor > page.last or page.last - cursor > self._bounds.events_max:
            # From another life of the journal, or too long ago.
            GAPS.inc()
            listener.deliver(frame.gap(name, cursor, page.last))
            cursor = page.last
        for _ in range(2 * self._bounds.events_max // PAGE_SIZE):
            cursor = await self._send_page(topic, page, cursor, listener)
            if cursor >= page.last and topic.join(listener, cursor):
                return
            try:
                page = await self._listed(topic, cursor, user_id)
            except Failure as failure:
                raise Interrupted(failure, cursor) from failure
            topic.learn(page.last)
        too_fast = "The channel moves faster than it can be replayed."
        raise Interrupted(Failure(Reason.UNAVAILABLE, too_fast), cursor)

    async def _listed(self, topic: Topic, after: int | None, user_id: str) -> Page:
        """Ask the journal for somebody, in turn; not for the present of what all may read."""
        async with self._opening:
            present = topic.sequencer.last
            if after is None and present is not None and not topic.channel.private:
                return Page((), present)
            return await self._source.list_events(topic.channel, after, user_id)

    async def _send_page(self, topic: Topic, page: Page, cursor: int, listener: Listener) -> int:
        name = topic.channel.name
        for event in page.events:
            if event.sequence <= cursor:
                continue
            await listener.writable()
            if event.sequence > cursor + 1:
                GAPS.inc()
                listener.deliver(frame.gap(name, cursor, event.sequence - 1))
            listener.deliver(topic.frame_of(event))
            FRAMES_SENT.inc()
            cursor = event.sequence
        if not page.events and cursor < page.last:
            GAPS.inc()
            listener.deliver(frame.gap(name, cursor, page.last))
            cursor = page.last
        return cursor

    # Topics.

    def _topic(self, journal: str, subject: str) -> Topic | None:
        return self._topics.get(journal, {}).get(subject)

    def _hold(self, channel: JournalChannel) -> Topic:
        subjects = self._topics.setdefault(channel.journal, {})
        topic = subjects.get(channel.subject)
        if topic is None:
            topic = subjects[channel.subject] = Topic(channel)
        topic.holders += 1
        return topic

    def _let_go(self, topic: Topic) -> None:
        topic.holders -= 1
        if topic.holders == 0:
            self._drop(topic)

    def _drop(self, topic: Topic) -> None:
        subjects = self._topics.get(topic.channel.journal, {})
        if subjects.get(topic.channel.subject) is topic:
            del subjects[topic.channel.subject]
            if not subjects:
                del self._topics[topic.channel.journal]
        if topic.filling and topic.filling is not asyncio.current_task():
            topic.filling.cancel()

    def _opened(self, topic: Topic, user_id: str, page: Page) -> None:
        """Remember that the journal has answered for this user, and what it said."""
        topic.user_id = topic.user_id or user_id
        self._read(topic.channel.journal)
        topic.learn(page.last)
        topic.offer(page.events)
        if topic.sequencer.missing or topic.fill_again:
            self._ask(topic)

    # Asking the journal for what is missing.

    def _ask(self, topic: Topic) -> None:
        if topic.filling is not None:
            topic.fill_again = True
            return
        topic.filling = asyncio.create_task(self._fill(topic))
        self._tasks.add(topic.filling)
        topic.filling.add_done_callback(self._tasks.discard)

    async def _fill(self, topic: Topic) -> None:
        """Ask until nothing is missing; one such task at most per topic."""
        delay = self._bounds.retry_seconds
        try:
            while topic.holders:
                topic.fill_again = False
                outcome = await self._fill_once(topic)
                if outcome is _Filled.ALL and not topic.fill_again:
                    break
                if outcome is _Filled.NOTHING:
                    await asyncio.sleep(delay * self._random.uniform(0.5, 1.0))
                    delay = min(2 * delay, self._bounds.retry_seconds_max)
        finally:
            topic.filling = None

    async def _fill_once(self, topic: Topic) -> _Filled:
        FILLS.inc()
        after = topic.sequencer.last
        try:
            async with self._asking:
                page = await self._source.list_events(topic.channel, after, topic.user_id)
        except Failure as failure:
            if failure.reason == Reason.UNKNOWN_CHANNEL:
                self._revoke(topic)
                return _Filled.ALL
            return _Filled.NOTHING
        self._read(topic.channel.journal)
        self._take(topic, page, after)
        if not topic.sequencer.missing:
            return _Filled.ALL
        return _Filled.NOTHING if topic.sequencer.last == after else _Filled.SOME

    def _take(self, topic: Topic, page: Page, after: int | None) -> None:
        """Bring a topic up to what the journal answered when asked about `after`."""
        if after is None:
            topic.learn(page.last)
            return
        if page.last < after or (page.last == after == topic.sequencer.last):
            # The journal knows nothing later. What was published beyond it since it was asked
            # is asked for again; what it still does not know then is of another life of it.
            self._settle(topic, page.last, after)
            return
        now = topic.sequencer.last or 0
        first = page.events[0].sequence if page.events else page.last + 1
        if first > now + 1 or page.last - now > self._bounds.events_max:
            topic.skip_to(max(first - 1, page.last - self._bounds.events_max))
        topic.learn(page.last)
        topic.offer(page.events)

    def _settle(self, topic: Topic, last: int, after: int) -> None:
        if last < after:
            topic.restart(last)
        elif topic.sequencer.missing:
            topic.sequencer.restart(last)
            topic.fill_again = True

    def _revoke(self, topic: Topic) -> None:
        """Tell everybody that a channel is no more theirs."""
        failure = unknown_channel(topic.channel.name)
        _log.info("a channel was revoked", channel=topic.channel.name)
        topic.revoked = True
        for listener in list(topic.listeners):
            listener.deliver(frame.error(failure, topic.channel.name))
            topic.leave(listener)
        self._drop(topic)
