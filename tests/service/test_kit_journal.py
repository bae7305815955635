"""The journal: events in an order without gaps, told to every reader, with one effect each."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kit.channels import Channels
from services.kit.clock import SystemClock
from services.kit.database import Database
from services.kit.follower import Follower
from services.kit.journal import Journal, new_event
from services.kit.journal_face import JournalFace
from services.kit.process import Application, serving
from services.kit.reason import Reason
from services.kit.settings import DatabaseSettings, ServiceSettings
from services.kit.tokens import Keyring
from services.local.keys import ensure_keys
from services.local.ports import Ports
from tests.platform import free_base
from tests.service.kit_databases import Databases
from tests.service.kit_events import NOON, append, append_many, cancelled, event
from tests.service.kit_rpc import refusal
from tests.waiting import eventually
from veritick.event.v1.event_pb2 import Event
from veritick.journal.v1.journal_service_pb2 import (
    JournalEntry,
    ListEventsRequest,
    SubjectPlace,
    WatchJournalRequest,
)
from veritick.journal.v1.journal_service_pb2_grpc import (
    JournalServiceStub,
    add_JournalServiceServicer_to_server,
)

pytest_plugins = ["tests.service.kit_fixtures"]

OWNER = UUID("01a209d1-efa8-70a2-9430-cb29a9d3bcb3")
STRANGER = UUID(int=99)
SUBJECTS = [f"user:{number}" for number in range(5)]


@pytest.fixture
def journal(kit_database: Database) -> Journal:
    # The name of one that is served elsewhere, so that the contract's channel may carry it.
    return Journal("identity", kit_database)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    ensure_keys(folder)
    return folder


async def test_an_event_is_found_as_it_was_appended(
    journal: Journal, kit_database: Database
) -> None:
    position = await append(journal, kit_database, event("user:1", "x"), event("user:2", "y"))
    entries = await journal.read(0, 10)
    assert position == 2
    assert [(e.position, e.subject, e.sequence, e.type) for e in entries] == [
        (1, "user:1", 1, "user.changed.v1"),
        (2, "user:2", 1, "user.changed.v1"),
    ]
    assert [Event.FromString(e.payload).user_changed.user.user_id for e in entries] == ["x", "y"]
    assert {entry.time for entry in entries} == {NOON}
    assert await journal.last_position() == 2
    assert [await journal.last_sequence(subject) for subject in ("user:1", "user:9")] == [1, 0]


async def test_positions_and_sequences_have_no_gap_and_appear_in_order(
    journal: Journal, kit_database: Database
) -> None:
    random = Random(7)
    done = asyncio.Event()
    appended = Counter[str]()

    async def appender() -> None:
        for _ in range(15):
            subjects = [random.choice(SUBJECTS) for _ in range(random.randint(1, 4))]
            with suppress(ZeroDivisionError):
                async with kit_database.transaction() as connection:
                    await journal.append(connection, [event(s) for s in subjects], NOON)
                    await asyncio.sleep(random.random() / 200)
                    # One in four gives up, after it has taken its places.
                    1 / random.randint(0, 3)
                appended.update(subjects)

    async def reader() -> list[int]:
        """Read as a follower does: never looking back."""
        seen = [0]
        while not (finished := done.is_set()) or len(seen) <= appended.total():
            entries = await journal.read(seen[-1], 7)
            if finished and not entries:
                break
            seen += [entry.position for entry in entries]
        return seen

    readers = [asyncio.create_task(reader()) for _ in range(3)]
    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(appender())
    done.set()
    everything = list(range(appended.total() + 1))
    assert await asyncio.gather(*readers) == [everything] * 3
    sequences = defaultdict[str, list[int]](list)
    for entry in await journal.read(0, 10_000):
        sequences[entry.subject].append(entry.sequence)
    assert sequences == {subject: list(range(1, n + 1)) for subject, n in appended.items()}


async def test_one_subject_is_read_after_a_sequence(
    journal: Journal, kit_database: Database
) -> None:
    await append(journal, kit_database, *(event(f"user:{n % 2}", str(n)) for n in range(8)))
    entries = await journal.read_subject("user:1", 1, 2)
    assert [(entry.sequence, entry.position) for entry in entries] == [(2, 4), (3, 6)]


@pytest.mark.parametrize(
    "change", ["UPDATE journal SET type = 'x'", "DELETE FROM journal", "TRUNCATE journal"]
)
def test_the_service_can_change_nothing_that_happened(
    kit_settings: DatabaseSettings, change: str
) -> None:
    with (
        psycopg.connect(kit_settings.database_url.get_secret_value()) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(change.encode())


@asynccontextmanager
async def served(
    journal: Journal, keys: Path, caller: str = "edge", listen: str = "127.0.0.1:0"
) -> AsyncIterator[tuple[Any, str]]:
    """Serve a journal; lend a stub and the address."""

    async def owns(_: str, subject: str, user: UUID | None) -> bool:
        return user == OWNER and subject == "user:0"

    face = JournalFace({journal.name: journal}, owns)
    application = Application(
        Keyring.load(keys, None), [(add_JournalServiceServicer_to_server, face)]
    )
    settings = ServiceSettings(mode="development", listen=listen, drain_seconds=0)
    async with (
        serving("identity", settings, application) as running,
        channels(keys, caller).to("identity", running.address) as channel,
    ):
        yield JournalServiceStub(channel), running.address


def channels(keys: Path, caller: str) -> Channels:
    return Channels(Keyring.load(keys, caller), SystemClock())


async def test_a_watcher_hears_what_was_and_what_comes(
    journal: Journal, kit_database: Database, keys: Path
) -> None:
    await append_many(journal, kit_database, 3)
    async with served(journal, keys) as (stub, _):
        watch = stub.WatchJournal(WatchJournalRequest(journal="identity", after_position=1))
        past = (await watch.read()).entries
        await append_many(journal, kit_database, 2)
        coming = (await watch.read()).entries
        watch.cancel()
    assert [entry.position for entry in (*past, *coming)] == [2, 3, 4, 5]
    assert coming[1].event.user_changed.user.user_id == "1"


async def test_a_user_lists_the_events_of_what_is_theirs(
    journal: Journal, kit_database: Database, keys: Path
) -> None:
    await append_many(journal, kit_database, 3)
    async with served(journal, keys) as (stub, _):
        request = ListEventsRequest(
            journal="identity", subject="user:0", on_behalf_of_user_id=str(OWNER)
        )
        last = await stub.ListEvents(request)
        request.after_sequence = 1
        after = await stub.ListEvents(request)
    assert (len(last.entries), last.last_sequence) == (0, 3)
    assert ([entry.sequence for entry in after.entries], after.last_sequence) == ([2, 3], 3)


@pytest.mark.parametrize(
    ("journal_name", "subject", "user"),
    [
        ("identity", "user:0", str(STRANGER)),
        ("identity", "user:0", ""),
        ("identity", "user:1", str(OWNER)),
        ("identity", "user:none", str(OWNER)),
        ("real", "user:0", str(OWNER)),
    ],
)
async def test_what_is_another_s_is_as_if_it_did_not_exist(
    journal: Journal, kit_database: Database, keys: Path, journal_name: str, subject: str, user: str
) -> None:
    await append(journal, kit_database, event("user:0"), event("user:1"))
    async with served(journal, keys) as (stub, _):
        request = ListEventsRequest(
            journal=journal_name, subject=subject, on_behalf_of_user_id=user, after_sequence=0
        )
        failure = await refusal(stub.ListEvents(request))
    assert failure.reason is Reason.UNKNOWN_CHANNEL


@pytest.mark.parametrize(
    ("place", "last"),
    [
        (WatchJournalRequest(journal="identity", after_position=5), "4"),
        (
            WatchJournalRequest(
                journal="identity", subject=SubjectPlace(subject="user:0", after_sequence=4)
            ),
            "3",
        ),
    ],
    ids=["a position", "a sequence"],
)
async def test_nobody_waits_after_an_event_that_never_happened(
    journal: Journal, kit_database: Database, keys: Path, place: WatchJournalRequest, last: str
) -> None:
    """The journal was restored from a backup: what comes next is not what the follower lacks."""
    await append_many(journal, kit_database, 3)
    await append(journal, kit_database, event("user:1"))
    async with served(journal, keys, "trading") as (stub, _):
        failure = await refusal(stub.WatchJournal(place).read())
    assert failure.reason is Reason.SEQUENCE_AHEAD
    assert failure.metadata == {"last_sequence": last}


class Effects:
    """What following does: a row per event, which could not be written twice."""

    def __init__(self) -> None:
        self.applied = Counter[int]()
        self.before: Callable[[int], Awaitable[None]] | None = None

    async def apply(self, connection: AsyncConnection, entry: JournalEntry) -> None:
        await connection.execute(
            text("INSERT INTO note (number, text) VALUES (:number, 'x')"),
            {"number": entry.position},
        )
        self.applied[entry.position] += 1
        if self.before:
            await self.before(entry.position)


async def notes(database: Database) -> list[int]:
    async with database.connection() as connection:
        rows = await connection.execute(text("SELECT number FROM note ORDER BY number"))
        return [row[0] for row in rows]


async def until_noted(database: Database, count: int) -> None:
    async def noted() -> bool:
        return len(await notes(database)) >= count

    await eventually(noted)


async def test_a_follower_killed_at_any_moment_applies_each_event_once(
    journal: Journal, kit_database: Database, kit_databases: Databases, keys: Path
) -> None:
    await append_many(journal, kit_database, 90)
    effects, random = Effects(), Random(3)
    settings = kit_databases.migrated()
    async with (
        served(journal, keys) as (_, address),
        channels(keys, "trading").to("identity", address) as channel,
        Database.from_settings(settings, name="follower") as own,
    ):
        for _ in range(6):
            killed = random.randint(1, 90)
            reached = asyncio.Event()

            async def stop(
                position: int, killed: int = killed, reached: asyncio.Event = reached
            ) -> None:
                if position >= killed:
                    reached.set()
                    await asyncio.Event().wait()

            effects.before = stop
            task = asyncio.create_task(Follower(channel, "identity", own, effects.apply).run())
            # Reached, unless the lives before have already taken in everything.
            waiting: set[asyncio.Task[Any]] = {
                asyncio.create_task(reached.wait()),
                asyncio.create_task(until_noted(own, 90)),
            }
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            await cancelled(task, *waiting)
        effects.before = None
        task = asyncio.create_task(Follower(channel, "identity", own, effects.apply).run())
        await until_noted(own, 90)
        await append_many(journal, kit_database, 10)
        await until_noted(own, 100)
        await cancelled(task)
        assert await notes(own) == list(range(1, 101))
    # Crashes did cut transactions short, or this test has shown nothing.
    assert max(effects.applied.values()) > 1


async def test_two_followers_at_once_apply_each_event_once(
    journal: Journal, kit_database: Database, kit_databases: Databases, keys: Path
) -> None:
    await append_many(journal, kit_database, 60)
    effects = Effects()

    async def yield_often(_: int) -> None:
        await asyncio.sleep(0.001)

    effects.before = yield_often
    async with (
        served(journal, keys) as (_, address),
        channels(keys, "trading").to("identity", address) as channel,
        Database.from_settings(kit_databases.migrated(), name="follower") as own,
    ):
        tasks = [
            asyncio.create_task(Follower(channel, "identity", own, effects.apply).run())
            for _ in range(2)
        ]
        await until_noted(own, 60)
        await append_many(journal, kit_database, 20)
        await until_noted(own, 80)
        await asyncio.sleep(0.3)
        assert not [task for task in tasks if task.done()]
        await cancelled(*tasks)
    assert effects.applied == Counter(range(1, 81))


async def test_a_follower_outlives_the_absence_of_its_neighbour(
    journal: Journal, kit_database: Database, kit_databases: Databases, keys: Path
) -> None:
    effects, address = Effects(), Ports(free_base()).address("identity")
    async with (
        Database.from_settings(kit_databases.migrated(), name="follower") as own,
        AsyncExitStack() as stack,
    ):
        async with served(journal, keys, listen=address):
            channel = channels(keys, "trading").to("identity", address)
            await stack.enter_async_context(channel)
            task = asyncio.create_task(Follower(channel, "identity", own, effects.apply).run())
            await append_many(journal, kit_database, 2)
            await until_noted(own, 2)
        await append_many(journal, kit_database, 2)
        await asyncio.sleep(0.3)
        assert not task.done()
        async with served(journal, keys, listen=address):
            await until_noted(own, 4)
        await cancelled(task)
    assert effects.applied == Counter([1, 2, 3, 4])


def test_an_event_without_data_is_none() -> None:
    with pytest.raises(ValueError, match="without data"):
        new_event("user:0", Event())
