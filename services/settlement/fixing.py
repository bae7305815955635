"""A fixing as settlement needs it: the price of an instrument at a moment, or why there is none.

Quotes decides fixings (rules.md, "Fixing"). Here only final ones exist.
"""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import NamedTuple


class VoidReason(IntEnum):
    """Why there was no price that could be trusted. The numbers are the contract's."""

    NOT_COVERED = 1
    FEED_SILENT = 2
    NO_TICK = 3
    MARKET_CLOSED = 4
    INSTRUMENT_HALTED = 5
    VOIDED_BY_STAFF = 6


class Tick(NamedTuple):
    """One price with its authoritative time."""

    number: int
    price: int
    """The mantissa, at `scale`."""

    scale: int
    time: datetime
    source_time: datetime | None
    late: bool = False


class Point(NamedTuple):
    """An instrument and a moment: what a fixing is the price of."""

    instrument: str
    time: datetime


class Fixing(NamedTuple):
    """The price of a point. Exactly one of `tick` and `void_reason` is set."""

    point: Point
    tick: Tick | None
    void_reason: VoidReason | None
    ticks_before: tuple[Tick, ...]
    ticks_after: tuple[Tick, ...]
    watermark: datetime
    """At which it was decided; of a void by staff, when that was made."""

    feed_time: datetime | None
    rule_version: int
