"""How long a user has been signed in: what a limit on time counts (rules.md, "Protection").

Signed in is whoever can show an access token: the time for which tokens are issued counts as used
when they are issued, once for all sessions together, on the day of issue. So a token never lasts
beyond the limit, nobody has to watch the clock, and who signs out has back what he did not use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from services.identity.protection import Kind, Protection
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.values import Period

_NOTHING = timedelta(0)

Allowed = Sequence[tuple[Period, timedelta]]
"""How long a user may be signed in, in each of some periods."""


@dataclass(frozen=True, slots=True)
class Presence:
    """How long a user was signed in, or will have been when his tokens have expired."""

    user_id: UUID
    day: date
    """The day that the spans are of: its own, and those of its week and month."""

    covered_until: datetime
    """Up to when tokens were issued: until then the time is counted already."""

    in_day: timedelta = _NOTHING
    in_week: timedelta = _NOTHING
    in_month: timedelta = _NOTHING

    def on(self, day: date) -> Presence:
        """Return it as of a day: the spans of periods that have ended begin anew."""
        going = {period: period.start(day) == period.start(self.day) for period in Period}
        return Presence(
            self.user_id,
            day,
            self.covered_until,
            self.in_day if going[Period.DAY] else _NOTHING,
            self.in_week if going[Period.WEEK] else _NOTHING,
            self.in_month if going[Period.MONTH] else _NOTHING,
        )

    def used(self, period: Period) -> timedelta:
        """Return how long the user was signed in during the period that `day` lies in."""
        spans = {
            Period.DAY: self.in_day,
            Period.WEEK: self.in_week,
            Period.MONTH: self.in_month,
        }
        return spans[period]

    def raised(self, by: timedelta) -> Presence:
        """Return it with a span counted, or given back."""
        return replace(
            self,
            in_day=max(_NOTHING, self.in_day + by),
            in_week=max(_NOTHING, self.in_week + by),
            in_month=max(_NOTHING, self.in_month + by),
        )


def allowed(protection: Protection, now: datetime) -> Allowed:
    """Return how long a user may be signed in: nothing for who has set no limit on time."""
    standing = (limit.at(now) for limit in protection.limits if limit.kind is Kind.SESSION_TIME)
    return [
        (limit.period, timedelta(minutes=limit.value))
        for limit in standing
        if limit.value is not None
    ]


def admitted(
    presence: Presence, limits: Allowed, now: datetime, until: datetime
) -> tuple[Presence, datetime]:
    """Count a token that is to last `until` some moment; return until when it may.

    That is a whole second. Failure SESSION_TIME_LIMIT when there is no time left.
    """
    today = presence.on(now.date())
    start = max(now, today.covered_until)
    period, most = min(limits, key=lambda limit: limit[1] - today.used(limit[0]))
    end = min(until, start + max(_NOTHING, most - today.used(period))).replace(microsecond=0)
    if end <= now:
        raise _used_up(period, most, now)
    counted = today.raised(max(_NOTHING, end - start))
    return replace(counted, covered_until=max(end, today.covered_until)), end


def departed(presence: Presence, now: datetime) -> Presence:
    """Give back what was counted and not used, after the last of a user's sessions ended."""
    today = presence.on(now.date())
    unused = max(_NOTHING, today.covered_until - now)
    return replace(today.raised(-unused), covered_until=min(now, today.covered_until))


def _used_up(period: Period, most: timedelta, now: datetime) -> Failure:
    metadata = {
        "period": period.value,
        "limit_minutes": str(most // timedelta(minutes=1)),
        "until": period.end(now.date()).isoformat(),
    }
    message = "You have been signed in for as long as you have allowed yourself."
    return Failure(Reason.SESSION_TIME_LIMIT, message, metadata=metadata)
