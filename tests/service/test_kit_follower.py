"""A follower of a journal whose entries come twice, late and not at all at first."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kit.channels import Channels
from services.kit.clock import SystemClock
from services.kit.database import Database
from services.kit.follower import Follower
from services.kit.process import Application, serving
from services.kit.settings import ServiceSettings
from services.kit.tokens import Keyring
from services.local.keys import ensure_keys
from tests.service.kit_events import cancelled
from tests.waiting import PATIENCE_SECONDS
from veritick.journal.v1.journal_service_pb2 import (
    JournalEntry,
    ListEventsRequest,
    ListEventsResponse,
    WatchJournalRequest,
    WatchJournalResponse,
)
from veritick.journal.v1.journal_service_pb2_grpc import (
    JournalServiceServicer,
    add_JournalServiceServicer_to_server,
)

pytest_plugins = ["tests.service.kit_fixtures"]

ENTRIES, TOGETHER = 60, 5
SEED = 11


class Careless(JournalServiceServicer):
    """Tells what follows a position, some of it again and some of it in the wrong order."""

    def __init__(self) -> None:
        self.random = Random(SEED)
        self.asked: list[int] = []

    async def ListEvents(  # noqa: N802  the name in the contract
        self, request: ListEventsRequest, context: object
    ) -> ListEventsResponse:
        return ListEventsResponse()

    async def WatchJournal(  # noqa: N802  the name in the contract
        self, request: WatchJournalRequest, context: object
    ) -> AsyncIterator[WatchJournalResponse]:
        self.asked.append(request.after_position)
        positions = range(request.after_position + 1, ENTRIES + 1)
        pages = [
            positions[start : start + TOGETHER] for start in range(0, len(positions), TOGETHER)
        ]
        for place in range(1, len(pages) - 1):
            if self.random.random() < 0.2:
                pages[place : place + 2] = pages[place + 1], pages[place]
        for page in pages:
            for _ in range(self.random.choice([1, 1, 2])):
                yield WatchJournalResponse(entries=[JournalEntry(position=at) for at in page])


async def notes(database: Database) -> list[int]:
    async with database.connection() as connection:
        rows = await connection.execute(text("SELECT number FROM note ORDER BY number"))
        return [row[0] for row in rows]


async def test_entries_that_come_twice_and_in_disorder_have_one_effect_each_in_order(
    kit_database: Database, tmp_path: Path
) -> None:
    ensure_keys(tmp_path)
    careless = Careless()

    async def apply(connection: AsyncConnection, entry: JournalEntry) -> None:
        # A second effect of the same entry would break the table's key.
        note = text("INSERT INTO note (number, text) VALUES (:number, 'x')")
        await connection.execute(note, {"number": entry.position})

    application = Application(
        Keyring.load(tmp_path, None), [(add_JournalServiceServicer_to_server, careless)]
    )
    settings = ServiceSettings(mode="development", listen="127.0.0.1:0", drain_seconds=0)
    channels = Channels(Keyring.load(tmp_path, "trading"), SystemClock())
    async with (
        serving("identity", settings, application) as running,
        channels.to("identity", running.address) as channel,
    ):
        task = asyncio.create_task(Follower(channel, "identity", kit_database, apply).run())
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await notes(kit_database) != list(range(1, ENTRIES + 1)):
                await asyncio.sleep(0.05)
        await cancelled(task)
    assert len(careless.asked) > 1, "nothing came in disorder, and this test has shown nothing"
