"""What users set to protect themselves: limits, breaks and self-exclusion (rules.md, "Protection").

What makes a user safer counts at once; what makes a user less safe counts `LOOSENED_AFTER` it was
asked for, and can be called off until then. Breaks and exclusions only ever become longer.

Limits count calendar periods in UTC, not the last 24 hours: so a user can be told when a limit
that was reached ends, and it ends for everything at once.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.values import Period

LOOSENED_AFTER = timedelta(hours=24)


class Kind(StrEnum):
    """What is limited."""

    DEPOSIT = "DEPOSIT"
    LOSS = "LOSS"
    STAKE = "STAKE"
    SESSION_TIME = "SESSION_TIME"


class Action(StrEnum):
    """What a user can do about the own protection."""

    SET_LIMIT = "SET_LIMIT"
    CANCEL_LIMIT_CHANGE = "CANCEL_LIMIT_CHANGE"
    TAKE_BREAK = "TAKE_BREAK"
    EXCLUDE_SELF = "EXCLUDE_SELF"
    SET_REALITY_CHECK = "SET_REALITY_CHECK"


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit on one thing in one kind of period, and the looser one that is on its way."""

    kind: Kind
    period: Period
    value: int | None = None
    """Minor units, for SESSION_TIME minutes; None for no limit."""

    next_at: datetime | None = None
    """When `next_value` takes the place of `value`; None when no change is on its way."""

    next_value: int | None = None

    def at(self, now: datetime) -> Limit:
        """Return the limit as it stands now: a change whose time has come has taken place."""
        if self.next_at is None or now < self.next_at:
            return self
        return Limit(self.kind, self.period, self.next_value)

    def asked(self, value: int | None, now: datetime) -> Limit:
        """Return the limit after its owner asked for another: tighter at once, looser later."""
        current = self.at(now)
        if not _is_looser(value, current.value):
            return Limit(self.kind, self.period, value)
        if current.next_at is not None and current.next_value == value:
            return current
        return replace(current, next_at=now + LOOSENED_AFTER, next_value=value)


@dataclass(frozen=True, slots=True)
class Protection:
    """What protects one user."""

    user_id: UUID
    version: int = 0
    limits: tuple[Limit, ...] = ()
    break_until: datetime | None = None
    excluded_until: datetime | None = None
    reality_check_minutes: int = 0

    def at(self, now: datetime) -> Protection:
        """Return what still counts now, or will."""
        limits = (limit.at(now) for limit in self.limits)
        return replace(
            self,
            limits=tuple(limit for limit in limits if limit.value is not None),
            break_until=_unless_past(self.break_until, now),
            excluded_until=_unless_past(self.excluded_until, now),
        )

    def limit(self, kind: Kind, period: Period) -> Limit:
        """Return the limit of a kind and period, which may be none."""
        for limit in self.limits:
            if (limit.kind, limit.period) == (kind, period):
                return limit
        return Limit(kind, period)


def limited(protection: Protection, asked: Limit, now: datetime) -> Protection:
    """Return the protection after its owner asked for `asked.value` of that kind and period."""
    changed = protection.limit(asked.kind, asked.period).asked(asked.value, now)
    key = (asked.kind, asked.period)
    others = (limit for limit in protection.limits if (limit.kind, limit.period) != key)
    limits = sorted((*others, changed), key=lambda limit: (limit.kind, limit.period))
    return replace(protection, limits=tuple(limits)).at(now)


def kept(protection: Protection, kind: Kind, period: Period, now: datetime) -> Protection:
    """Return the protection with the limit in force, and none on its way."""
    value = protection.limit(kind, period).at(now).value
    return limited(protection, Limit(kind, period, value), now)


def resting(protection: Protection, hours: int, now: datetime) -> Protection:
    """Return the protection of who takes a break. Failure PROTECTION_LOCKED for a shorter one."""
    until = _extended(protection.break_until, now + timedelta(hours=hours))
    return replace(protection, break_until=until)


def excluded(protection: Protection, months: int, now: datetime) -> Protection:
    """Return the protection of who excludes himself. Failure PROTECTION_LOCKED for less."""
    until = _extended(protection.excluded_until, months_after(now, months))
    return replace(protection, excluded_until=until)


def months_after(moment: datetime, months: int) -> datetime:
    """Return the same time so many calendar months later, in a shorter month on its last day."""
    years, month = divmod(moment.month - 1 + months, 12)
    year = moment.year + years
    day = min(moment.day, monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def _is_looser(value: int | None, current: int | None) -> bool:
    if current is None:
        return False
    return value is None or value > current


def _extended(present: datetime | None, until: datetime) -> datetime:
    if present is not None and until < present:
        message = "What you have decided on lasts longer, and cannot be shortened."
        metadata = {"until": present.isoformat()}
        raise Failure(Reason.PROTECTION_LOCKED, message, metadata=metadata)
    return until


def _unless_past(until: datetime | None, now: datetime) -> datetime | None:
    return until if until is not None and now < until else None
