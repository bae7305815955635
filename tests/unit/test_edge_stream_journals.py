"""The hub of events against everything that can happen between a journal and a socket."""

import asyncio
from dataclasses import dataclass, field
from random import Random

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.stream.channel import JournalChannel
from edge.stream.event import JournalEvent
from edge.stream.journals import Bounds, Interrupted, Journals
from edge.stream.listener import Conflated
from edge.stream.neighbours import Page
from services.kit.errors import Failure
from services.kit.reason import Reason
from tests.waiting import PATIENCE_SECONDS

CHANNEL = JournalChannel("account:a", "demo", "account:a", private=True)
PAGE = 3


@dataclass
class Listing:
    """A journal in a list, which takes its time, lists few at once, and is away now and then."""

    random: Random
    events: list[JournalEvent] = field(default_factory=list)

    async def list_events(self, channel: JournalChannel, after: int | None, user_id: str) -> Page:
        for _ in range(self.random.randrange(4)):
            await asyncio.sleep(0)
        if channel.private and not user_id:
            raise Failure(Reason.UNKNOWN_CHANNEL, "nobody's")
        if self.random.random() < 0.2:
            raise Failure(Reason.UNAVAILABLE, "away")
        page = Page(self.events[after : after + PAGE] if after is not None else [], self.last)
        for _ in range(self.random.randrange(4)):
            await asyncio.sleep(0)
        return page

    @property
    def last(self) -> int:
        return len(self.events)

    def commit(self) -> JournalEvent:
        event = JournalEvent(self.last + 1, "balance.changed.v1", b"{}")
        self.events.append(event)
        return event


@dataclass(eq=False)
class Reader:
    """A socket that only listens."""

    after: int
    frames: list[dict[str, object]] = field(default_factory=list)

    def deliver(self, *frames: bytes) -> None:
        self.frames += map(orjson.loads, frames)

    def refresh(self, source: Conflated, frame: bytes) -> None:
        raise AssertionError("events are never conflated")

    def forget(self, source: Conflated) -> None:
        raise AssertionError("events are never conflated")

    def hint(self, frame: bytes) -> None:
        raise AssertionError("events are never hints")

    async def writable(self) -> None:
        await asyncio.sleep(0)

    @property
    def heard(self) -> list[int]:
        """The sequences of the events; anything but events and the answer is shown as negative."""
        return [
            int(str(frame["sequence"])) if frame["type"] == "balance.changed.v1" else -1
            for frame in self.frames
            if frame["type"] != "subscribed"
        ]


async def follow(journals: Journals, reader: Reader) -> None:
    """Subscribe, and again when the owner is away, as a session does."""
    while True:
        try:
            await journals.follow(CHANNEL, "u", reader.after, reader)
        except Failure as failure:
            if isinstance(failure, Interrupted):
                reader.after = failure.after
            await asyncio.sleep(0)
        else:
            return


ACTIONS = st.sampled_from(["happen", "happen", "lose", "repeat", "delay", "late", "join", "wait"])


async def play(script: list[str], seed: int) -> tuple[int, list[tuple[int, Reader]]]:
    random = Random(seed)
    listing = Listing(random)
    journals = Journals(listing, lambda _: None, random, Bounds(retry_seconds=0.0005))
    readers: list[tuple[int, Reader]] = []
    following: list[asyncio.Task[None]] = []
    delayed: list[JournalEvent] = []
    for action in script:
        match action:
            case "happen":
                journals.receive("demo", CHANNEL.subject, [listing.commit()])
            case "lose":
                listing.commit()
            case "delay":
                delayed.append(listing.commit())
            case "late" if delayed:
                late = delayed.pop(random.randrange(len(delayed)))
                journals.receive("demo", CHANNEL.subject, [late])
            case "repeat" if listing.events:
                journals.receive("demo", CHANNEL.subject, [random.choice(listing.events)])
            case "join":
                reader = Reader(random.randint(0, listing.last))
                readers.append((reader.after, reader))
                following.append(asyncio.create_task(follow(journals, reader)))
            case _:
                await asyncio.sleep(0)
    await asyncio.gather(*following)
    # As the reader of Redis does when it is in doubt.
    journals.check("demo")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not all(after + len(reader.heard) >= listing.last for after, reader in readers):
            await asyncio.sleep(0.001)
    for _ in range(20):
        await asyncio.sleep(0)
    await journals.close()
    return listing.last, readers


@settings(max_examples=150)
@given(st.lists(ACTIONS, max_size=60), st.integers(0, 2**32))
def test_every_reader_hears_each_event_once_and_in_order(script: list[str], seed: int) -> None:
    last, readers = asyncio.run(play(script, seed))
    for after, reader in readers:
        assert reader.heard == list(range(after + 1, last + 1))


async def test_a_subject_that_nobody_follows_any_more_costs_nothing() -> None:
    listing = Listing(Random(1))
    asked: list[str] = []
    journals = Journals(listing, asked.append, Random(1))
    reader, topic = Reader(0), None
    while topic is None:
        try:
            topic = await journals.follow(CHANNEL, "u", 0, reader)
        except Failure:
            assert CHANNEL.subject not in journals.followed("demo")
    assert asked == ["demo"]
    assert CHANNEL.subject in journals.followed("demo")
    journals.unfollow(topic, reader)
    assert CHANNEL.subject not in journals.followed("demo")
    await journals.close()


@dataclass
class Crowded:
    """A journal that is asked by a crowd, and counts."""

    asked: int = 0
    at_once: int = 0
    most_at_once: int = 0

    async def list_events(self, channel: JournalChannel, after: int | None, user_id: str) -> Page:
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        for _ in range(3):
            await asyncio.sleep(0)
        self.at_once -= 1
        return Page([], 7)


async def crowd(source: Crowded, channels: list[JournalChannel], after: int | None) -> list[Reader]:
    """Let one follow each channel, all at once."""
    journals = Journals(source, lambda _: None, Random(1), Bounds(opening_max=8))
    readers = [Reader(0) for _ in channels]
    pairs = zip(channels, readers, strict=True)
    await asyncio.gather(*(journals.follow(channel, "u", after, r) for channel, r in pairs))
    await journals.close()
    return readers


async def test_a_crowd_that_comes_back_at_once_asks_a_few_at_a_time() -> None:
    source = Crowded()
    names = [f"account:{number}" for number in range(500)]
    channels = [JournalChannel(name, "demo", name, private=True) for name in names]
    readers = await crowd(source, channels, after=7)
    assert [[frame["type"] for frame in reader.frames] for reader in readers] == [
        ["subscribed"] for _ in names
    ]
    assert (source.asked, source.most_at_once) == (500, 8)


async def test_the_present_of_a_public_channel_is_asked_for_by_few() -> None:
    source = Crowded()
    public = JournalChannel("payouts:demo", "demo", "payouts", private=False)
    readers = await crowd(source, [public] * 500, after=None)
    assert all(reader.frames[0]["sequence"] == "7" for reader in readers)
    assert source.asked <= 8


@given(st.integers(0, 2**32))
def test_a_doubt_while_a_channel_is_being_opened_does_not_take_it_away(seed: int) -> None:
    async def play_it() -> list[int]:
        listing, reader = Listing(Random(seed)), Reader(0)
        journals = Journals(listing, lambda _: None, Random(seed))
        following = asyncio.create_task(follow(journals, reader))
        while not following.done():
            journals.check("demo")
            await asyncio.sleep(0)
        journals.receive("demo", CHANNEL.subject, [listing.commit()])
        await journals.close()
        return reader.heard

    assert asyncio.run(play_it()) == [1]
