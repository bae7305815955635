"""Trading put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import grpc.aio

from services.kit.channels import Channels
from services.kit.clock import Clock
from services.kit.database import Database
from services.kit.failpoints import process_clock
from services.kit.follower import Follower
from services.kit.ids import Ids, uuid7
from services.kit.jobs import Job, JobRunner
from services.kit.journal_face import JournalFace
from services.kit.migrate import migrate as migrate_database
from services.kit.process import Application, Face, Task
from services.kit.refusals import Refusals
from services.kit.relay import Relay
from services.kit.revocation_feed import revocation_feed
from services.kit.tokens import Keyring
from services.trading.adjustment_rpc import AdjustmentFace
from services.trading.admin_rpc import AccountAdminFace
from services.trading.audit_apart import AuditApart, Audits
from services.trading.audit_rpc import AuditFace
from services.trading.auditing import Auditing
from services.trading.auditor import Auditor
from services.trading.desk import BookRules, Desk
from services.trading.heads import LedgerHeads, Signing
from services.trading.ledger_rpc import LedgerFace
from services.trading.limit_rpc import LimitFace
from services.trading.market import MarketView
from services.trading.neighbours import MarketFeed, QuotesRecord, following_users
from services.trading.origin_rpc import OriginFace
from services.trading.personal_data_rpc import PersonalDataFace
from services.trading.report_rpc import ReportFace
from services.trading.rpc import AccountEventFace, AccountFace, Desks, OrderFace, TermsFace
from services.trading.service_rpc import BookFace
from services.trading.settings import BookSettings, Settings, kind_of
from services.trading.terms import TermsDefaults
from services.trading.wire import PAYOUTS, BookWire, account_subject
from veritick.journal.v1.account_event_service_pb2_grpc import (
    add_AccountEventServiceServicer_to_server,
)
from veritick.journal.v1.journal_service_pb2_grpc import add_JournalServiceServicer_to_server
from veritick.trading.v1.account_admin_service_pb2_grpc import (
    add_AccountAdminServiceServicer_to_server,
)
from veritick.trading.v1.account_service_pb2_grpc import add_AccountServiceServicer_to_server
from veritick.trading.v1.adjustment_service_pb2_grpc import (
    add_AdjustmentServiceServicer_to_server,
)
from veritick.trading.v1.audit_service_pb2_grpc import add_AuditServiceServicer_to_server
from veritick.trading.v1.book_service_pb2_grpc import add_BookServiceServicer_to_server
from veritick.trading.v1.ledger_service_pb2_grpc import add_LedgerServiceServicer_to_server
from veritick.trading.v1.limit_service_pb2_grpc import add_LimitServiceServicer_to_server
from veritick.trading.v1.order_origin_service_pb2_grpc import (
    add_OrderOriginServiceServicer_to_server,
)
from veritick.trading.v1.order_service_pb2_grpc import add_OrderServiceServicer_to_server
from veritick.trading.v1.personal_data_service_pb2_grpc import (
    add_PersonalDataServiceServicer_to_server,
)
from veritick.trading.v1.report_service_pb2_grpc import add_ReportServiceServicer_to_server
from veritick.trading.v1.terms_service_pb2_grpc import add_TermsServiceServicer_to_server

NAME = "trading"
MIGRATIONS = Path(__file__).parent / "migrations"
_DEMO_CHIPS = 1_000_000
_ROLLUP_EVERY = timedelta(minutes=1)


@asynccontextmanager
async def build(
    settings: Settings, clock: Clock | None = None, ids: Ids = uuid7
) -> AsyncIterator[Application]:
    """Put the books together with the market they trade on, and everything that keeps them."""
    clock = clock or process_clock()
    keyring = Keyring.load(settings.required("keys"), NAME)
    channels = Channels(keyring, clock, settings.tls)
    market = MarketView(clock)
    quotes = channels.to("quotes", settings.required("quotes_address"))
    identity = channels.to("identity", settings.required("identity_address"))
    record = QuotesRecord(quotes)
    async with AsyncExitStack() as stack:
        revocations = await stack.enter_async_context(revocation_feed(settings, channels, clock))
        desks: dict[str, Desk] = {}
        auditors: dict[str, Auditor] = {}
        for name, book in settings.books.items():
            database = await stack.enter_async_context(
                Database.from_settings(book, name=f"{NAME}.{name}")
            )
            desks[name] = Desk(name, rules_of(name, book), database, market, clock, ids)
            own = await stack.enter_async_context(_audited(book, name))
            auditors[name] = Auditor(own, desks[name].wire, market.now, record)
        every = timedelta(seconds=settings.sign_every_seconds)
        tasks: dict[str, Task] = {"market": MarketFeed(quotes, market).run}
        for name, desk in desks.items():
            tasks[f"{name}: writer"] = desk.writer.run
            tasks[f"{name}: terms"] = desk.keep_terms
            tasks[f"{name}: holds"] = desk.keep_holds
            tasks[f"{name}: approvals"] = desk.keep_approvals
            tasks[f"{name}: payouts"] = desk.payouts.run
            tasks[f"{name}: jobs"] = JobRunner(
                desk.book.database,
                jobs(desk, AuditApart(name, auditors[name]), keyring, every),
                clock,
            ).run
            tasks[f"{name}: users"] = following(identity, desk).run
            tasks[f"{name}: origins"] = desk.origins.run
            tasks[f"{name}: cohorts"] = desk.cohorts.run
            if settings.redis_url:
                relay = Relay(desk.journal, settings.redis_url.get_secret_value())
                tasks[f"{name}: relay"] = relay.run
        # Apart from those of the jobs: whoever asks for an audit keeps no book from its own.
        asked = {name: AuditApart(name, auditor) for name, auditor in auditors.items()}
        first = next(iter(desks.values()))
        yield Application(
            keyring=keyring,
            faces=faces(desks, keyring, asked),
            tasks=tasks,
            ready=lambda: all(desk.ready() for desk in desks.values()),
            revocations=revocations,
            # A refused call names no book: any of them can tell it.
            refusals=Refusals(first.journal, first.book.database, clock),
        )


def following(identity: grpc.aio.Channel, desk: Desk) -> Follower:
    """Return what lets a book know its users."""
    effect = following_users(
        desk.open_account,
        desk.protect,
        desk.origins.forget_user,
        real=desk.rules.kind == "REAL",
    )
    return Follower(identity, "identity", desk.book.database, effect)


def _audited(book: BookSettings, name: str) -> Database:
    """Return a book's database for its auditor, which takes no connection from anybody else."""
    few = book.model_copy(update={"pool_min": 0, "pool_max": 2})
    return Database.from_settings(few, name=f"audit.{name}")


