"""People who trade on a running platform, through the Python client as anybody would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from tests.platform import Platform
from tests.waiting import PATIENCE_SECONDS
from veritick import Veritick
from veritick.identity.v1.user_pb2 import Session
from veritick.orders import order_request
from veritick.quotes.v1.fixing_service_pb2 import FEED_SILENT, NO_TICK
from veritick.quotes.v1.instrument_pb2 import Instrument, Market
from veritick.quotes.v1.instrument_service_pb2 import (
    ListInstrumentsRequest,
    ListInstrumentsResponse,
)
from veritick.trading.v1.account_pb2 import Account, Entry
from veritick.trading.v1.account_service_pb2 import ListEntriesRequest, ListEntriesResponse
from veritick.trading.v1.order_pb2 import Order
from veritick.trading.v1.order_service_pb2 import PlaceOrderRequest

PASSWORD = "analytical engine"
OPENING_MINOR_UNITS = 1_000_000
STAKE = 1_000
VALID_FOR = timedelta(seconds=60)
"""How long an order may be on its way, on a machine that may be busy."""

UNENDING = 3_600
"""Longer than all tests take: an order that moves no money while others look at it."""

HELD_UP = {FEED_SILENT, NO_TICK}
"""Why there may be no price where the whole machine is too busy to make one in time."""


@dataclass(frozen=True)
class Credentials:
    """Who somebody is, and the session he has."""

    email: str
    session: Session


async def newcomer(platform: Platform) -> Credentials:
    """Register somebody new, and sign him in."""
    email = f"trader-{uuid4()}@example.com"
    async with Veritick.connect(platform.url) as veritick:
        return Credentials(email, await veritick.log_in(email, PASSWORD, register=True))


@dataclass
class Trader:
    """A signed-in trader with his demo account, on the default instrument."""

    veritick: Veritick
    account: Account
    instrument: str

    async def order_request(
        self, stake: int = STAKE, seconds: int = 5, instrument: str | None = None
    ) -> PlaceOrderRequest:
        """Return a fresh request that the platform will accept as it is."""
        return order_request(
            self.account,
            instrument or self.instrument,
            "UP",
            stake_minor_units=stake,
            duration_seconds=seconds,
            valid_until=self.veritick.clock.now() + VALID_FOR,
        )

    async def buy(self, stake: int = STAKE, seconds: int = 5) -> Order:
        """Place an order."""
        return await self.veritick.place(
            self.account,
            self.instrument,
            "UP",
            stake_minor_units=stake,
            duration_seconds=seconds,
            valid_for=VALID_FOR,
        )

    async def settled(self, order: Order) -> Order:
        """Wait for an order to be settled, but not for ever."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.veritick.settled(order)

    async def balance(self) -> Account:
        """Return the account as it is now."""
        return await self.veritick.account("DEMO")

    async def entries(self, page_size: int = 100) -> list[Entry]:
        """Return the whole statement, newest first."""
        request = ListEntriesRequest(account_id=self.account.account_id, page_size=page_size)
        found: list[Entry] = []
        while True:
            page = await self.veritick.call(request, ListEntriesResponse)
            assert len(page.entries) <= page_size
            found.extend(page.entries)
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token


@asynccontextmanager
async def trading(platform: Platform, who: Credentials) -> AsyncIterator[Trader]:
    """Let somebody trade."""
    async with Veritick.connect(platform.url) as veritick:
        veritick.resume(who.session)
        instrument = await default_instrument(veritick)
        yield Trader(veritick, await veritick.account("DEMO"), instrument.symbol)


async def default_instrument(veritick: Veritick) -> Instrument:
    """Return the instrument that a newcomer sees first.

    On a busy machine the feed may be silent for a moment, and then no market is open.
    """
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            listed = await veritick.call(ListInstrumentsRequest(), ListInstrumentsResponse)
            for each in listed.instruments:
                if each.status == Instrument.ENABLED and each.market_status == Market.OPEN:
                    return each
            await asyncio.sleep(0.1)


def assert_adds_up(entries: list[Entry], account: Account) -> None:
    """Check that a statement leads to the balance, line by line."""
    running = 0
    for entry in reversed(entries):
        running += entry.amount.minor_units
        assert entry.balance.minor_units == running
    assert account.posted.minor_units == running
    assert account.available.minor_units == running - account.held.minor_units
    assert len({entry.entry_id for entry in entries}) == len(entries)
