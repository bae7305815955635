"""The face of the platform for programs outside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime, timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Literal, Self, TypeVar

import httpx
from google.protobuf.message import Message

from veritick.clock import ServerClock
from veritick.errors import VeritickError
from veritick.identity.v1.auth_service_pb2 import (
    CreateStreamTicketRequest,
    CreateStreamTicketResponse,
    LogInRequest,
    LogInResponse,
    LogOutRequest,
    LogOutResponse,
    RegisterRequest,
    RegisterResponse,
)
from veritick.identity.v1.user_pb2 import Session, User
from veritick.journal.v1.account_event_service_pb2 import (
    ListAccountEventsRequest,
    ListAccountEventsResponse,
)
from veritick.journal.v1.journal_service_pb2 import JournalEntry
from veritick.orders import DirectionName, order_request
from veritick.pace import Pace
from veritick.quotes.v1.instrument_pb2 import Tick
from veritick.rest import Answer, Rest
from veritick.route import route_of
from veritick.session import Tokens
from veritick.settlement.v1.receipt_service_pb2 import (
    GetReceiptRequest,
    GetReceiptResponse,
    Receipt,
)
from veritick.socket import Door
from veritick.stream import Streams
from veritick.trading.v1.account_pb2 import Account, Book
from veritick.trading.v1.account_service_pb2 import ListAccountsRequest, ListAccountsResponse
from veritick.trading.v1.order_pb2 import Order
from veritick.trading.v1.order_service_pb2 import (
    GetOrderRequest,
    GetOrderResponse,
    PlaceOrderRequest,
    PlaceOrderResponse,
)

R = TypeVar("R", bound=Message)
BookName = Literal["DEMO", "REAL", "TOURNAMENT"]

_TIMEOUT = httpx.Timeout(10, connect=3)
_VALID_FOR = timedelta(seconds=5)
_WHOLE_JOURNAL = 2**62
_REPLAY = "idempotent-replayed"


class Veritick:
    """One connection to a platform, and at most one signed-in user.

    Safe to share between tasks of one event loop. Every method raises VeritickError for what the
    platform refuses; calls that failed on the way are made again where that is safe.
    """

    def __init__(
        self,
        url: str,
        *,
        stream_url: str | None = None,
        pace: Pace | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Speak to the edge at `url`; use `connect`, which reads better."""
        pace = pace or Pace()
        self._http = httpx.AsyncClient(
            base_url=url, timeout=_TIMEOUT, transport=transport, cookies=_no_cookies()
        )
        self._stream_url = stream_url or default_stream_url(url)
        self._pace = pace
        self.clock = ServerClock()
        self._rest = Rest(self._http, self.clock, pace)
        self._tokens = Tokens(self._rest, self.clock)
        self._streams = Streams(self.call, self._door, pace)

    @classmethod
    def connect(cls, url: str, *, stream_url: str | None = None, pace: Pace | None = None) -> Self:
        """Return a client of the platform at `url`, such as `http://127.0.0.1:8080`.

        Use it as `async with Veritick.connect(url) as veritick`. Nothing is sent yet. `stream_url`
        is needed only to read public channels without signing in, where the socket is neither on
        the next port nor, behind an ingress, on the same origin.
        """
        return cls(url, stream_url=stream_url, pace=pace)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections. The session stays open; `log_out` ends it."""
        await self._http.aclose()

    async def call(self, request: Message, response: type[R], /) -> R:
        """Make any call of the contract that the edge offers.

        The request says which: `await veritick.call(ListInstrumentsRequest(),
        ListInstrumentsResponse)`.
        """
        return (await self._call(request, response)).message

    async def download(self, request: Message, /) -> AsyncGenerator[bytes, None]:
        """Yield the pieces of a file that the edge offers, such as that of `ExportOrdersRequest`.

        The file is whole only when this ends without an error.
        """
        token = await self._tokens.access_token()
        async for piece in self._rest.download(request, token):
            yield piece

    # ---- who ------------------------------------------------------------------------------------

    @property
    def session(self) -> Session | None:
        """The session with its newest tokens; None when nobody is signed in."""
        return self._tokens.session

    async def register(self, email: str, password: str) -> User:
        """Register a user; does not sign in. Errors: EMAIL_TAKEN, PASSWORD_TOO_WEAK."""
        request = RegisterRequest(email=email, password=password)
        return (await self.call(request, RegisterResponse)).user

    async def log_in(
        self, email: str, password: str, *, code: str = "", register: bool = False
    ) -> Session:
        """Sign in, and stay so: tokens are renewed as needed.

        Who has a second factor gives its present `code`, or a recovery code. With `register` the
        address is registered first, unless it is taken. Errors: INVALID_CREDENTIALS,
        SECOND_FACTOR_REQUIRED, CODE_INVALID, USER_BLOCKED, and those of `register`.
        """
        if register:
            await self._register_unless_taken(email, password)
        request = LogInRequest(email=email, password=password, code=code)
        session = (await self.call(request, LogInResponse)).session
        self._tokens.begin(session)
        return session

    def resume(self, session: Session) -> None:
        """Go on with a session that was kept from before, instead of signing in.

        Only one client may hold a session: its refresh token works once.
        """
        self._tokens.begin(session)

    async def log_out(self) -> None:
        """End the session; its tokens stop working."""
        await self.call(LogOutRequest(), LogOutResponse)
        self._tokens.end()

    # ---- money ----------------------------------------------------------------------------------

    async def accounts(self) -> list[Account]:
        """Return the user's accounts with their balances, demo first."""
        return list((await self.call(ListAccountsRequest(), ListAccountsResponse)).accounts)

    async def account(self, book: BookName = "DEMO") -> Account:
        """Return the user's account in a book.

        That of a new user may take a moment to appear; raises ACCOUNT_NOT_FOUND if it does not.
        """
        for attempt in range(1, self._pace.attempts_max + 1):
            for account in await self.accounts():
                if account.book == Book.Value(book):
                    return account
            if attempt < self._pace.attempts_max:
                await asyncio.sleep(self._pace.wait_seconds(attempt))
        raise VeritickError("ACCOUNT_NOT_FOUND", f"The user has no account in the book {book}.")

    async def place(
        self,
        account: Account,
        instrument: str,
        direction: DirectionName,
        *,
        stake_minor_units: int,
        duration_seconds: int | None = None,
        expire_time: datetime | None = None,
        min_payout_bp: int | None = None,
        valid_for: timedelta = _VALID_FOR,
    ) -> Order:
        """Buy an order, and return it as it was opened and paid for.

        However often the attempt has to be repeated, it is one request: one `request_id`, and one
        `valid_until`, which lies `valid_for` ahead in the platform's time as measured from its
        answers. So at most one order opens, and none later than that.
        Errors: see `OrderService.PlaceOrder`. After UNAVAILABLE, DEADLINE_EXCEEDED or
        OUTCOME_UNKNOWN it is not known whether the order exists; who must know makes the request
        with `veritick.orders.order_request` and repeats `submit` with it.
        """
        request = order_request(
            account,
            instrument,
            direction,
            stake_minor_units=stake_minor_units,
            valid_until=self.clock.now() + valid_for,
            duration_seconds=duration_seconds,
            expire_time=expire_time,
            min_payout_bp=min_payout_bp,
        )
        return (await self.submit(request)).order

    async def submit(self, request: PlaceOrderRequest) -> PlaceOrderResponse:
        """Send an order request, for the first time or again.

        `replay` in the response tells that an earlier attempt had opened the order.
        """
        answer = await self._call(request, PlaceOrderResponse)
        answer.message.replay = answer.headers.get(_REPLAY) == "true"
        return answer.message

    async def order(self, account_id: str, order_id: str) -> Order:
        """Return an order as it is now. Errors: ACCOUNT_NOT_FOUND, ORDER_NOT_FOUND."""
        request = GetOrderRequest(account_id=account_id, order_id=order_id)
        return (await self.call(request, GetOrderResponse)).order

    async def settled(self, order: Order) -> Order:
        """Wait until an order is closed, and return it so.

        Waits for as long as it takes: limit it with `asyncio.timeout`.
        """
        begin = await self.last_sequence(order.account_id)
        current = await self.order(order.account_id, order.order_id)
        if current.state == Order.CLOSED:
            return current
        async with aclosing(self.events(order.account_id, after=begin)) as events:
            async for entry in events:
                closed = entry.event.order_settled.order
                if closed.order_id == order.order_id:
                    return closed
        raise AssertionError("a stream ends only by an error")

    async def receipt(self, order: Order) -> Receipt:
        """Return the proof of how a closed order was settled.

        It is issued right after the close, so this waits for it a little.
        Errors: RECEIPT_NOT_FOUND.
        """
        request = GetReceiptRequest(order_id=order.order_id)
        for attempt in range(1, self._pace.attempts_max):
            try:
                return (await self.call(request, GetReceiptResponse)).receipt
            except VeritickError as error:
                if error.reason != "RECEIPT_NOT_FOUND" or order.state != Order.CLOSED:
                    raise
            await asyncio.sleep(self._pace.wait_seconds(attempt))
        return (await self.call(request, GetReceiptResponse)).receipt

    # ---- streams --------------------------------------------------------------------------------

    def events(self, account_id: str, *, after: int = 0) -> AsyncGenerator[JournalEntry, None]:
        """Stream what happens to an account after a sequence: the past, then the present.

        Each event comes once and in order, over lost connections and restarts. Keep the `sequence`
        of the last one to go on from there another time. `position` and `time` are set only on
        what lies in the past, for the socket does not tell them.

        Errors: SEQUENCE_AHEAD when that sequence has not been reached, for the platform was
        restored from a backup: read the account anew, and go on after `last_sequence`.
        """
        return self._streams.account_events(account_id, after)

    async def last_sequence(self, account_id: str) -> int:
        """Return the sequence of the last thing that happened to an account; 0: nothing yet."""
        request = ListAccountEventsRequest(account_id=account_id, after=_WHOLE_JOURNAL, page_size=1)
        return (await self.call(request, ListAccountEventsResponse)).last_sequence

    def ticks(self, *instruments: str) -> AsyncGenerator[Tick, None]:
        """Stream prices from now on, beginning with the last of each instrument.

        A reader that is slower than the market misses ticks, but never the latest.
        """
        return self._streams.ticks(instruments)

    # ---- inside ---------------------------------------------------------------------------------

    async def _call(self, request: Message, response: type[R]) -> Answer[R]:
        if route_of(request.DESCRIPTOR).credential:
            return await self._rest.call(request, response, token=None)
        token = await self._tokens.access_token()
        try:
            return await self._rest.call(request, response, token)
        except VeritickError as error:
            if token is None or error.reason != "TOKEN_EXPIRED":
                raise
        return await self._rest.call(request, response, await self._tokens.renewed(token))

    async def _register_unless_taken(self, email: str, password: str) -> None:
        try:
            await self.register(email, password)
        except VeritickError as error:
            if error.reason != "EMAIL_TAKEN":
                raise

    async def _door(self) -> Door:
        if self.session is None:
            return Door(self._stream_url)
        request = CreateStreamTicketRequest()
        answer = await self.call(request, CreateStreamTicketResponse)
        return Door(answer.url or self._stream_url, answer.ticket)


def default_stream_url(url: str) -> str:
    """Return where the socket of a platform at `url` is: the next port, or the same origin."""
    base = httpx.URL(url)
    scheme = "wss" if base.scheme == "https" else "ws"
    port = None if base.port is None else base.port + 1
    return str(base.copy_with(scheme=scheme, port=port, path="/v1/stream"))


def _no_cookies() -> CookieJar:
    """Return a jar that keeps nothing: cookies are for browsers, programs carry a token."""
    return CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
