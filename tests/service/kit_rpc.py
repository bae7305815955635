"""A server of real contracts whose behaviour a test decides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import grpc

from services.kit.channels import Channels, failure_of
from services.kit.clock import ManualClock, SystemClock
from services.kit.errors import Failure
from services.kit.process import Application, Task, serving
from services.kit.refusals import Refusals
from services.kit.revocations import Revocations
from services.kit.settings import ServiceSettings
from services.kit.tokens import USER_AUDIENCE, Keyring
from tests.waiting import PATIENCE_SECONDS
from veritick.journal.v1 import account_event_service_pb2 as events
from veritick.journal.v1.account_event_service_pb2_grpc import (
    AccountEventServiceServicer,
    AccountEventServiceStub,
    add_AccountEventServiceServicer_to_server,
)
from veritick.trading.v1 import account_service_pb2 as accounts
from veritick.trading.v1 import terms_service_pb2 as terms
from veritick.trading.v1.account_service_pb2_grpc import (
    AccountServiceServicer,
    AccountServiceStub,
    add_AccountServiceServicer_to_server,
)
from veritick.trading.v1.terms_service_pb2_grpc import (
    TermsServiceServicer,
    TermsServiceStub,
    add_TermsServiceServicer_to_server,
)

if TYPE_CHECKING:
    from veritick.journal.v1.account_event_service_pb2_grpc import AccountEventServiceAsyncStub
    from veritick.trading.v1.account_service_pb2_grpc import AccountServiceAsyncStub
    from veritick.trading.v1.terms_service_pb2_grpc import TermsServiceAsyncStub

USER = UUID("01a209d1-efa8-70a2-9430-cb29a9d3bcb3")
Behaviour = Callable[[], Awaitable[object]]


async def nothing() -> None:
    """Do as every handler does that meets no trouble."""


class Terms(TermsServiceServicer):
    """One method for anybody, one that needs a permission."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def ListTerms(
        self, request: terms.ListTermsRequest, context: Any
    ) -> terms.ListTermsResponse:
        await self._server.behave()
        return terms.ListTermsResponse(next_page_token=self._server.answer())

    async def UpdateTerms(
        self, request: terms.UpdateTermsRequest, context: Any
    ) -> terms.UpdateTermsResponse:
        await self._server.behave()
        return terms.UpdateTermsResponse(terms=request.terms)


class Accounts(AccountServiceServicer):
    """One method for users, one for services."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def ListAccounts(
        self, request: accounts.ListAccountsRequest, context: Any
    ) -> accounts.ListAccountsResponse:
        await self._server.behave()
        return accounts.ListAccountsResponse()

    async def OpenAccounts(
        self, request: accounts.OpenAccountsRequest, context: Any
    ) -> accounts.OpenAccountsResponse:
        await self._server.behave()
        return accounts.OpenAccountsResponse()


class Events(AccountEventServiceServicer):
    """One stream, on which a test says what comes."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def WatchAccountEvents(
        self, request: events.WatchAccountEventsRequest, context: Any
    ) -> AsyncIterator[events.WatchAccountEventsResponse]:
        while await self._server.behave():
            yield events.WatchAccountEventsResponse()


@dataclass
class Server:
    """A server named `trading`, and ways to call it."""

    keys: Path
    clock: ManualClock
    behave: Behaviour = nothing
    answer: Callable[[], str] = str
    address: str = ""
    channel: Any = None

    @property
    def terms(self) -> TermsServiceAsyncStub:
        """Call without any token but what a test adds."""
        stub: TermsServiceAsyncStub = TermsServiceStub(self.channel)
        return stub

    @property
    def events(self) -> AccountEventServiceAsyncStub:
        """Call without any token but what a test adds."""
        stub: AccountEventServiceAsyncStub = AccountEventServiceStub(self.channel)
        return stub

    @property
    def accounts(self) -> AccountServiceAsyncStub:
        """Call without any token but what a test adds."""
        stub: AccountServiceAsyncStub = AccountServiceStub(self.channel)
        return stub

    def keyring(self, name: str) -> Keyring:
        """Return the keys of a service."""
        return Keyring.load(self.keys, name)

    def user_token(self, *permissions: str, issuer: str = "identity", **claims: Any) -> str:
        """Return an access token."""
        given = {"sub": str(USER), "aud": USER_AUDIENCE, "sid": "s", "perm": list(permissions)}
        lifetime = timedelta(minutes=15)
        return self.keyring(issuer).sign(given | claims, lifetime, self.clock.now())

    def service_token(self, name: str, audience: str = "trading", **claims: Any) -> str:
        """Return a token of a service."""
        given = {"sub": name, "aud": audience}
        return self.keyring(name).sign(given | claims, timedelta(seconds=60), self.clock.now())

    def channels(self, name: str) -> Channels:
        """Return what a service calls others with."""
        return Channels(self.keyring(name), self.clock, deadline_seconds=PATIENCE_SECONDS)


@dataclass
class HeardElsewhere:
    """Revocations that a test makes by itself."""

    revocations: Revocations

    async def run(self) -> None:
        """Have nothing to do."""
        await asyncio.Event().wait()


@asynccontextmanager
async def running_server(
    keys: Path,
    clock: ManualClock,
    ready: Callable[[], bool] = lambda: True,
    revocations: Revocations | None = None,
    refusals: Refusals | None = None,
    drain_seconds: float = 2,
    **tasks: Task,
) -> AsyncIterator[Server]:
    """Serve both services within the block."""
    server = Server(keys, clock)
    application = Application(
        keyring=Keyring.load(keys, None),
        faces=[
            (add_TermsServiceServicer_to_server, Terms(server)),
            (add_AccountServiceServicer_to_server, Accounts(server)),  # type: ignore[abstract]
            (add_AccountEventServiceServicer_to_server, Events(server)),  # type: ignore[abstract]
        ],
        tasks=tasks,
        ready=ready,
        revocations=HeardElsewhere(revocations) if revocations else None,
        refusals=refusals,
    )
    settings = ServiceSettings(mode="development", drain_seconds=drain_seconds)
    anonymous = Channels(
        Keyring.load(keys, "edge"), SystemClock(), deadline_seconds=PATIENCE_SECONDS
    )
    async with serving("trading", settings, application, clock) as running:
        server.address = running.address
        async with anonymous.to("trading", running.address, anonymous=True) as server.channel:
            yield server


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata that carries a token."""
    return (("authorization", f"Bearer {token}"),)


async def refusal(call: Awaitable[object]) -> Failure:
    """Return why a call was refused."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return failure_of(error)
    raise AssertionError("the call was not refused")
