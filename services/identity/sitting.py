"""How long a user has been at it without a break, and when he is told so (rules.md, "Protection").

Somebody is there while one of his sessions can show an access token: so who closes the page is
away when his last token has expired, and who signs out is at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Sitting:
    """The present time of a user who wants reality checks."""

    user_id: UUID
    check_minutes: int
    """How often he wants to be told."""

    since: datetime | None = None
    """When he came; None while he is away."""

    told_at: datetime | None = None
    """When he was told last, of this sitting."""


def looked_at(sitting: Sitting, now: datetime, *, present: bool) -> tuple[Sitting, bool]:
    """Return a sitting as it is now, and whether the user is to be told of it."""
    if not present:
        return replace(sitting, since=None, told_at=None), False
    if sitting.since is None:
        return replace(sitting, since=now), False
    last = sitting.told_at or sitting.since
    if now - last < timedelta(minutes=sitting.check_minutes):
        return sitting, False
    return replace(sitting, told_at=now), True
