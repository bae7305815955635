"""Candles: how prices moved within intervals, kept current tick by tick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Candle:
    """One interval's prices, as mantissas at the instrument's scale."""

    start: datetime
    open: int
    high: int
    low: int
    close: int
    ticks: int
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class Trade:
    """What a candle needs of a tick: its time and the mantissa of its price."""

    time: datetime
    price: int


def interval_start(time: datetime, interval_seconds: int) -> datetime:
    """Return the start of the interval in which a moment lies: start ≤ time < start + interval."""
    return time - (time - _EPOCH) % timedelta(seconds=interval_seconds)


def fold(
    candles: Sequence[Candle], trade: Trade, interval_seconds: int, keep: int
) -> tuple[Candle, ...]:
    """Return the candles, oldest first, after one more trade; at most the `keep` newest.

    A trade older than the newest candle changes nothing: ticks come in the order of their times.
    A generated candle gives way to the first real trade of its interval.
    """
    start = interval_start(trade.time, interval_seconds)
    newest = candles[-1] if candles else None
    if newest is None or start > newest.start:
        return (*candles[-(keep - 1) :], _begin(start, trade))
    if start < newest.start:
        return tuple(candles)
    grown = _begin(start, trade) if newest.synthetic else _grow(newest, trade)
    return (*candles[:-1], grown)


def _begin(start: datetime, trade: Trade) -> Candle:
    return Candle(start, trade.price, trade.price, trade.price, trade.price, ticks=1)


def _grow(candle: Candle, trade: Trade) -> Candle:
    return replace(
        candle,
        high=max(candle.high, trade.price),
        low=min(candle.low, trade.price),
        close=trade.price,
        ticks=candle.ticks + 1,
    )
