"""Identity as its callers meet it, and a server in the place of its neighbour."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import psycopg
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from pydantic import SecretStr

from services.identity.app import build
from services.identity.settings import Settings
from services.kit.channels import Channels, failure_of
from services.kit.clock import ManualClock
from services.kit.errors import Failure
from services.kit.process import serving
from services.kit.reason import Reason
from services.kit.revocations import Revocations
from services.kit.tokens import Keyring
from services.local.databases import Access
from tests.waiting import PATIENCE_SECONDS
from veritick.identity.v1.audit_service_pb2_grpc import AuditServiceStub
from veritick.identity.v1.auth_service_pb2 import (
    LogInRequest,
    RefreshSessionRequest,
    RegisterRequest,
)
from veritick.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from veritick.identity.v1.erasure_pb2 import ErasureObstacle
from veritick.identity.v1.kyc_service_pb2_grpc import KycServiceStub
from veritick.identity.v1.mailbox_service_pb2 import ListMailsRequest
from veritick.identity.v1.mailbox_service_pb2_grpc import MailboxServiceStub
from veritick.identity.v1.profile_service_pb2 import GetProfileRequest
from veritick.identity.v1.profile_service_pb2_grpc import ProfileServiceStub
from veritick.identity.v1.protection_pb2 import Protection
from veritick.identity.v1.user_pb2 import Session, User
from veritick.journal.v1.journal_service_pb2 import (
    JournalEntry,
    WatchJournalRequest,
    WatchJournalResponse,
)
from veritick.journal.v1.journal_service_pb2_grpc import JournalServiceStub
from veritick.trading.v1.account_service_pb2 import OpenAccountsRequest, OpenAccountsResponse
from veritick.trading.v1.account_service_pb2_grpc import (
    AccountServiceServicer,
)
from veritick.trading.v1.limit_service_pb2 import (
    ApplyProtectionRequest,
    ApplyProtectionResponse,
)
from veritick.trading.v1.limit_service_pb2_grpc import LimitServiceServicer
from veritick.trading.v1.personal_data_service_pb2 import (
    CloseAccountsRequest,
    CloseAccountsResponse,
    ExportPersonalDataRequest,
    ExportPersonalDataResponse,
)
from veritick.trading.v1.personal_data_service_pb2_grpc import PersonalDataServiceServicer

if TYPE_CHECKING:
    from veritick.identity.v1.audit_service_pb2_grpc import AuditServiceAsyncStub
    from veritick.identity.v1.auth_service_pb2_grpc import AuthServiceAsyncStub
    from veritick.identity.v1.kyc_service_pb2_grpc import KycServiceAsyncStub
    from veritick.identity.v1.mailbox_service_pb2_grpc import MailboxServiceAsyncStub
    from veritick.identity.v1.profile_service_pb2_grpc import ProfileServiceAsyncStub
    from veritick.journal.v1.journal_service_pb2_grpc import JournalServiceAsyncStub

PASSWORD = "nine lives and a half"


@dataclass
class Identity:
    """A running identity and ways to talk to it."""

    settings: Settings
    clock: ManualClock
    access: Access
    keyring: Keyring
    auth: "AuthServiceAsyncStub"
    profile: "ProfileServiceAsyncStub"
    journal: "JournalServiceAsyncStub"
    mailbox: "MailboxServiceAsyncStub"
    audit: "AuditServiceAsyncStub"
    kyc: "KycServiceAsyncStub"
    health: HealthStub
    address: str
    revocations: Revocations
    numbers: Iterator[int] = field(default_factory=count)

    async def register(self, email: str | None = None, password: str = PASSWORD) -> User:
        """Register, by default under an address that nobody has."""
        email = email or f"trader-{next(self.numbers)}@example.com"
        request = RegisterRequest(email=email, password=password)
        return (await self.auth.Register(request)).user

    async def log_in(self, email: str, password: str = PASSWORD) -> Session:
        """Sign in."""
        return (await self.auth.LogIn(LogInRequest(email=email, password=password))).session

    async def signed_in(self) -> Session:
        """Return a session of a new user."""
        return await self.log_in((await self.register()).email)

    async def refresh(self, token: str) -> Session:
        """Use a refresh token."""
        request = RefreshSessionRequest(refresh_token=token)
        return (await self.auth.RefreshSession(request)).session

    async def get_profile(self, access_token: str) -> User:
        """Ask who the bearer of an access token is."""
        metadata = bearer(access_token)
        return (await self.profile.GetProfile(GetProfileRequest(), metadata=metadata)).user

    def anybody(self) -> grpc.aio.Channel:
        """Return a channel that brings no token of its own."""
        channels = Channels(self.keyring, self.clock, deadline_seconds=PATIENCE_SECONDS)
        return channels.to("identity", self.address, anonymous=True)

    async def events(self, *types: str) -> list[JournalEntry]:
        """Return what the journal holds, of some types only if any are given."""
        with psycopg.connect(self.access.owner) as connection:
            row = connection.execute("SELECT count(*) FROM journal").fetchone()
        total, entries = int(row[0]) if row else 0, list[JournalEntry]()
        stream = self.journal.WatchJournal(WatchJournalRequest(journal="identity"))
        while len(entries) < total:
            response = await stream.read()
            assert isinstance(response, WatchJournalResponse)
            entries += response.entries
        stream.cancel()
        return [entry for entry in entries if not types or entry.type in types]

    async def letter(self, email: str, subject: str, number: int = 1) -> str:
        """Wait for the `number`th mail with this subject to an address, and return its text."""
        request = ListMailsRequest(filter=f"recipient={email}", page_size=200)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                mails = (await self.mailbox.ListMails(request)).mails
                found = [mail.body for mail in reversed(mails) if mail.subject == subject]
                if len(found) >= number:
                    return found[number - 1]
                await asyncio.sleep(0.02)

    async def token_in(self, email: str, subject: str, number: int = 1) -> str:
        """Return the token in the link of such a letter."""
        body = await self.letter(email, subject, number)
        return body.partition("#token=")[2].split()[0]

    async def until_health(self, status: int) -> None:
        """Wait until identity reports this health."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            check: Any = self.health
            while (await check.Check(HealthCheckRequest())).status != status:
                await asyncio.sleep(0.05)

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask the database as its owner."""
        with psycopg.connect(self.access.owner) as connection:
            return connection.execute(query.encode(), parameters).fetchall()


StartIdentity = Callable[..., AbstractAsyncContextManager[Identity]]


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata that carries a token."""
    return (("authorization", f"Bearer {token}"),)


