"""Reading a journal's stream: in order for each subject, whatever else is in it, and in turns."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from random import Random
from typing import Any, cast

from redis.asyncio import Redis

from edge.stream.event import JournalEvent
from edge.stream.journals import Journals
from edge.stream.relay import JournalReader
from services.kit.clock import SystemClock
from services.kit.stream import entry_id, heading, position_of, read_heading
from services.kit.tasks import end_tasks
from tests.waiting import eventually
from veritick.event.v1.event_pb2 import BalanceChanged, Event

SUBJECTS = [f"account:demo_{number}" for number in range(100)]
EVENT = Event(balance_changed=BalanceChanged()).SerializeToString()
KIND = "balance.changed.v1"

Entry = tuple[bytes, list[bytes]]


class Stream:
    """A stream in a list, as Redis answers for it."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.grown = asyncio.Event()

    def add(self, *field: bytes) -> None:
        self.entries.append((entry_id(len(self.entries) + 1).encode(), list(field)))

    def happen(self, subject: str, sequence: int, event: bytes = EVENT) -> None:
        self.add(heading(subject, sequence, KIND).encode(), event)

    def set_response_callback(self, *_: object) -> None: ...

    async def set(self, *_: object, **__: object) -> None: ...

    async def expire(self, *_: object) -> bool:
        return True

    async def xrevrange(self, *_: object, **__: object) -> list[Entry]:
        return []

    async def execute_command(self, *arguments: Any) -> Any:
        after = position_of(arguments[-1].encode())
        if not self.entries[after:]:
            await self.grown.wait()
        return [[b"journal:demo", self.entries[after:]]]


class Hub:
    """What a reader hands events to; every subject but one is followed."""

    def __init__(self) -> None:
        self.heard: dict[str, list[int]] = defaultdict(list)
        self.doubts = -1  # the first is the reader's beginning

    def followed(self, _: str) -> Collection[str]:
        return SUBJECTS[1:]

    def check(self, _: str) -> None:
        self.doubts += 1

    def receive(self, _: str, subject: str, events: Sequence[JournalEvent]) -> None:
        self.heard[subject] += [event.sequence for event in events]


async def read(stream: Stream, events: int) -> tuple[Hub, int]:
    """Read a stream until so many events are heard; also return how often others had the loop."""
    hub = Hub()
    reader = JournalReader(
        "demo",
        *(cast("Redis", stream), cast("Journals", hub), SystemClock(), Random(1), "mark", 1.0),
    )
    turns = 0

    async def wait_in_turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += bool(hub.heard)

    tasks = [asyncio.create_task(reader.run()), asyncio.create_task(wait_in_turn())]
    try:
        await eventually(lambda: sum(map(len, hub.heard.values())) >= events)
        return hub, turns
    finally:
        await end_tasks(tasks)


async def test_a_burst_is_read_in_order_and_lets_others_have_their_turn() -> None:
    stream = Stream()
    for sequence in range(1, 21):
        for subject in SUBJECTS:
            stream.happen(subject, sequence)
    hub, turns = await read(stream, 20 * (len(SUBJECTS) - 1))
    assert hub.heard == {subject: list(range(1, 21)) for subject in SUBJECTS[1:]}
    assert hub.doubts == 0
    assert turns >= 5


async def test_what_cannot_be_read_is_asked_of_the_journal_once_and_the_rest_goes_on() -> None:
    stream = Stream()
    stream.happen(SUBJECTS[1], 1)
    stream.add(b"no heading", EVENT)
    stream.add(b"subject", b"and", b"more", b"fields")
    stream.happen(SUBJECTS[2], 1, b"\xff")
    stream.happen(SUBJECTS[1], 2)
    hub, _ = await read(stream, 2)
    assert hub.heard[SUBJECTS[1]] == [1, 2]
    assert hub.doubts == 2


async def test_entries_of_the_build_before_are_read_as_well() -> None:
    stream = Stream()
    names_and_values = {"subject": SUBJECTS[1], "sequence": "1", "type": KIND, "time": "then"}
    words = [word.encode() for pair in names_and_values.items() for word in pair]
    stream.add(*words, b"payload", EVENT)
    stream.happen(SUBJECTS[1], 2)
    hub, _ = await read(stream, 2)
    assert hub.heard[SUBJECTS[1]] == [1, 2]
    assert hub.doubts == 0


def test_a_heading_is_read_as_it_was_written() -> None:
    for subject in ("instruments", "account:demo_1", "a subject of several words", ""):
        assert read_heading(heading(subject, 12, KIND).encode()) == (subject, 12, KIND)
