"""One instrument's live channels: its ticks, and its candles of each interval anybody follows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from edge.canonical import to_json
from edge.stream import frame
from edge.stream.candle import Candle, Trade, fold
from edge.stream.listener import Listener
from edge.stream.metrics import FRAMES_SENT
from services.kit.wire import to_datetime, to_timestamp
from veritick.quotes.v1.instrument_pb2 import Tick
from veritick.quotes.v1.market_data_service_pb2 import Candle as WireCandle
from veritick.quotes.v1.market_data_service_pb2 import ListCandlesResponse, TickBatch

CANDLES_KEPT = 30
CANDLE_FRAME_SECONDS = 0.2


class TickLine:
    """A channel `ticks:<symbol>`: every tick to readers that keep up, the latest to others."""

    def __init__(self, symbol: str) -> None:
        self.name = f"ticks:{symbol}"
        self.listeners: dict[Listener, None] = {}
        self.last: Tick | None = None
        self._prefix = frame.event_prefix(self.name)

    @property
    def sequence(self) -> int:
        """The number of the last tick."""
        return self.last.number if self.last else 0

    def latest(self) -> bytes | None:
        """Return the last tick as an event."""
        return self._frame([self.last], "ticks.v1") if self.last else None

    def snapshot(self) -> bytes | None:
        """Return the last tick as the state to begin with."""
        return self._frame([self.last], "snapshot") if self.last else None

    def extend(self, ticks: Sequence[Tick]) -> None:
        """Send ticks that follow the last one."""
        self.last = ticks[-1]
        if self.listeners:
            text = self._frame(ticks, "ticks.v1")
            for listener in self.listeners:
                listener.refresh(self, text)
            FRAMES_SENT.inc(len(self.listeners))

    def _frame(self, ticks: Sequence[Tick], kind: str) -> bytes:
        return frame.event(self._prefix, ticks[-1].number, kind, to_json(TickBatch(ticks=ticks)))


class CandleLine:
    """A channel `candles:<symbol>:<interval>`: at most five frames a second.

    A frame holds the candles that changed since the one before, the newest last; a reader that
    fell behind gets the newest CANDLES_KEPT.
    """

    def __init__(self, symbol: str, interval_seconds: int, later: Later) -> None:
        self.name = f"candles:{symbol}:{interval_seconds}s"
        self.listeners: dict[Listener, None] = {}
        self.holders = 0
        """Who keeps the line: its listeners, and those who are about to be."""
        self.interval_seconds = interval_seconds
        self.sequence = 0
        self.seeded = False
        self._later = later
        self._scale = 0
        self._candles: tuple[Candle, ...] = ()
        self._changed = 0
        self._timer: asyncio.TimerHandle | None = None
        self._prefix = frame.event_prefix(self.name)

    def seed(self, candles: Sequence[Candle], scale: int, sequence: int) -> None:
        """Begin with these candles, which hold all ticks up to this number."""
        self.sequence = sequence
        self._candles = tuple(candles[-CANDLES_KEPT:])
        self._scale = scale
        self._changed = 0
        self.seeded = True

    def latest(self) -> bytes:
        """Return the newest candles as an event."""
        return self._frame(self._candles, "candles.v1")

    def snapshot(self) -> bytes:
        """Return the newest candles as the state to begin with."""
        return self._frame(self._candles, "snapshot")

    def extend(self, ticks: Sequence[Tick]) -> None:
        """Fold ticks in; what changed is sent soon."""
        self.sequence = ticks[-1].number
        for tick in ticks:
            if not tick.late:
                self._fold(tick)
        if self._changed and self._timer is None:
            self._send()
            self._timer = self._later(CANDLE_FRAME_SECONDS, self._again)

    def resend(self) -> None:
        """Send the state to begin with once more: what was sent before may lack something."""
        text = self.snapshot()
        for listener in self.listeners:
            listener.refresh(self, text)

    def stop(self) -> None:
        """Send nothing more."""
        if self._timer:
            self._timer.cancel()

    def _fold(self, tick: Tick) -> None:
        newest = self._candles[-1].start if self._candles else None
        trade = Trade(to_datetime(tick.time), tick.price.mantissa)
        candles = fold(self._candles, trade, self.interval_seconds, CANDLES_KEPT)
        if candles == self._candles:
            return
        began = candles[-1].start != newest
        self._changed = min(max(self._changed, 1) + (began and self._changed > 0), CANDLES_KEPT)
        self._scale = tick.price.scale
        self._candles = candles

    def _again(self) -> None:
        self._timer = None
        if self._changed:
            self._send()
            self._timer = self._later(CANDLE_FRAME_SECONDS, self._again)

    def _send(self) -> None:
        changed, self._changed = self._candles[-self._changed :], 0
        if self.listeners:
            text = self._frame(changed, "candles.v1")
            for listener in self.listeners:
                listener.refresh(self, text)
            FRAMES_SENT.inc(len(self.listeners))

    def _frame(self, candles: Sequence[Candle], kind: str) -> bytes:
        message = ListCandlesResponse(
            candles=[_to_wire(candle) for candle in candles], price_scale=self._scale
        )
        return frame.event(self._prefix, self.sequence, kind, to_json(message))


Line = TickLine | CandleLine
Later = Callable[[float, Callable[[], None]], asyncio.TimerHandle]
"""`later(seconds, action)`: the event loop's `call_later`."""


def _to_wire(candle: Candle) -> WireCandle:
    return WireCandle(
        start_time=to_timestamp(candle.start),
        open=candle.open,
        high=candle.high,
        low=candle.low,
        close=candle.close,
        ticks=candle.ticks,
        synthetic=candle.synthetic,
    )
