"""What protects a user from himself: breaks (check 3) and limits (check 9) of rules.md.

Limits count calendar periods in UTC. An order counts in the period in which it closes: its stake as
staked, its stake less what it returned as lost. While it is open, its whole stake counts as both,
in whatever period it is now: as if it were lost. So the open orders of a user can come to whatever
they may, and no limit is passed.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.values import Period


class Kind(StrEnum):
    """What a book limits."""

    LOSS = "LOSS"
    STAKE = "STAKE"


Sums = tuple[int, int, int]
"""Of a day, a week and a month, in minor units."""

_PLACES = {period: place for place, period in enumerate(Period)}


class Used(NamedTuple):
    """What counts against a user's limits."""

    day: date
    """The day that the sums are of: its own, and those of its week and month."""

    open_stakes: int
    staked: Sums
    """The stakes of orders that closed."""

    lost: Sums
    """The same less what the orders returned: negative for who gained."""

    def on(self, day: date) -> Used:
        """Return it as of a day: the sums of periods that have ended begin anew.

        An earlier day changes nothing: clocks of two writers may differ at midnight.
        """
        if day <= self.day:
            return self
        goes_on = [period.start(day) == period.start(self.day) for period in Period]
        return Used(day, self.open_stakes, _kept(self.staked, goes_on), _kept(self.lost, goes_on))

    def opened(self, stake: int) -> Used:
        """Return it after an order opened."""
        return self._replace(open_stakes=self.open_stakes + stake)

    def closed(self, stake: int, returned: int) -> Used:
        """Return it after an order closed, on `day`."""
        return Used(
            self.day,
            self.open_stakes - stake,
            _raised(self.staked, stake),
            _raised(self.lost, stake - returned),
        )

    def of(self, kind: Kind, period: Period) -> int:
        """Return what counts against a limit."""
        sums = self.lost if kind is Kind.LOSS else self.staked
        return sums[_PLACES[period]] + self.open_stakes


class Limit(NamedTuple):
    """A limit, and the looser one that takes its place."""

    kind: Kind
    period: Period
    value: int | None
    """Minor units; None for no limit."""

    next_at: datetime | None = None
    """When `next_value` takes the place of `value`; None for never."""

    next_value: int | None = None

    def at(self, now: datetime) -> int | None:
        """Return what is allowed now."""
        return self.value if self.next_at is None or now < self.next_at else self.next_value


class Protection(NamedTuple):
    """What protects a user, as identity tells it, with what the book has counted."""

    user_id: UUID
    version: int
    limits: tuple[Limit, ...]
    break_until: datetime | None
    excluded_until: datetime | None
    used: Used

    def guard(self, now: datetime) -> Guard:
        """Return what a moment's orders are held to."""
        allowed = [(limit, limit.at(now)) for limit in self.limits]
        return Guard(
            break_until=_unless_past(self.break_until, now),
            excluded_until=_unless_past(self.excluded_until, now),
            limits=tuple((item.kind, item.period, at) for item, at in allowed if at is not None),
            used=self.used.on(now.date()),
        )


class Guard(NamedTuple):
    """What protects a user now; each accepted order leaves the next less."""

    break_until: datetime | None
    excluded_until: datetime | None
    limits: tuple[tuple[Kind, Period, int], ...]
    used: Used

    @property
    def closed_until(self) -> datetime | None:
        """Before when the user does not trade."""
        return max(filter(None, (self.break_until, self.excluded_until)), default=None)

    def opened(self, stake: int) -> Guard:
        """Return it after an order opened."""
        return self._replace(used=self.used.opened(stake))


def check_presence(guard: Guard) -> None:
    """Check 3: the user takes part. Failures: USER_EXCLUDED, USER_IN_BREAK."""
    if guard.excluded_until is not None:
        metadata = {"until": guard.excluded_until.isoformat()}
        raise Failure(Reason.USER_EXCLUDED, "You have excluded yourself.", metadata=metadata)
    if guard.break_until is not None:
        metadata = {"until": guard.break_until.isoformat()}
        raise Failure(Reason.USER_IN_BREAK, "You are taking a break.", metadata=metadata)


def check_own_limits(guard: Guard, stake: int) -> None:
    """Check 9: no limit of the user's own is passed. Failures: LOSS_LIMIT, STAKE_LIMIT."""
    for kind, period, allowed in guard.limits:
        used = guard.used.of(kind, period)
        if used + stake > allowed:
            raise _beyond(kind, period, allowed, guard.used)


def _beyond(kind: Kind, period: Period, allowed: int, used: Used) -> Failure:
    metadata = {
        "period": period.name,
        "limit_minor_units": str(allowed),
        "used_minor_units": str(used.of(kind, period)),
        "until": period.end(used.day).isoformat(),
    }
    if kind is Kind.LOSS:
        message = "Should it be lost, you would lose more than you have allowed yourself."
        return Failure(Reason.LOSS_LIMIT, message, metadata=metadata)
    message = "You would stake more than you have allowed yourself."
    return Failure(Reason.STAKE_LIMIT, message, metadata=metadata)


def _kept(sums: Sums, goes_on: list[bool]) -> Sums:
    day, week, month = (value if on else 0 for value, on in zip(sums, goes_on, strict=True))
    return day, week, month


def _raised(sums: Sums, by: int) -> Sums:
    day, week, month = sums
    return day + by, week + by, month + by


def _unless_past(until: datetime | None, now: datetime) -> datetime | None:
    return until if until is not None and now < until else None
