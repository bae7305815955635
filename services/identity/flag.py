"""Velocity rules: what about a sign-in makes somebody look (rules.md, "Fraud and bans")."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from services.identity.trace import Kind

NEW_FOR = timedelta(days=1)
"""As long a user counts as new."""

LATELY = timedelta(hours=1)


class Rule(StrEnum):
    """What raises flags."""

    NEW_USERS_PER_ADDRESS = "NEW_USERS_PER_ADDRESS"
    NEW_USERS_PER_DEVICE = "NEW_USERS_PER_DEVICE"
    DEVICES_PER_USER = "DEVICES_PER_USER"
    COUNTRIES_PER_USER = "COUNTRIES_PER_USER"
    DEVICE_OF_BANNED_USER = "DEVICE_OF_BANNED_USER"
    DEVICE_OF_EXCLUDED_USER = "DEVICE_OF_EXCLUDED_USER"
    OWN_REFERRAL = "OWN_REFERRAL"
    ORDERS_PER_DEVICE = "ORDERS_PER_DEVICE"
    ORDERS_PER_ADDRESS = "ORDERS_PER_ADDRESS"
    TRADERS_PER_DEVICE = "TRADERS_PER_DEVICE"


class State(StrEnum):
    """Whether somebody has looked."""

    OPEN = "OPEN"
    RESOLVED = "RESOLVED"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The most that raises no flag."""

    new_users_per_address: int
    new_users_per_device: int
    devices_per_user: int
    countries_per_user: int

    @property
    def looked_at(self) -> int:
        """How many of a trace's users have to be looked at to know whether too many are new."""
        return max(self.new_users_per_address, self.new_users_per_device) + 1


class Facts(NamedTuple):
    """What is known when a user is seen at a trace."""

    new_users: int
    """Users seen at it who registered within NEW_FOR; counted up to one more than is well."""

    new_devices: int
    """Devices of the user first seen LATELY."""

    countries: int
    """Countries in which the user was seen LATELY."""

    with_banned: bool
    """Whether somebody else seen at it is banned."""

    with_excluded: bool
    """Whether somebody else seen at it has excluded himself."""

    with_referral: bool = False
    """Whether it links the user with who referred him, or whom he referred."""


class Flag(NamedTuple):
    """Something that needs a look. The fields are the columns of `fraud_flag`."""

    flag_id: UUID
    rule: Rule
    user_id: UUID
    detail: str
    raised_at: datetime
    resolved_by: UUID | None = None
    resolved_at: datetime | None = None
    note: str = ""

    @property
    def state(self) -> State:
        """Whether somebody has looked."""
        return State.OPEN if self.resolved_at is None else State.RESOLVED


def tripped(kind: Kind, facts: Facts, most: Thresholds) -> list[tuple[Rule, str]]:
    """Return the rules that a sighting trips, and what was counted, in words."""
    found = []
    if facts.with_referral:
        words = f"shares this {kind.lower()} with who referred him, or whom he referred"
        found.append((Rule.OWN_REFERRAL, words))
    if kind is Kind.ADDRESS:
        if facts.new_users > most.new_users_per_address:
            words = f"{facts.new_users} users who registered within a day"
            found.append((Rule.NEW_USERS_PER_ADDRESS, words))
        if facts.countries > most.countries_per_user:
            words = f"{facts.countries} countries within an hour"
            found.append((Rule.COUNTRIES_PER_USER, words))
        return found
    if facts.new_users > most.new_users_per_device:
        words = f"{facts.new_users} users who registered within a day"
        found.append((Rule.NEW_USERS_PER_DEVICE, words))
    if facts.new_devices > most.devices_per_user:
        words = f"{facts.new_devices} new devices within an hour"
        found.append((Rule.DEVICES_PER_USER, words))
    if facts.with_banned:
        found.append((Rule.DEVICE_OF_BANNED_USER, "the device of a user who is banned"))
    if facts.with_excluded:
        found.append((Rule.DEVICE_OF_EXCLUDED_USER, "the device of a user who excluded himself"))
    return found
