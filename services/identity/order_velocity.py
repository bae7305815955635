"""Velocity of orders: several users who trade from one place as one would (rules.md, "Fraud").

A device, or an address that few share, from which more orders come within a minute than a person
places by hand, over accounts of different users; and a device at which more users trade within a
day than a household has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from services.identity.device import UNKNOWN
from services.identity.flag import Rule
from services.identity.trace import Kind

WINDOW = timedelta(minutes=1)
_NAMED_MAX = 10


class Activity(NamedTuple):
    """How many orders a user placed from somewhere in a WINDOW."""

    address: str
    device: str
    user_id: UUID
    orders: int


class Finding(NamedTuple):
    """What needs a look: about whom, and what was counted, in words."""

    rule: Rule
    user_id: UUID
    detail: str


@dataclass(frozen=True, slots=True)
class Velocity:
    """The most that raises no flag."""

    orders_per_device: int
    orders_per_address: int
    traders_per_device: int
    address_users: int
    """An address from which more users trade means nothing."""


def bursts(activity: Iterable[Activity], most: Velocity) -> list[Finding]:
    """Return the places from which several users placed too many orders within a WINDOW.

    The flag is about who placed most, and names the others. It names no place: what is on record
    can never be erased, and staff see the places of a user's orders.
    """
    found = []
    for kind, by_user in _by_place(activity):
        allowed = most.orders_per_device if kind is Kind.DEVICE else most.orders_per_address
        crowded = kind is Kind.ADDRESS and len(by_user) > most.address_users
        if len(by_user) < 2 or crowded or sum(by_user.values()) <= allowed:
            continue
        first, *others = sorted(by_user, key=lambda user: (-by_user[user], user))
        rule = Rule.ORDERS_PER_DEVICE if kind is Kind.DEVICE else Rule.ORDERS_PER_ADDRESS
        words = f"{sum(by_user.values())} orders within a minute, together with {_named(others)}"
        found.append(Finding(rule, first, words))
    return found


def crowd(newest: UUID, traders: int, most: Velocity) -> list[Finding]:
    """Return what there is about a device at which so many users traded within a day."""
    if traders <= most.traders_per_device:
        return []
    words = f"{traders} users traded at one device within a day"
    return [Finding(Rule.TRADERS_PER_DEVICE, newest, words)]


def _by_place(activity: Iterable[Activity]) -> Iterable[tuple[Kind, dict[UUID, int]]]:
    places: defaultdict[tuple[Kind, str], defaultdict[UUID, int]]
    places = defaultdict(lambda: defaultdict(int))
    for item in activity:
        for kind, value in ((Kind.DEVICE, item.device), (Kind.ADDRESS, item.address)):
            if value not in {"", UNKNOWN.address}:
                places[kind, value][item.user_id] += item.orders
    return [(kind, dict(by_user)) for (kind, _), by_user in sorted(places.items())]


def _named(users: list[UUID]) -> str:
    more = len(users) - _NAMED_MAX
    named = ", ".join(map(str, users[:_NAMED_MAX]))
    return f"{named} and {more} more" if more > 0 else named
