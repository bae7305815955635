"""Traders who do not give up: one request id for each order, repeated until the answer is definite.

They speak gRPC to the book's address, as the edge does, and write down what they were told.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from uuid import UUID, uuid4

import grpc

from services.kit.channels import Channels
from services.kit.clock import SystemClock
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.status import failure_of
from tests.faults.world import WELL_SECONDS, World
from veritick.trading.v1.account_service_pb2 import OpenAccountsRequest
from veritick.trading.v1.account_service_pb2_grpc import AccountServiceStub
from veritick.trading.v1.order_pb2 import DOWN, UP, Order
from veritick.trading.v1.order_service_pb2 import PlaceOrderRequest
from veritick.trading.v1.order_service_pb2_grpc import OrderServiceStub
from veritick.type.v1.money_pb2 import Money

INSTRUMENT = "BTCUSD"
STAKE = 100
DEADLINE_SECONDS = 3.0
_PAUSE_SECONDS = 0.05
_ASKED_AGAIN = 50
_INDEFINITE = {
    Reason.UNAVAILABLE,
    Reason.OUTCOME_UNKNOWN,
    Reason.DEADLINE_EXCEEDED,
    Reason.INTERNAL,
}
"""What leaves open whether the order exists. Every other reason says: it does not."""


@dataclass(frozen=True)
class Trader:
    """Somebody with an account in the book."""

    user_id: UUID
    account_id: str
    token: str = field(repr=False)


@dataclass
class Tally:
    """What the traders were told, by request id."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    """The order that exists."""
    refused: dict[str, str] = field(default_factory=dict)
    """The reason why none does."""
    unknown: dict[str, tuple[Trader, PlaceOrderRequest]] = field(default_factory=dict)
    asked: dict[str, tuple[Trader, PlaceOrderRequest]] = field(default_factory=dict)
    """Everything that was asked for."""
    attempts: int = 0
    replays: int = 0
    """How often an order was there already when it was asked for: nobody had heard of it."""
    doubles: int = 0
    """How often the same id was answered with another order."""
    _moments: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        refused = dict(Counter(self.refused.values()))
        return f"{len(self.acknowledged)} orders, {refused} refused, {len(self.unknown)} unknown"

    @property
    def orders(self) -> int:
        """How many orders were asked for."""
        return len(self.acknowledged) + len(self.refused) + len(self.unknown)

    @property
    def longest_wait_seconds(self) -> float:
        """The longest time in which no order was acknowledged: the outage as traders met it."""
        pairs = zip(self._moments, self._moments[1:], strict=False)
        return max((later - earlier for earlier, later in pairs), default=0.0)

    def refused_for(self, reason: Reason) -> int:
        """How many orders were refused for a reason."""
        return list(self.refused.values()).count(reason)

    def wait_seconds_after(self, moment: float) -> float:
        """How long after a moment, by the monotonic clock, the next order was acknowledged."""
        return next((at - moment for at in self._moments if at >= moment), 0.0)

    def acknowledge(self, request_id: str, order_id: str) -> None:
        """Note that an order exists."""
        if self.acknowledged.setdefault(request_id, order_id) != order_id:
            self.doubles += 1
        self.unknown.pop(request_id, None)
        self._moments.append(time.monotonic())


class Load:
    """A number of traders, and the orders they place."""

    def __init__(
        self, channel: grpc.aio.Channel, traders: Sequence[Trader], random: Random
    ) -> None:
        self.channel = channel
        self._stub = OrderServiceStub(channel)
        self._random = random
        self.traders = traders
        self.tally = Tally()
        self.deadline_seconds = DEADLINE_SECONDS
        self.duration_seconds = (5, 9)
        """The shortest and the longest order."""
        self._stopping = False

    @asynccontextmanager
    async def going_on(
        self, at_once: int = 16, pause_seconds: float = 0.05
    ) -> AsyncIterator[Tally]:
        """Place orders for as long as the block lasts; afterwards every id is asked about."""
        self._stopping = False
        async with asyncio.TaskGroup() as group:
            for number in range(at_once):
                trader = self.traders[number % len(self.traders)]
                group.create_task(self._trade(trader, pause_seconds))
            try:
                yield self.tally
            except BaseException as error:
                error.add_note(f"until then: {self.tally}")
                raise
            finally:
                self._stopping = True
        await self.ask_about_unknown()

    def stop(self) -> None:
        """Let no trader place another order."""
        self._stopping = True

    async def ask_again(self) -> None:
        """Ask for some of the acknowledged orders once more: each has one answer for ever."""
        known = sorted(self.tally.acknowledged)
        some = self._random.sample(known, min(_ASKED_AGAIN, len(known)))
        async with asyncio.TaskGroup() as group:
            for request_id in some:
                group.create_task(self._persist(*self.tally.asked[request_id]))

    async def ask_about_unknown(self) -> None:
        """Repeat every id without a definite answer until it has one."""
        for trader, request in list(self.tally.unknown.values()):
            await self._persist(trader, request)

    async def acknowledged_more(self, orders: int) -> None:
        """Wait until so many more orders are acknowledged: the platform is back."""
        wanted = len(self.tally.acknowledged) + orders
        deadline = time.monotonic() + WELL_SECONDS
        while len(self.tally.acknowledged) < wanted:
            assert time.monotonic() < deadline, "no orders any more"
            await asyncio.sleep(_PAUSE_SECONDS)

    async def opens_nothing(self, reason: Reason, seconds: float) -> None:
        """Wait until orders are refused for a reason; from then on none is accepted so long."""
        wanted = self.tally.refused_for(reason) + 21
        deadline = time.monotonic() + WELL_SECONDS
        while self.tally.refused_for(reason) < wanted:
            assert time.monotonic() < deadline, f"no orders are refused for {reason}"
            await asyncio.sleep(_PAUSE_SECONDS)
        opened = len(self.tally.acknowledged)
        await asyncio.sleep(seconds)
        assert len(self.tally.acknowledged) == opened

    def request(self, trader: Trader, seconds: int | None = None) -> PlaceOrderRequest:
        """Return a fresh request."""
        return PlaceOrderRequest(
            account_id=trader.account_id,
            request_id=str(uuid4()),
            instrument=INSTRUMENT,
            direction=UP if self._random.random() < 0.5 else DOWN,
            stake=Money(currency_code="USD", minor_units=STAKE),
            duration_seconds=seconds or self._random.randint(*self.duration_seconds),
        )

    async def attempt(self, trader: Trader, request: PlaceOrderRequest, seconds: float) -> Order:
        """Ask once. Failure: whatever came instead of an order."""
        self.tally.attempts += 1
        metadata = (("authorization", f"Bearer {trader.token}"),)
        try:
            answer = await self._stub.PlaceOrder(request, timeout=seconds, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            raise failure_of(error) from error
        self.tally.replays += answer.replay
        order: Order = answer.order
        return order

    async def _trade(self, trader: Trader, pause_seconds: float) -> None:
        while not self._stopping:
            await self._persist(trader, self.request(trader))
            await asyncio.sleep(pause_seconds * self._random.uniform(0.5, 1.5))

    async def _persist(self, trader: Trader, request: PlaceOrderRequest) -> None:
        tally = self.tally
        tally.asked[request.request_id] = tally.unknown[request.request_id] = (trader, request)
        deadline = time.monotonic() + WELL_SECONDS
        while time.monotonic() < deadline:
            try:
                order = await self.attempt(trader, request, self.deadline_seconds)
            except Failure as failure:
                if failure.reason not in _INDEFINITE:
                    tally.refused[request.request_id] = failure.reason
                    del tally.unknown[request.request_id]
                    return
            else:
                tally.acknowledge(request.request_id, order.order_id)
                return
            await asyncio.sleep(_PAUSE_SECONDS)


@asynccontextmanager
async def trading(
    world: World, seed: int, *, traders: int = 8, address: str | None = None
) -> AsyncIterator[Load]:
    """Let new traders come to the book, at its own address or at another."""
    channels = Channels(world.operator_keys, SystemClock())
    async with channels.to("trading", address or world.ports.address("trading")) as channel:
        found = [await _newcomer(world, channel) for _ in range(traders)]
        yield Load(channel, found, Random(seed))


async def _newcomer(world: World, channel: grpc.aio.Channel) -> Trader:
    accounts = AccountServiceStub(channel)
    user_id = uuid4()
    request = OpenAccountsRequest(user_id=str(user_id))
    deadline = time.monotonic() + WELL_SECONDS
    while True:
        try:
            answer = await accounts.OpenAccounts(request)
        except grpc.aio.AioRpcError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return Trader(user_id, answer.accounts[0].account_id, world.user_token(user_id))
