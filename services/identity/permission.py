"""What each role may do. Access tokens carry the permissions, so services need not know roles."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """What a user is on the platform."""

    TRADER = "trader"
    STAFF = "staff"


PERMISSIONS: Mapping[Role, frozenset[str]] = MappingProxyType(
    {
        # A trader needs no permission for what is his own.
        Role.TRADER: frozenset(),
        Role.STAFF: frozenset(
            {
                "audit.read",
                "instruments.write",
                "ledger.adjust.approve",
                "ledger.adjust.propose",
                "ledger.read",
                "mails.read",
                "terms.write",
            }
        ),
    }
)
"""The permissions of each role, by the names that the contract asks for."""


def permissions_of(roles: Iterable[Role]) -> frozenset[str]:
    """Return everything that a bearer of these roles may do."""
    return frozenset().union(*(PERMISSIONS[role] for role in roles))
