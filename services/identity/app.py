"""The composition root of identity: what it is made of, and how it is served."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from services.identity.auditing import AuditTrail
from services.identity.erasure_rpc import ErasureAdminFace, ErasureFace
from services.identity.factor_reset_rpc import FactorResetFace, add_factor_reset_face
from services.identity.fraud_rpc import FraudFace
from services.identity.ground import Ground
from services.identity.hashing import Cost, PasswordHasher
from services.identity.key_rpc import ApiKeyFace
from services.identity.kyc_rpc import KycFace
from services.identity.maintenance import MaintenanceSwitch
from services.identity.maintenance_rpc import MaintenanceFace, add_maintenance_face
from services.identity.neighbours import TradingAccounts, TradingOrders
from services.identity.note_rpc import UserNoteFace
from services.identity.notes import Notes
from services.identity.parts import Parts
from services.identity.passkey_rpc import PasskeyFace
from services.identity.password import PASSWORD_LENGTH_MIN
from services.identity.privacy_rpc import PrivacyFace
from services.identity.profile_rpc import MailboxFace, ProfileFace
from services.identity.protection_rpc import ProtectionFace
from services.identity.records import Channel, Records
from services.identity.referral_rpc import ReferralFace
from services.identity.registration import Registration
from services.identity.rpc import AuthFace, Published, RevocationFace
from services.identity.session import Random
from services.identity.settings import Settings
from services.identity.staff_rpc import RoleFace, UserAdminFace
from services.identity.wire import subject_of
from services.kit.channels import Channels
from services.kit.clock import Clock, SystemClock
from services.kit.database import Database
from services.kit.failpoints import process_clock
from services.kit.ids import Ids, uuid7
from services.kit.jobs import Job, JobRunner
from services.kit.journal import Journal
from services.kit.journal_face import JournalFace
from services.kit.migrate import migrate as apply_migrations
from services.kit.process import Application, Face, Task
from services.kit.relay import Relay
from services.kit.tokens import Keyring
from veritick.identity.v1.api_key_service_pb2_grpc import add_ApiKeyServiceServicer_to_server
from veritick.identity.v1.auth_service_pb2 import GetSignUpRulesResponse
from veritick.identity.v1.auth_service_pb2_grpc import add_AuthServiceServicer_to_server
from veritick.identity.v1.erasure_admin_service_pb2_grpc import (
    add_ErasureAdminServiceServicer_to_server,
)
from veritick.identity.v1.erasure_service_pb2_grpc import add_ErasureServiceServicer_to_server
from veritick.identity.v1.fraud_service_pb2_grpc import add_FraudServiceServicer_to_server
from veritick.identity.v1.kyc_service_pb2_grpc import add_KycServiceServicer_to_server
from veritick.identity.v1.mailbox_service_pb2_grpc import add_MailboxServiceServicer_to_server
from veritick.identity.v1.passkey_service_pb2_grpc import add_PasskeyServiceServicer_to_server
from veritick.identity.v1.privacy_service_pb2_grpc import add_PrivacyServiceServicer_to_server
from veritick.identity.v1.profile_service_pb2_grpc import add_ProfileServiceServicer_to_server
from veritick.identity.v1.protection_service_pb2_grpc import (
    add_ProtectionServiceServicer_to_server,
)
from veritick.identity.v1.referral_service_pb2_grpc import add_ReferralServiceServicer_to_server
from veritick.identity.v1.revocation_service_pb2_grpc import (
    add_RevocationServiceServicer_to_server,
)
from veritick.identity.v1.role_service_pb2_grpc import add_RoleServiceServicer_to_server
from veritick.identity.v1.user_admin_service_pb2_grpc import (
    add_UserAdminServiceServicer_to_server,
)
from veritick.identity.v1.user_note_service_pb2_grpc import (
    add_UserNoteServiceServicer_to_server,
)
from veritick.journal.v1.journal_service_pb2_grpc import add_JournalServiceServicer_to_server

NAME = "identity"

_MIGRATIONS = Path(__file__).parent / "migrations"
_HEALTH_EVERY_SECONDS = 1.0
_APPROVALS_EVERY = timedelta(seconds=30)


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
    if settings.mode == "production" and settings.smtp_url is None:
        raise SystemExit("settings: VERITICK_SMTP_URL: production sends its mails")
    if settings.mode == "production" and not settings.site_url.startswith("https://"):
        raise SystemExit("settings: VERITICK_SITE_URL: production's letters lead to https://")
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.from_settings(settings, name=NAME))
        parts = Parts(
            settings,
            Ground(database, Journal(NAME, database), clock, ids, random),
            await stack.enter_async_context(password_hasher(settings)),
            await _accounts(settings, keyring, clock, stack),
        )
        neighbours = await _neighbours(settings, keyring, clock, stack)
        records = Records(parts.ground, keyring, neighbours)
        kyc_faces, kyc_jobs = _kyc(parts)
        health = _Health(database)
        yield Application(
            keyring=keyring,
            faces=[*_faces(parts, keyring), *records.faces, *kyc_faces],
            tasks={
                **_tasks(parts, health, [*records.jobs, *kyc_jobs, *_pacing(parts, neighbours)]),
                **records.tasks,
            },
            ready=lambda: health.good,
            revocations=parts.revoked,
            refusals=parts.refusals,
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
        journal = Journal(NAME, database)
        ground = Ground(database, journal, SystemClock(), uuid7, secrets.token_bytes)
        yield Parts(settings, ground, hasher).registration


@asynccontextmanager
async def audit_trail(settings: Settings) -> AsyncIterator[AuditTrail]:
    """Yield the trail, outside the service."""
    async with Database.from_settings(settings, name=NAME) as database:
        yield AuditTrail(database, _keyring(settings), SystemClock())


def _keyring(settings: Settings) -> Keyring:
    if settings.keys is None:
        raise SystemExit("settings: VERITICK_KEYS: identity signs tokens and needs its keys")
    return Keyring.load(settings.keys, NAME)


async def _accounts(
    settings: Settings, keyring: Keyring, clock: Clock, stack: AsyncExitStack
) -> TradingAccounts | None:
    if settings.trading_address is None:
        return None
    channel = Channels(keyring, clock, settings.tls).to("trading", settings.trading_address)
    await stack.enter_async_context(channel)
    return TradingAccounts(channel, settings.open_accounts_seconds)


async def _neighbours(
    settings: Settings, keyring: Keyring, clock: Clock, stack: AsyncExitStack
) -> dict[str, Channel]:
    """Return channels to those who put things on record, as far as it is known where they are."""
    channels, found = Channels(keyring, clock, settings.tls), dict[str, Channel]()
    for target in ("quotes", "trading", "settlement"):
        if address := getattr(settings, f"{target}_address"):
            found[target] = await stack.enter_async_context(channels.to(target, address))
    return found


def _faces(parts: Parts, keyring: Keyring) -> list[Face]:
    sign_in = parts.sign_in(keyring)
    auth = AuthFace(
        registration=parts.registration,
        sign_in=sign_in,
        signing_out=parts.signing_out,
        passwords=parts.passwords,
        standing=parts.standing,
        factors=parts.factors,
        published=Published(_sign_up_rules(parts.settings), keyring, parts.settings.stream_url),
    )
    journal = JournalFace({NAME: parts.ground.journal}, _owns)
    return [
        (add_AuthServiceServicer_to_server, auth),
        (add_ProfileServiceServicer_to_server, ProfileFace(sign_in, parts.standing, parts.factors)),
        (add_MailboxServiceServicer_to_server, MailboxFace(parts.ground.database)),
        (
            add_UserAdminServiceServicer_to_server,
            UserAdminFace(parts.ground.database, parts.signing_out, parts.bans, parts.staffing),
        ),
        (add_UserNoteServiceServicer_to_server, UserNoteFace(Notes(parts.ground))),
        (add_RoleServiceServicer_to_server, RoleFace(parts.staffing)),
        (add_PasskeyServiceServicer_to_server, PasskeyFace(parts.passkeys(keyring), sign_in)),
        (add_ApiKeyServiceServicer_to_server, ApiKeyFace(parts.key_access(keyring))),
        (add_FraudServiceServicer_to_server, FraudFace(parts.suspicion)),
        (add_ReferralServiceServicer_to_server, ReferralFace(parts.referring)),
        (
            add_ProtectionServiceServicer_to_server,
            ProtectionFace(parts.protecting, parts.settings.currency),
        ),
        (add_ErasureServiceServicer_to_server, ErasureFace(parts.erasing)),
        (
            add_ErasureAdminServiceServicer_to_server,
            ErasureAdminFace(parts.erasing, parts.staffing.approvals),
        ),
        (
            add_PrivacyServiceServicer_to_server,
            PrivacyFace(parts.personal_data, parts.ground.clock),
        ),
        (add_RevocationServiceServicer_to_server, RevocationFace(parts.revoked)),
        (add_factor_reset_face, FactorResetFace(parts.lost_factors)),
        (add_maintenance_face, MaintenanceFace(MaintenanceSwitch(parts.ground))),
        (add_JournalServiceServicer_to_server, journal),
    ]


def _kyc(parts: Parts) -> tuple[list[Face], list[Job]]:
    """Return what is served and done for documents: nothing where they are not kept."""
    if parts.documents is None:
        return [], []
    uploading, reviewing = parts.uploading(parts.documents), parts.reviewing(parts.documents)
    face = KycFace(uploading, reviewing)
    return [(add_KycServiceServicer_to_server, face)], [uploading.job(), reviewing.job()]


def _pacing(parts: Parts, neighbours: dict[str, Channel]) -> list[Job]:
    """Return the job that counts orders: none where it is not known who has them."""
    trading = neighbours.get("trading")
    return [] if trading is None else [parts.pacing(TradingOrders(trading)).job()]


def _sign_up_rules(settings: Settings) -> GetSignUpRulesResponse:
    return GetSignUpRulesResponse(
        agreement_version=settings.agreement_version,
        password_length_min=PASSWORD_LENGTH_MIN,
        age_min=settings.age_min,
        real_country_codes=sorted(settings.real_countries),
    )


def _tasks(parts: Parts, health: "_Health", others: Sequence[Job]) -> dict[str, Task]:
    carry_on = Job("approvals", _APPROVALS_EVERY, parts.staffing.approvals.carry_on)
    jobs = [
        parts.purge.job(),
        parts.tracing.job(),
        parts.reality_checks.job(),
        parts.erasing.job(),
        carry_on,
        *others,
    ]
    tasks: dict[str, Task] = {
        "health": health.run,
        "post": parts.post.run,
        "jobs": JobRunner(parts.ground.database, jobs, parts.ground.clock).run,
    }
    if parts.settings.redis_url is not None:
        tasks["relay"] = Relay(
            parts.ground.journal, parts.settings.redis_url.get_secret_value()
        ).run
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
