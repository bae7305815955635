"""What staff change about a market reaches traders at once, with the reason it deserves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.kit.channels import Channels
from services.kit.clock import SystemClock
from services.kit.tokens import Keyring
from tests.end_to_end.traders import Trader
from tests.platform import BUSY, Platform
from tests.waiting import PATIENCE_SECONDS
from veritick import VeritickError
from veritick.quotes.v1.instrument_pb2 import Instrument
from veritick.quotes.v1.instrument_service_pb2 import (
    CreateInstrumentRequest,
    GetInstrumentRequest,
    UpdateInstrumentRequest,
    UpdateInstrumentResponse,
)
from veritick.quotes.v1.instrument_service_pb2_grpc import InstrumentServiceStub

pytestmark = [pytest.mark.platform, pytest.mark.timeout(240)]


@asynccontextmanager
async def staff(platform: Platform) -> AsyncIterator[Any]:
    """The instruments, for somebody who holds the operator's key."""
    keyring = Keyring.load(platform.home / "keys", "operator")
    channel = Channels(keyring, SystemClock(), deadline_seconds=PATIENCE_SECONDS).to(
        "quotes", platform.ports.address("quotes")
    )
    async with channel:
        yield InstrumentServiceStub(channel)


async def refused_soon(trader: Trader, instrument: str, seconds: int = 60) -> VeritickError:
    """Try to buy until a change has arrived; return the refusal that tells of it."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            request = await trader.order_request(instrument=instrument, seconds=seconds)
            try:
                await trader.veritick.submit(request)
            except VeritickError as error:
                if error.reason not in {"INSTRUMENT_NOT_FOUND", *BUSY}:
                    return error
            await asyncio.sleep(0.2)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (Instrument.CLOSE_ONLY, "INSTRUMENT_NOT_TRADABLE"),
        (Instrument.HALTED, "INSTRUMENT_HALTED"),
        (Instrument.HIDDEN, "INSTRUMENT_NOT_TRADABLE"),
    ],
)
async def test_a_change_by_staff_takes_effect_without_a_restart(
    platform: Platform, trader: Trader, status: Instrument.Status.ValueType, reason: str
) -> None:
    async with staff(platform) as instruments:
        symbol = "ETHUSD"
        found = (
            await instruments.GetInstrument(GetInstrumentRequest(instrument=symbol))
        ).instrument
        found.status = status
        changed = await instruments.UpdateInstrument(UpdateInstrumentRequest(instrument=found))
        try:
            error = await refused_soon(trader, symbol)
        finally:
            changed.instrument.status = Instrument.ENABLED
            await instruments.UpdateInstrument(
                UpdateInstrumentRequest(instrument=changed.instrument)
            )

    assert (error.reason, error.status) == (reason, 409)


async def opened_between(platform: Platform, now: datetime, begin: int, end: int) -> str:
    """Create an instrument that trades from `begin` to `end`, in minutes from now."""
    open_minute = (now.weekday() * 1440 + now.hour * 60 + now.minute + begin) % 10_080
    symbol = f"NEW{uuid4().hex[:8].upper()}"
    async with staff(platform) as instruments:
        new = Instrument(
            symbol=symbol,
            display_name="New",
            asset_class="FX",
            price_scale=5,
            status=Instrument.ENABLED,
            feed_symbol="EURUSD",
            max_tick_age_seconds=5,
            feed_silence_max_seconds=5,
            position=9_999,
        )
        new.schedule.time_zone = "UTC"
        new.schedule.windows.add(open_minute=open_minute, close_minute=open_minute + end - begin)
        await instruments.CreateInstrument(CreateInstrumentRequest(instrument=new))

    return symbol


async def test_a_market_that_is_closed_says_when_it_opens(
    platform: Platform, trader: Trader
) -> None:
    now = trader.veritick.clock.now()
    symbol = await opened_between(platform, now, 180, 240)

    error = await refused_soon(trader, symbol)

    assert (error.reason, error.status) == ("MARKET_CLOSED", 409)
    assert error.metadata["next_open_time"] > (now + timedelta(hours=1)).isoformat()


async def test_only_staff_change_instruments(trader: Trader, platform: Platform) -> None:
    async with staff(platform) as instruments:
        found = await instruments.GetInstrument(GetInstrumentRequest(instrument="ETHUSD"))
    async with httpx.AsyncClient(base_url=platform.url, timeout=PATIENCE_SECONDS) as http:
        anonymous = await http.put("/v1/instruments/ETHUSD", json={"displayName": "Mine"})
    assert anonymous.status_code in {400, 401}

    request = UpdateInstrumentRequest(instrument=found.instrument)
    with pytest.raises(VeritickError) as caught:
        await trader.veritick.call(request, UpdateInstrumentResponse)

    assert (caught.value.reason, caught.value.status) == ("PERMISSION_DENIED", 403)


async def test_an_order_does_not_outlive_the_session_it_opens_in(
    platform: Platform, trader: Trader
) -> None:
    symbol = await opened_between(platform, trader.veritick.clock.now(), -60, 5)

    error = await refused_soon(trader, symbol, seconds=3_600)

    assert (error.reason, error.status) == ("EXPIRY_OUTSIDE_SESSION", 409)
    assert "close_time" in error.metadata
