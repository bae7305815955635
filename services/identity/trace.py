"""Traces: from what users sign in, and who is linked by that (rules.md, "Fraud and bans").

Users who share a device or an address are linked. What is shared by too many links nobody: behind
one address may be an office, a hotel, or half of a mobile network.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from services.identity.device import UNKNOWN
from services.identity.session import Session


class Kind(StrEnum):
    """What a trace is."""

    DEVICE = "DEVICE"
    ADDRESS = "ADDRESS"


class Sighting(NamedTuple):
    """A user was seen at a trace."""

    kind: Kind
    value: str
    user_id: UUID
    agent: str
    seen_at: datetime


class Trace(NamedTuple):
    """A trace of one user, with how many users it has; the first fields are columns of `trace`."""

    kind: Kind
    value: str
    user_id: UUID
    agent: str
    """The User-Agent seen there last."""

    country: str
    """ISO 3166 code; empty when it is not known."""

    first_at: datetime
    last_at: datetime
    users: int = 1
    """At most one more than link."""


class Link(NamedTuple):
    """A trace that links several users."""

    kind: Kind
    value: str
    agent: str
    country: str
    last_at: datetime
    users: list[UUID]
    """In order of ids."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many users may share a trace that still links them."""

    device_users: int
    address_users: int

    def most(self, kind: Kind) -> int:
        """Return how many users may share a trace of this kind."""
        return self.device_users if kind is Kind.DEVICE else self.address_users

    def links(self, trace: Trace) -> bool:
        """Tell whether a trace links its users."""
        return 1 < trace.users <= self.most(trace.kind)


def sightings(session: Session) -> list[Sighting]:
    """Return what the beginning of a session shows."""
    device = session.device
    shown = ((Kind.DEVICE, device.cookie), (Kind.ADDRESS, device.address))
    return [
        Sighting(kind, value, session.user_id, device.agent, session.started_at)
        for kind, value in shown
        if value not in {"", UNKNOWN.address}
    ]


def clusters(shared: Iterable[Collection[UUID]]) -> list[set[UUID]]:
    """Return the groups that hang together: each item is a set of users who share something."""
    found: list[set[UUID]] = []
    for users in shared:
        touched = [cluster for cluster in found if not cluster.isdisjoint(users)]
        apart = [cluster for cluster in found if cluster.isdisjoint(users)]
        found = [*apart, set(users).union(*touched)]
    return found
