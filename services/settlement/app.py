"""Settlement put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from services.kit.approvals import Approvals
from services.kit.channels import Channels
from services.kit.clock import Clock
from services.kit.database import Database
from services.kit.failpoints import process_clock
from services.kit.ids import Ids, uuid7
from services.kit.jobs import Job, JobRunner
from services.kit.journal import Journal
from services.kit.journal_face import JournalFace
from services.kit.leader import Leadership
from services.kit.migrate import migrate as apply_migrations
from services.kit.process import Application
from services.kit.refusals import Refusals
from services.kit.revocation_feed import revocation_feed
from services.kit.tokens import Keyring
from services.settlement.books import Books
from services.settlement.checkpoints import Checkpoints, Signing
from services.settlement.decisions import Decisions
from services.settlement.fixings import Fixings
from services.settlement.market_time import MarketTime
from services.settlement.neighbours import Quotes, Trading, WatermarkFeed
from services.settlement.receipts import Receipts
from services.settlement.rpc import ReceiptFace
from services.settlement.settings import Settings
from services.settlement.void_rpc import VoidFace
from services.settlement.voids import VOID, Voids
from services.settlement.worker import Worker
from veritick.journal.v1.journal_service_pb2_grpc import add_JournalServiceServicer_to_server
from veritick.settlement.v1.receipt_service_pb2_grpc import add_ReceiptServiceServicer_to_server
from veritick.settlement.v1.void_service_pb2_grpc import add_VoidServiceServicer_to_server

NAME = "settlement"

_MIGRATIONS = Path(__file__).parent / "migrations"
_HEALTH_EVERY_SECONDS = 1.0
_APPROVALS_EVERY = timedelta(seconds=5)


def migrate(settings: Settings) -> None:
    """Bring the database to the newest migration."""
    apply_migrations(settings, _MIGRATIONS)


@asynccontextmanager
async def build(
    settings: Settings, clock: Clock | None = None, ids: Ids = uuid7
) -> AsyncIterator[Application]:
    """Yield settlement, ready to work."""
    clock = clock or process_clock()
    keyring = Keyring.load(settings.required("keys"), NAME)
    channels = Channels(keyring, clock, settings.tls)
    async with (
        channels.to("quotes", settings.required("quotes_address")) as quotes,
        channels.to("trading", settings.required("trading_address")) as trading,
        Database.from_settings(settings, name=NAME) as database,
        revocation_feed(settings, channels, clock) as revocations,
    ):
        time = MarketTime(clock)
        asked = Quotes(quotes)
        voids = Voids(database, asked, clock.now)
        workshop = Workshop(database, time, asked, Trading(trading), clock, ids)
        journal = Journal(NAME, database)
        approvals = Approvals(
            database=database, journal=journal, ids=ids, now=clock.now, kinds={VOID: voids.make}
        )
        checkpoints = Checkpoints(database)
        signing = Signing(checkpoints, keyring, clock)
        every = timedelta(seconds=settings.sign_every_seconds)
        carrying_on = Job("approvals", _APPROVALS_EVERY, approvals.carry_on)
        books = Books(workshop.trading, workshop.worker)
        health = _Health(database)
        face = ReceiptFace(workshop.receipts, checkpoints, workshop.quotes)
        yield Application(
            keyring=keyring,
            faces=[
                (add_ReceiptServiceServicer_to_server, face),
                (add_VoidServiceServicer_to_server, VoidFace(approvals, voids)),
                (add_JournalServiceServicer_to_server, JournalFace({NAME: journal}, _owns)),
            ],
            tasks={
                "watermarks": WatermarkFeed(quotes, time).run,
                "books": books.run,
                "health": health.run,
                "jobs": JobRunner(database, [signing.job(every), carrying_on], clock).run,
            },
            revocations=revocations,
            refusals=Refusals(journal, database, clock),
            # A standby is ready as well: it shows receipts, and takes over by itself.
            ready=lambda: health.good and time.heard() and books.known,
        )


class Workshop:
    """Makes the workers, from what they share."""

    def __init__(
        self,
        database: Database,
        time: MarketTime,
        quotes: Quotes,
        trading: Trading,
        clock: Clock,
        ids: Ids,
    ) -> None:
        """Share one database, one market time and one pair of neighbours."""
        self._database = database
        self._time = time
        self.quotes = quotes
        self.trading = trading
        self.receipts = Receipts(database)
        self._fixings = Fixings(database)
        self._clock = clock
        self._ids = ids

    def worker(self, book: str) -> Worker:
        """Return the worker of a book, not yet at work."""
        return Worker(
            book,
            leadership=Leadership(self._database, f"worker:{book}", self._clock, self._ids),
            time=self._time,
            quotes=self.quotes,
            trading=self.trading,
            decisions=Decisions(self._database, book, self._fixings),
            receipts=self.receipts,
            clock=self._clock,
        )


async def _owns(_: str, __: str, ___: UUID | None) -> bool:
    """What settlement's journal tells concerns staff, who ask for it as such."""
    return False


class _Health:
    """Whether the database answered when it was last asked."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.good = False

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            self.good = await self._database.healthy()
            await asyncio.sleep(_HEALTH_EVERY_SECONDS)
