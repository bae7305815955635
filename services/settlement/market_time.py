"""How far market time is known: the watermark of quotes, and whoever waits for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime

from services.kit.clock import Clock

SILENCE_SECONDS_MAX = 5.0
"""Without a watermark for so long, quotes counts as away."""


class MarketTime:
    """The last watermark. Orders expire at whole seconds, so these are what is waited for."""

    def __init__(self, clock: Clock) -> None:
        """Know nothing yet; this clock only measures how long ago a watermark came."""
        self._clock = clock
        self._second: datetime | None = None
        self._heard_at: float | None = None
        self._passed = asyncio.Event()

    def advance(self, watermark: datetime) -> None:
        """Take a watermark. It never goes back: what was known stays known."""
        self._heard_at = self._clock.monotonic()
        second = watermark.replace(microsecond=0)
        if self._second is None or second > self._second:
            self._second = second
            self._passed.set()
            self._passed = asyncio.Event()

    def heard(self) -> bool:
        """Tell whether a watermark came recently."""
        if self._heard_at is None:
            return False
        return self._clock.monotonic() - self._heard_at < SILENCE_SECONDS_MAX

    async def beyond(self, second: datetime | None, patience_seconds: float) -> datetime | None:
        """Return the last whole second known, once it is later; None when patience ends."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_seconds):
                while self._second is None or (second is not None and self._second <= second):
                    await self._passed.wait()
                return self._second
        return None
