"""Services in the place of the real ones: they keep their contract, in memory, behind real gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from google.api.httpbody_pb2 import HttpBody

from services.kit.clock import Clock
from services.kit.errors import Failure
from services.kit.origin import Origin, origin
from services.kit.principal import caller
from services.kit.reason import Reason
from services.kit.tokens import USER_AUDIENCE, Keyring
from services.kit.wire import to_timestamp
from veritick.identity.v1.api_key_service_pb2 import ExchangeApiKeyRequest, ExchangeApiKeyResponse
from veritick.identity.v1.api_key_service_pb2_grpc import ApiKeyServiceServicer
from veritick.identity.v1.auth_service_pb2 import (
    CreateStreamTicketRequest,
    CreateStreamTicketResponse,
    LogInRequest,
    LogInResponse,
    LogOutRequest,
    LogOutResponse,
    RefreshSessionRequest,
    RefreshSessionResponse,
    RegisterRequest,
    RegisterResponse,
)
from veritick.identity.v1.auth_service_pb2_grpc import AuthServiceServicer
from veritick.identity.v1.kyc_document_pb2 import KycDocument
from veritick.identity.v1.kyc_service_pb2 import (
    UploadDocumentPartRequest,
    UploadDocumentPartResponse,
)
from veritick.identity.v1.kyc_service_pb2_grpc import KycServiceServicer
from veritick.identity.v1.maintenance_service_pb2 import (
    GetMaintenanceRequest,
    GetMaintenanceResponse,
    Maintenance,
)
from veritick.identity.v1.maintenance_service_pb2_grpc import MaintenanceServiceServicer
from veritick.identity.v1.profile_service_pb2 import GetProfileRequest, GetProfileResponse
from veritick.identity.v1.profile_service_pb2_grpc import ProfileServiceServicer
from veritick.identity.v1.user_pb2 import Session, User
from veritick.quotes.v1.instrument_pb2 import Instrument
from veritick.quotes.v1.instrument_service_pb2 import (
    GetInstrumentRequest,
    GetInstrumentResponse,
    ListInstrumentsRequest,
    ListInstrumentsResponse,
    UpdateInstrumentRequest,
    UpdateInstrumentResponse,
)
from veritick.quotes.v1.instrument_service_pb2_grpc import InstrumentServiceServicer
from veritick.trading.v1.account_pb2 import Account, Book
from veritick.trading.v1.account_service_pb2 import (
    GetAccountRequest,
    GetAccountResponse,
    RefillDemoAccountRequest,
    RefillDemoAccountResponse,
)
from veritick.trading.v1.account_service_pb2_grpc import AccountServiceServicer
from veritick.trading.v1.order_pb2 import Order
from veritick.trading.v1.order_service_pb2 import (
    GetProposalRequest,
    GetProposalResponse,
    PlaceOrderRequest,
    PlaceOrderResponse,
    Proposal,
)
from veritick.trading.v1.order_service_pb2_grpc import OrderServiceServicer
from veritick.trading.v1.report_service_pb2 import ExportOrdersRequest, ExportOrdersResponse
from veritick.trading.v1.report_service_pb2_grpc import ReportServiceServicer
from veritick.type.v1.money_pb2 import Money

PASSWORD = "correct horse battery"
KEY = "vtk_good"
KEY_OWNER = "0199a1b2-0000-7000-8000-000000000009"
ACCESS_LIFETIME = timedelta(minutes=15)
REFRESH_LIFETIME = timedelta(days=7)
SLOW, BROKEN, SHUT = "SLOW", "BROKEN", "SHUT"
"""Instruments on which placing takes for ever, fails by a fault, and is refused."""

Context = Any


@dataclass
class Identity(AuthServiceServicer, ProfileServiceServicer):
    """Users who all have one password."""

    keyring: Keyring
    clock: Clock
    users: dict[str, User] = field(default_factory=dict)
    refreshes: dict[str, str] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)

    def token(
        self,
        user_id: str,
        *permissions: str,
        age: timedelta = timedelta(0),
        session_id: str | None = None,
    ) -> str:
        """Return an access token made `age` ago."""
        claims = {"aud": USER_AUDIENCE, "sub": user_id, "sid": session_id or str(uuid4())}
        claims["perm"] = list(permissions)  # type: ignore[assignment]
        return self.keyring.sign(claims, ACCESS_LIFETIME, self.clock.now() - age)

    def register(self, email: str) -> None:
        """Let somebody sign in."""
        self.users[email] = User(user_id=str(uuid4()), email=email)

    async def Register(self, request: RegisterRequest, context: Context) -> RegisterResponse:
        if request.email in self.users:
            raise Failure(Reason.EMAIL_TAKEN, "This address is in use.")
        user = self.users[request.email] = User(user_id=str(uuid4()), email=request.email)
        return RegisterResponse(user=user)

    async def LogIn(self, request: LogInRequest, context: Context) -> LogInResponse:
        self.origins.append(origin())
        user = self.users.get(request.email)
        if user is None or request.password != PASSWORD:
            raise Failure(Reason.INVALID_CREDENTIALS, "Address or password is wrong.")
        return LogInResponse(session=self._session(user.user_id))

    async def RefreshSession(
        self, request: RefreshSessionRequest, context: Context
    ) -> RefreshSessionResponse:
        user_id = self.refreshes.pop(request.refresh_token, None)
        if user_id is None:
            raise Failure(Reason.REFRESH_TOKEN_REUSED, "This token was used before.")
        return RefreshSessionResponse(session=self._session(user_id))

    async def LogOut(self, request: LogOutRequest, context: Context) -> LogOutResponse:
        self.ended.append(caller().id)
        return LogOutResponse()

    async def CreateStreamTicket(
        self, request: CreateStreamTicketRequest, context: Context
    ) -> CreateStreamTicketResponse:
        return CreateStreamTicketResponse(ticket="ticket", url="ws://localhost/v1/stream")

    async def GetProfile(self, request: GetProfileRequest, context: Context) -> GetProfileResponse:
        metadata = dict(context.invocation_metadata())
        self.request_ids.append(metadata["x-request-id"])
        self.origins.append(origin())
        return GetProfileResponse(user=User(user_id=caller().id, email="ana@example.com"))

    def _session(self, user_id: str) -> Session:
        now = self.clock.now()
        refresh_token, session_id = uuid4().hex, str(uuid4())
        self.refreshes[refresh_token] = user_id
        return Session(
            session_id=session_id,
            user_id=user_id,
            access_token=self.token(user_id, session_id=session_id),
            refresh_token=refresh_token,
            expire_time=to_timestamp(now + ACCESS_LIFETIME),
            refresh_expire_time=to_timestamp(now + REFRESH_LIFETIME),
        )


@dataclass
class ApiKeys(ApiKeyServiceServicer):
    """One key that is good, and how often it was exchanged."""

    identity: Identity
    exchanged: list[Origin] = field(default_factory=list)
    grants: list[str] = field(default_factory=list)

    async def ExchangeApiKey(
        self, request: ExchangeApiKeyRequest, context: Context
    ) -> ExchangeApiKeyResponse:
        self.exchanged.append(origin())
        if request.secret != KEY:
            raise Failure(Reason.KEY_INVALID, "This API key is not valid.")
        now = self.identity.clock.now()
        self.grants.append(str(uuid4()))
        grant = {"key": self.grants[-1], "scope": ["TRADE"]}
        claims = {"aud": USER_AUDIENCE, "sub": KEY_OWNER, **grant}
        token = self.identity.keyring.sign(claims, ACCESS_LIFETIME, now)
        return ExchangeApiKeyResponse(
            access_token=token, expire_time=to_timestamp(now + ACCESS_LIFETIME)
        )


@dataclass
class Kyc(KycServiceServicer):
    """Parts of documents, as they came."""

    parts: list[UploadDocumentPartRequest] = field(default_factory=list)

    async def UploadDocumentPart(
        self, request: UploadDocumentPartRequest, context: Context
    ) -> UploadDocumentPartResponse:
        self.parts.append(request)
        received = request.offset + len(request.content.data)
        document = KycDocument(document_id=request.document_id, received=received)
        return UploadDocumentPartResponse(document=document)


@dataclass
class Quotes(InstrumentServiceServicer):
    """Many instruments, and whatever staff make of them."""

    asked: list[ListInstrumentsRequest] = field(default_factory=list)
    updated: list[Instrument] = field(default_factory=list)

    async def ListInstruments(
        self, request: ListInstrumentsRequest, context: Context
    ) -> ListInstrumentsResponse:
        self.asked.append(request)
        instruments = [Instrument(symbol=f"COIN{n}", price_scale=2) for n in range(50)]
        return ListInstrumentsResponse(instruments=instruments)

    async def GetInstrument(
        self, request: GetInstrumentRequest, context: Context
    ) -> GetInstrumentResponse:
        symbol = request.instrument
        raise Failure(
            Reason.INSTRUMENT_NOT_FOUND, "No such instrument.", metadata={"instrument": symbol}
        )

    async def UpdateInstrument(
        self, request: UpdateInstrumentRequest, context: Context
    ) -> UpdateInstrumentResponse:
        self.updated.append(request.instrument)
        return UpdateInstrumentResponse(instrument=request.instrument)


class Switch(MaintenanceServiceServicer):
    """The switch of the platform, which a test turns."""

    def __init__(self) -> None:
        self.now = Maintenance()

    async def GetMaintenance(
        self, request: GetMaintenanceRequest, context: Context
    ) -> GetMaintenanceResponse:
        return GetMaintenanceResponse(maintenance=self.now)


@dataclass
class Trading(AccountServiceServicer, OrderServiceServicer, ReportServiceServicer):
    """A book in which everything is accepted once."""

    orders: dict[str, PlaceOrderRequest] = field(default_factory=dict)
    proposals: list[GetProposalRequest] = field(default_factory=list)
    slow_seconds: float = 30
    slow_calls: int = 0
    exports_open: int = 0

    async def ExportOrders(
        self, request: ExportOrdersRequest, context: Context
    ) -> AsyncIterator[ExportOrdersResponse]:
        """Answer two pieces; the filter says what happens before, between or after them."""
        self.exports_open += 1
        try:
            if request.filter == SHUT:
                raise Failure(Reason.INVALID_FILTER, "No such filter.")
            yield _piece(b"order_id\r\n")
            if request.filter == BROKEN:
                raise ValueError("the secret inside")
            if request.filter == SLOW:
                await asyncio.sleep(self.slow_seconds)
            yield _piece(b"demo_1\r\n")
        finally:
            self.exports_open -= 1

    async def GetAccount(self, request: GetAccountRequest, context: Context) -> GetAccountResponse:
        return GetAccountResponse(account=_account(request.account_id, 0))

    async def RefillDemoAccount(
        self, request: RefillDemoAccountRequest, context: Context
    ) -> RefillDemoAccountResponse:
        return RefillDemoAccountResponse(account=_account(request.account_id, 1_000_000))

    async def GetProposal(
        self, request: GetProposalRequest, context: Context
    ) -> GetProposalResponse:
        self.proposals.append(request)
        return GetProposalResponse(proposal=Proposal(payout_bp=8_500))

    async def PlaceOrder(self, request: PlaceOrderRequest, context: Context) -> PlaceOrderResponse:
        if request.instrument == SLOW:
            self.slow_calls += 1
            await asyncio.sleep(self.slow_seconds)
        if request.instrument == BROKEN:
            raise ValueError("the secret inside")
        if request.instrument == SHUT:
            raise Failure(
                Reason.MARKET_CLOSED, "Closed.", metadata={"next_open_time": "2026-11-24T00:00:00Z"}
            )
        before = self.orders.setdefault(request.request_id, request)
        if before.SerializeToString() != request.SerializeToString():
            raise Failure(Reason.REQUEST_ID_REUSED, "Used for another request.")
        order = Order(
            order_id=f"demo_{UUID(request.request_id)}",
            account_id=request.account_id,
            request_id=request.request_id,
            instrument=request.instrument,
            direction=request.direction,
            stake=request.stake,
            state=Order.OPEN,
        )
        return PlaceOrderResponse(order=order, replay=before is not request)


def _account(account_id: str, minor_units: int) -> Account:
    money = Money(currency_code="USD", minor_units=minor_units)
    return Account(account_id=account_id, book=Book.DEMO, currency_code="USD", posted=money)


def _piece(data: bytes) -> ExportOrdersResponse:
    body = HttpBody(content_type="text/csv; charset=utf-8", data=data)
    return ExportOrdersResponse(body=body, file_name='orders "of" 2026.csv')