@dataclass
class Refused:
    """How a call was refused."""

    failure: Failure | None = None

    @property
    def message(self) -> str:
        """What the caller was told."""
        return self.failure.message if self.failure else ""

    @property
    def metadata(self) -> dict[str, str]:
        """What the caller was told for programs."""
        return self.failure.metadata if self.failure else {}

    @property
    def fields(self) -> list[str]:
        """The fields that were complained about."""
        return [violation.field for violation in self.failure.violations] if self.failure else []


@contextmanager
def refused(reason: Reason) -> Iterator[Refused]:
    """Expect the call inside to be refused for this reason."""
    caught = Refused()
    with pytest.raises(grpc.aio.AioRpcError) as info:
        yield caught
    caught.failure = failure_of(info.value)
    assert caught.failure.reason is reason


class Trading(AccountServiceServicer, LimitServiceServicer, PersonalDataServiceServicer):
    """A server in trading's place that remembers for whom accounts were opened."""

    def __init__(self) -> None:
        self.protections: list[Protection] = []
        self.away = False
        self.opened_for: list[str] = []
        self.real_for: list[str] = []
        self.address = ""
        self.delay_seconds = 0.0
        self.obstacles: list[ErasureObstacle.ValueType] = []
        self.closed_for: list[str] = []

    async def OpenAccounts(  # noqa: N802  the name in the contract
        self, request: OpenAccountsRequest, context: object
    ) -> OpenAccountsResponse:
        await asyncio.sleep(self.delay_seconds)
        self.opened_for.append(request.user_id)
        if request.real:
            self.real_for.append(request.user_id)
        return OpenAccountsResponse()

    async def ApplyProtection(  # noqa: N802  the name in the contract
        self, request: ApplyProtectionRequest, context: Any
    ) -> ApplyProtectionResponse:
        if self.away:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "no leader")
        self.protections.append(request.protection)
        return ApplyProtectionResponse()

    async def CloseAccounts(  # noqa: N802  the name in the contract
        self, request: CloseAccountsRequest, context: Any
    ) -> CloseAccountsResponse:
        if self.away:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "no leader")
        if not request.validate_only and not self.obstacles:
            self.closed_for.append(request.user_id)
        return CloseAccountsResponse(obstacles=self.obstacles)

    async def ExportPersonalData(  # noqa: N802  the name in the contract
        self, request: ExportPersonalDataRequest, context: Any
    ) -> AsyncIterator[ExportPersonalDataResponse]:
        if self.away:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "no leader")
        for half in (b"order_id\r\n", request.user_id.encode()):
            yield ExportPersonalDataResponse(
                file_name="demo/orders.csv", about="Orders.", data=half
            )


@asynccontextmanager
async def running_identity(
    keys: Path, clock: ManualClock, access: Access, **changes: object
) -> AsyncIterator[Identity]:
    """Serve identity within the block, with some settings changed."""
    values: dict[str, Any] = {
        "mode": "development",
        "keys": keys,
        "documents_folder": keys / "documents",
        "database_url": SecretStr(access.service),
        "migration_url": SecretStr(access.owner),
        "password_memory_kib": 64,
        "password_iterations": 1,
        "drain_seconds": 0,
        **changes,
    }
    settings = Settings(**values)
    channels = Channels(Keyring.load(keys, "operator"), clock, deadline_seconds=PATIENCE_SECONDS)
    async with (
        build(settings, clock) as application,
        serving("identity", settings, application, clock) as running,
        channels.to("identity", running.address, anonymous=True) as anybody,
        channels.to("identity", running.address) as operator,
    ):
        assert application.revocations
        await application.revocations.revocations.until_known(PATIENCE_SECONDS)
        yield Identity(
            settings,
            clock,
            access,
            application.keyring,
            AuthServiceStub(anybody),
            ProfileServiceStub(anybody),
            JournalServiceStub(operator),
            MailboxServiceStub(operator),
            AuditServiceStub(anybody),
            KycServiceStub(anybody),
            HealthStub(anybody),
            running.address,
            application.revocations.revocations,
        )
