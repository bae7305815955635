"""Fixing: the price of X at T, decided from the stored record alone (rules.md, "Fixing")."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.quotes.instrument import Instrument, InstrumentStatus
from services.quotes.session import settles_at
from services.quotes.tick import Tick

RULE_VERSION = 1
EVIDENCE_TICKS = 3
"""How many ticks on each side of the moment a fixing keeps."""


class VoidReason(StrEnum):
    """Why there is no price that could be trusted."""

    NOT_COVERED = "NOT_COVERED"
    FEED_SILENT = "FEED_SILENT"
    NO_TICK = "NO_TICK"
    MARKET_CLOSED = "MARKET_CLOSED"
    INSTRUMENT_HALTED = "INSTRUMENT_HALTED"


@dataclass(frozen=True, slots=True)
class Point:
    """An instrument and a moment."""

    instrument_id: int
    time: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the record says about a point. Complete: its watermark is at or after the moment."""

    instrument: Instrument | None
    """The version in force at the moment; None when it did not exist yet."""

    covered: bool
    """The moment lies within a run of the ingestor, ends included."""

    feed_time: datetime | None
    """The last heartbeat stored at or before the moment."""

    last_tick: Tick | None
    """The last tick at or before the moment that was not late."""

    ticks_before: Sequence[Tick]
    ticks_after: Sequence[Tick]
    watermark: datetime


@dataclass(frozen=True, slots=True)
class Fixing:
    """The price of an instrument at a moment, or why there is none, once and for ever."""

    point: Point
    tick: Tick | None
    """The price; None when void."""

    void_reason: VoidReason | None
    ticks_before: tuple[Tick, ...]
    ticks_after: tuple[Tick, ...]
    watermark: datetime
    feed_time: datetime | None
    rule_version: int = RULE_VERSION


def decide(point: Point, evidence: Evidence) -> Fixing:
    """Return the fixing of a point. The same record gives the same fixing, always."""
    reason = void_reason(point.time, evidence)
    return Fixing(
        point=point,
        tick=evidence.last_tick if reason is None else None,
        void_reason=reason,
        ticks_before=tuple(evidence.ticks_before[-EVIDENCE_TICKS:]),
        ticks_after=tuple(evidence.ticks_after[:EVIDENCE_TICKS]),
        watermark=evidence.watermark,
        feed_time=evidence.feed_time,
    )


def void_reason(moment: datetime, evidence: Evidence) -> VoidReason | None:
    """Return the first reason, in the order of rules.md, for which there is no price."""
    if not evidence.covered:
        return VoidReason.NOT_COVERED
    instrument = evidence.instrument
    if instrument is None:
        return VoidReason.INSTRUMENT_HALTED
    # The feed was heard in (T − silence, T].
    feed_time = evidence.feed_time
    if feed_time is None or moment - feed_time >= instrument.feed_silence_max:
        return VoidReason.FEED_SILENT
    if evidence.last_tick is None or moment - evidence.last_tick.time > instrument.max_tick_age:
        return VoidReason.NO_TICK
    if not settles_at(instrument.schedule, moment):
        return VoidReason.MARKET_CLOSED
    if instrument.definition.status is InstrumentStatus.HALTED:
        return VoidReason.INSTRUMENT_HALTED
    return None