def jobs(desk: Desk, auditor: Audits, keyring: Keyring, sign_every: timedelta) -> list[Job]:
    """Return the recurring work of a book that any replica can do."""
    rollup = Job("rollup", _ROLLUP_EVERY, desk.ledger.roll_up)
    heads = LedgerHeads(desk.book.database)
    signing = Signing(desk.name, heads, keyring, desk.market.now)
    audit, forget = Auditing(desk.name, auditor).job(), desk.origins.job()
    return [rollup, audit, signing.job(sign_every), forget]


def faces(desks: Desks, keyring: Keyring, auditors: Mapping[str, Audits]) -> list[Face]:
    """Return what is served for these books; the heads of their ledgers are signed by `keyring`."""
    journals = {name: desk.journal for name, desk in desks.items()}
    journal = JournalFace(journals, partial(owns, desks))
    return [
        (add_AccountServiceServicer_to_server, AccountFace(desks)),
        (add_AccountAdminServiceServicer_to_server, AccountAdminFace(desks)),
        (add_OrderServiceServicer_to_server, OrderFace(desks)),
        (add_TermsServiceServicer_to_server, TermsFace(desks)),
        (add_ReportServiceServicer_to_server, ReportFace(desks)),
        (add_AccountEventServiceServicer_to_server, AccountEventFace(desks)),
        (add_BookServiceServicer_to_server, BookFace(desks)),
        (add_LedgerServiceServicer_to_server, LedgerFace(desks)),
        (add_LimitServiceServicer_to_server, LimitFace(desks)),
        (add_OrderOriginServiceServicer_to_server, OriginFace(desks)),
        (add_PersonalDataServiceServicer_to_server, PersonalDataFace(desks)),
        (add_AdjustmentServiceServicer_to_server, AdjustmentFace(desks)),
        (add_AuditServiceServicer_to_server, AuditFace(desks, keyring, auditors)),
        (add_JournalServiceServicer_to_server, journal),
    ]


@asynccontextmanager
async def auditors(settings: Settings) -> AsyncIterator[dict[str, Auditor]]:
    """Yield an auditor for every book, outside the service; quotes needs keys and an address."""
    clock, record = process_clock(), None
    async with AsyncExitStack() as stack:
        if settings.keys and settings.quotes_address:
            channels = Channels(Keyring.load(settings.keys, NAME), clock, settings.tls)
            quotes = channels.to("quotes", settings.quotes_address)
            record = QuotesRecord(await stack.enter_async_context(quotes))
        found = {}
        for name, book in settings.books.items():
            database = await stack.enter_async_context(_audited(book, name))
            wire = BookWire(name, kind_of(name))
            found[name] = Auditor(database, wire, clock.now, record)
        yield found


async def owns(desks: Desks, journal: str, subject: str, user_id: UUID | None) -> bool:
    """Tell whether a user may read a subject: payouts are public, an account is its owner's."""
    if subject == PAYOUTS:
        return True
    if user_id is None:
        return False
    desk = desks[journal]
    accounts = await desk.book.accounts_of(user_id)
    return subject in {account_subject(desk.wire.id(account.account_id)) for account in accounts}


def rules_of(name: str, book: BookSettings) -> BookRules:
    """Return what a book's kind and settings make of it (rules.md, "Contract terms")."""
    kind = kind_of(name)
    shortest = book.duration_seconds_min or (60 if kind == "REAL" else 5)
    chips = book.initial_minor_units
    if chips is None:
        chips = _DEMO_CHIPS if kind == "DEMO" else 0
    terms = TermsDefaults(
        currency=book.currency,
        duration_seconds_min=shortest,
        open_orders_max=book.open_orders_max,
        exposure_max=book.exposure_max_minor_units,
    )
    policy = book.payout_policy or ("win-rate" if kind == "REAL" else "fixed")
    limits = kind != "TOURNAMENT" if book.limits is None else book.limits
    return BookRules(kind, book.currency, chips, terms, limits, policy)


def migrate(settings: Settings) -> None:
    """Bring the database of every book to the newest schema."""
    for book in settings.books.values():
        migrate_database(book, MIGRATIONS)
