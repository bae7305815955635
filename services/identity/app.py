"""The composition root of identity: what it is made of, and how the parts are joined."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from services.identity.hashing import Cost, PasswordHasher
from services.identity.issuing import Issuer
from services.identity.jobs import SessionPurge
from services.identity.neighbours import TradingAccounts
from services.identity.passwords import Passwords
from services.identity.registration import Registration
from services.identity.revoking import RevokedSource
from services.identity.rpc import AuthFace, ProfileFace, RevocationFace
from services.identity.session import Limits, Random
from services.identity.settings import Settings
from services.identity.sign_in import SignIn
from services.identity.signing_out import SigningOut
from services.identity.wire import subject_of
from services.kit.channels import Channels
from services.kit.clock import Clock, SystemClock
from services.kit.database import Database
from services.kit.failpoints import process_clock
from services.kit.ids import Ids, uuid7
from services.kit.jobs import JobRunner
from services.kit.journal import Journal
from services.kit.journal_face import JournalFace
from services.kit.migrate import migrate as apply_migrations
from services.kit.process import Application, Face, Task
from services.kit.relay import Relay
from services.kit.tokens import Keyring
from veritick.identity.v1.auth_service_pb2_grpc import add_AuthServiceServicer_to_server
from veritick.identity.v1.profile_service_pb2_grpc import add_ProfileServiceServicer_to_server
from veritick.identity.v1.revocation_service_pb2_grpc import (
    add_RevocationServiceServicer_to_server,
)
from veritick.journal.v1.journal_service_pb2_grpc import add_JournalServiceServicer_to_server

NAME = "identity"

_MIGRATIONS = Path(__file__).parent / "migrations"
_HEALTH_EVERY_SECONDS = 1.0


def migrate(settings: Settings) -> None:
    """Bring the database to the newest migration."""
    apply_migrations(settings, _MIGRATIONS)


@asynccontextmanager
async def build(
    settings: Settings,
    clock: Clock | None = None,
    ids: Ids = uuid7,
    random: Random = secrets.token_bytes,
) -> AsyncIterator[Application]:
    """Yield identity, ready to be served."""
    clock = clock or process_clock()
    keyring = _keyring(settings)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.from_settings(settings, name=NAME))
        hasher = await stack.enter_async_context(password_hasher(settings))
        journal = Journal(NAME, database)
        accounts = await _accounts(settings, keyring, clock, stack)
        registration = Registration(database, journal, hasher, clock, ids, accounts)
        limits = _limits(settings)
        signing_out = SigningOut(database, journal, clock, limits.idle)
        passwords = Passwords(database, journal, signing_out, hasher, clock)
        issuer = Issuer(keyring, limits, clock, ids)
        sign_in = SignIn(database, journal, signing_out, hasher, issuer, clock, ids, random)
        revoked = RevokedSource(database, journal, clock, limits.access)
        health = _Health(database)
        yield Application(
            keyring=keyring,
            faces=_faces(
                AuthFace(
                    registration, sign_in, signing_out, passwords, keyring, settings.stream_url
                ),
                ProfileFace(sign_in),
                RevocationFace(revoked),
                JournalFace({NAME: journal}, _owns),
            ),
            tasks=_tasks(settings, database, journal, clock, health),
            ready=lambda: health.good,
            revocations=revoked,
        )


def password_hasher(settings: Settings) -> AbstractAsyncContextManager[PasswordHasher]:
    """Return the hasher of these settings."""
    cost = Cost(settings.password_memory_kib, settings.password_iterations, settings.password_lanes)
    return PasswordHasher.opened(
        cost, threads=settings.password_threads, waiting_max=settings.password_waiting_max
    )


@asynccontextmanager
async def administration(settings: Settings) -> AsyncIterator[Registration]:
    """Yield what the commands of an administrator need: no keys, no neighbours."""
    async with (
        Database.from_settings(settings, name=NAME) as database,
        password_hasher(settings) as hasher,
    ):
        yield Registration(database, Journal(NAME, database), hasher, SystemClock(), uuid7)


def _keyring(settings: Settings) -> Keyring:
    if settings.keys is None:
        raise SystemExit("settings: VERITICK_KEYS: identity signs tokens and needs its keys")
    return Keyring.load(settings.keys, NAME)


def _limits(settings: Settings) -> Limits:
    return Limits(
        idle=timedelta(hours=settings.session_idle_hours),
        absolute=timedelta(hours=settings.session_absolute_hours),
        grace=timedelta(seconds=settings.refresh_grace_seconds),
        live_max=settings.sessions_max,
    )


async def _accounts(
    settings: Settings, keyring: Keyring, clock: Clock, stack: AsyncExitStack
) -> TradingAccounts | None:
    if settings.trading_address is None:
        return None
    channel = Channels(keyring, clock).to("trading", settings.trading_address)
    await stack.enter_async_context(channel)
    return TradingAccounts(channel, settings.open_accounts_seconds)


def _faces(
    auth: AuthFace, profile: ProfileFace, revocation: RevocationFace, journal: JournalFace
) -> list[Face]:
    return [
        (add_AuthServiceServicer_to_server, auth),
        (add_ProfileServiceServicer_to_server, profile),
        (add_RevocationServiceServicer_to_server, revocation),
        (add_JournalServiceServicer_to_server, journal),
    ]


def _tasks(
    settings: Settings, database: Database, journal: Journal, clock: Clock, health: "_Health"
) -> dict[str, Task]:
    purge = SessionPurge(database, clock, timedelta(days=settings.keep_sessions_days))
    tasks: dict[str, Task] = {
        "health": health.run,
        "jobs": JobRunner(database, [purge.job()], clock).run,
    }
    if settings.redis_url is not None:
        tasks["relay"] = Relay(journal, settings.redis_url.get_secret_value()).run
    return tasks


async def _owns(_journal: str, subject: str, user_id: UUID | None) -> bool:
    """Tell whether a subject is this user's. Nothing here is anybody's to read."""
    return user_id is not None and subject == subject_of(user_id)


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
