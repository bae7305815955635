"""The composition root of quotes."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from uuid import UUID

from services.kit import migrate as migrations
from services.kit.channels import Channels
from services.kit.clock import Clock
from services.kit.database import Database
from services.kit.failpoints import process_clock
from services.kit.ids import Ids, uuid7
from services.kit.jobs import Job, JobRunner
from services.kit.journal import Journal
from services.kit.journal_face import JournalFace
from services.kit.leader import Leadership, Term
from services.kit.process import Application, Face
from services.kit.refusals import Refusals
from services.kit.relay import Relay
from services.kit.revocation_feed import revocation_feed
from services.kit.tokens import Keyring
from services.quotes import wire
from services.quotes.binance import Binance
from services.quotes.candles import CandleRetention, Candles
from services.quotes.catalogue import Catalogue
from services.quotes.feeds import WebSocketFeed
from services.quotes.fixings import Fixings
from services.quotes.herald import Herald
from services.quotes.ingest import Habits, Ingestor
from services.quotes.instruments import LEADERSHIP
from services.quotes.market import LiveMarket
from services.quotes.openings import Openings
from services.quotes.packet import Veritick
from services.quotes.partitions import Retention
from services.quotes.past import PastMaker
from services.quotes.protocol import FeedProtocol
from services.quotes.publish import Publisher
from services.quotes.rpc import FixingFace, InstrumentFace, MarketDataFace
from services.quotes.seed import seed_instruments
from services.quotes.settings import Settings
from services.quotes.ticks import Ticks
from services.quotes.together import together
from veritick.journal.v1.journal_service_pb2_grpc import add_JournalServiceServicer_to_server
from veritick.quotes.v1.fixing_service_pb2_grpc import add_FixingServiceServicer_to_server
from veritick.quotes.v1.instrument_service_pb2_grpc import add_InstrumentServiceServicer_to_server
from veritick.quotes.v1.market_data_service_pb2_grpc import add_MarketDataServiceServicer_to_server

JOURNAL = "quotes"
_PROTOCOLS: dict[str, Callable[[], FeedProtocol]] = {"veritick": Veritick, "binance": Binance}


def migrate(settings: Settings) -> None:
    """Bring the database to the newest migration."""
    migrations.migrate(settings, Path(__file__).parent / "migrations")


@asynccontextmanager
async def build(
    settings: Settings, clock: Clock | None = None, ids: Ids = uuid7
) -> AsyncIterator[Application]:
    """Join the parts of quotes."""
    clock = clock or process_clock()
    if settings.keys is None or settings.redis_url is None:
        raise SystemExit("quotes needs VERITICK_KEYS and VERITICK_REDIS_URL")
    keyring = Keyring.load(settings.keys, "quotes")
    redis_url = settings.redis_url.get_secret_value()
    async with (
        Database.from_settings(settings, name="quotes") as database,
        revocation_feed(settings, Channels(keyring, clock, settings.tls), clock) as revocations,
    ):
        market = LiveMarket()
        journal = Journal(JOURNAL, database)
        catalogue = Catalogue(database, market, journal, wire.instrument_changed, clock)
        publisher = Publisher(
            redis_url,
            lambda stored: wire.tick_messages(stored, market),
            lambda watermark: wire.watermark_message(watermark, clock),
        )
        protocol = _PROTOCOLS[settings.feed_protocol]()
        feed = WebSocketFeed(protocol, settings.feed_url, clock, Random())  # noqa: S311  spreads load
        habits = Habits(
            gather=timedelta(milliseconds=settings.gather_milliseconds),
            heed_recordings=settings.mode == "development",
        )
        ingestor = Ingestor(database, catalogue, market, feed, publisher, clock, habits)
        catalogue.changed = ingestor.follow
        herald = Herald(database, catalogue, market, clock)
        currency = protocol.crypto_quote_currency
        leader = _Leader(settings, database, catalogue, ingestor, herald, market, currency)
        yield Application(
            keyring=keyring,
            faces=_faces(database, market, catalogue, journal, clock),
            tasks={
                "leadership": lambda: Leadership(database, LEADERSHIP, clock, ids).run(leader.lead),
                "herald": herald.look,
                "publisher": publisher.run,
                "relay": Relay(journal, redis_url).run,
                "jobs": JobRunner(database, _jobs(settings, database, clock), clock).run,
            },
            revocations=revocations,
            ready=_Readiness(
                ingestor, feed, clock, clock.monotonic(), settings.feed_patience_seconds
            ),
            refusals=Refusals(journal, database, clock),
        )


def _faces(
    database: Database, market: LiveMarket, catalogue: Catalogue, journal: Journal, clock: Clock
) -> list[Face]:
    data = MarketDataFace(market, Ticks(database), Candles(database), clock)
    fixing = FixingFace(market, Fixings(database), Openings(database))
    return [
        (add_InstrumentServiceServicer_to_server, InstrumentFace(market, catalogue)),
        (add_MarketDataServiceServicer_to_server, data),
        (add_FixingServiceServicer_to_server, fixing),
        (
            add_JournalServiceServicer_to_server,
            JournalFace({JOURNAL: journal}, _subject_is_public),
        ),
    ]


@dataclass(frozen=True)
class _Leader:
    """What the one live ingestor does besides ingesting."""

    settings: Settings
    database: Database
    catalogue: Catalogue
    ingestor: Ingestor
    herald: Herald
    market: LiveMarket
    crypto_quote_currency: str

    async def lead(self, term: Term) -> None:
        """Do it all for a term."""
        if self.settings.seed:
            await self.catalogue.seed(seed_instruments(self.crypto_quote_currency))
        work = [self.ingestor.lead(term), self.herald.announce(term)]
        if self.settings.generated_past:
            work.append(PastMaker(self.database, self.market).run(term))
        await together(*work)


@dataclass
class _Readiness:
    """Ready is who leads, stores watermarks, and heard the feed, or waited long enough for it."""

    ingestor: Ingestor
    feed: WebSocketFeed
    clock: Clock
    since: float
    patience_seconds: float
    met: bool = False

    def __call__(self) -> bool:
        waited = self.clock.monotonic() - self.since > self.patience_seconds
        self.met = self.met or self.feed.connected or waited
        return self.met and self.ingestor.running


def _jobs(settings: Settings, database: Database, clock: Clock) -> list[Job]:
    ticks = Retention(database, clock, settings.tick_retention_days)
    candles = CandleRetention(
        database,
        clock,
        settings.second_candle_retention_days,
        settings.minute_candle_retention_days,
    )
    return [
        Job("tick-retention", timedelta(hours=1), ticks.run),
        Job("candle-retention", timedelta(hours=1), candles.run),
    ]


async def _subject_is_public(_journal: str, subject: str, _user: UUID | None) -> bool:
    return subject == wire.SUBJECT
