"""The end of a user: asked for, waited for, and carried out in steps that bear repeating.

WAITING ── its time has come ──> CLOSING ── accounts closed ──> CLOSED ── forgotten ──> DONE
   └─ taken back ─> WITHDRAWN      └─ something stands in the way after all ─> WAITING

Between the steps lies a pause. After the first, nobody who was signed in can place one more order,
since what was taken back is known everywhere within a second. After the second, what the books
write down a moment later (from where orders came) is written, and so can be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto
from uuid import UUID

from services.kit.errors import Failure
from services.kit.reason import Reason

RETRY = timedelta(hours=1)
"""How long an erasure waits again after something stood in its way."""

LETTERS_WITHIN = timedelta(hours=1)
"""How long the address is kept for letters that could not be delivered at once."""


class State(StrEnum):
    """How far an erasure has come."""

    WAITING = "WAITING"
    CLOSING = "CLOSING"
    """The user is shut out."""

    CLOSED = "CLOSED"
    """The accounts are closed as well."""

    DONE = "DONE"
    WITHDRAWN = "WITHDRAWN"


class Obstacle(StrEnum):
    """Why a user can not be erased now; the names are the contract's."""

    OPEN_ORDERS = "OPEN_ORDERS"
    HELD_MONEY = "HELD_MONEY"
    BALANCE = "BALANCE"
    FROZEN_ACCOUNT = "FROZEN_ACCOUNT"
    STAFF_ROLE = "STAFF_ROLE"


class Step(Enum):
    """What is done next."""

    SHUT_OUT = auto()
    CLOSE_ACCOUNTS = auto()
    FORGET = auto()


@dataclass(frozen=True, slots=True)
class Erasure:
    """The erasure of one user. The fields are the columns of `erasure`."""

    erasure_id: UUID
    user_id: UUID
    state: State
    by_staff: bool
    asked_at: datetime
    due_at: datetime
    stepped_at: datetime
    """When it came to its state."""

    ended_at: datetime | None = None


def next_step(erasure: Erasure, now: datetime, pause: timedelta) -> Step | None:
    """Return the step whose time has come, if any."""
    match erasure.state:
        case State.WAITING if erasure.due_at <= now:
            return Step.SHUT_OUT
        case State.CLOSING if erasure.stepped_at + pause <= now:
            return Step.CLOSE_ACCOUNTS
        case State.CLOSED if erasure.stepped_at + pause <= now:
            return Step.FORGET
    return None


def keeps_address(erasure: Erasure, now: datetime, *, letters_waiting: bool) -> bool:
    """Tell whether the address is still needed, to tell its owner what happens to him."""
    return letters_waiting and now < erasure.stepped_at + LETTERS_WITHIN


def require_clear(obstacles: Iterable[Obstacle]) -> None:
    """Refuse while something stands in the way. Failure ERASURE_OBSTRUCTED names what."""
    if named := " ".join(sorted(obstacles)):
        message = "You can not be erased while something of yours goes on."
        raise Failure(Reason.ERASURE_OBSTRUCTED, message, metadata={"obstacles": named})


def barred_until(
    now: datetime, excluded_until: datetime | None, *, banned: bool, banned_until: datetime | None
) -> tuple[bool, datetime | None]:
    """Tell whether the address of an erased user may not be registered anew, and until when.

    A ban and a self-exclusion go on to count; the later end counts, a ban without end for good.
    """
    ends = [excluded_until] if excluded_until is not None and now < excluded_until else []
    if banned:
        if banned_until is None:
            return True, None
        ends += [banned_until] if now < banned_until else []
    return bool(ends), max(ends, default=None)
