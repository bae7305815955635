"""A market for the bench: instruments on the real clock."""

from __future__ import annotations

import asyncio

from services.kit.clock import SystemClock
from services.trading.market import MarketView
from services.trading.order import Tick
from services.trading.terms import TermsDefaults
from tests.service.trading_fixtures import SYMBOL, instrument

UNLIMITED = TermsDefaults(open_orders_max=1_000_000_000, exposure_max=10**15)
_TICK_SECONDS = 0.05


class LiveMarket:
    """Every price is renewed every 50 ms, and the watermark with it."""

    def __init__(self, *symbols: str) -> None:
        self.clock = SystemClock()
        self.view = MarketView(self.clock)
        self._symbols = symbols or (SYMBOL,)
        for symbol in self._symbols:
            self.view.set_instrument(instrument(symbol))
        self.view.complete = True
        self._number = 0

    async def run(self) -> None:
        """Tick for ever."""
        while True:
            self._number += 1
            now = self.clock.now()
            tick = Tick(self._number, 10_000, now, now)
            self.view.add_ticks([(symbol, tick) for symbol in self._symbols])
            self.view.set_watermark(now, now, now)
            await asyncio.sleep(_TICK_SECONDS)
