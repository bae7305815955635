"""What each role may do. Access tokens carry the permissions, so services need not know roles."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

ALL = frozenset(
    {
        "accounts.read",
        "audit.read",
        "fraud.review",
        "instruments.write",
        "kyc.review",
        "ledger.adjust.approve",
        "ledger.adjust.propose",
        "ledger.read",
        "mails.read",
        "maintenance.write",
        "notes.read",
        "notes.write",
        "roles.approve",
        "roles.grant",
        "roles.read",
        "roles.write",
        "settlement.void.approve",
        "settlement.void.propose",
        "terms.write",
        "users.ban",
        "users.erase.approve",
        "users.erase.propose",
        "users.factor.approve",
        "users.factor.propose",
        "users.read",
        "users.write",
    }
)
"""Every permission that the contract asks for."""

POWERFUL = frozenset(
    {
        "ledger.adjust.approve",
        "ledger.adjust.propose",
        "mails.read",
        "roles.approve",
        "roles.grant",
        "roles.write",
        "settlement.void.approve",
        "settlement.void.propose",
        "terms.write",
        "users.erase.approve",
        "users.factor.approve",
    }
)
"""Permissions that move money, read letters, give permissions, open others' accounts or erase them.

Nobody gives them alone.
"""


class Role(StrEnum):
    """The roles that are there from the beginning; staff may add others."""

    TRADER = "trader"
    SUPPORT = "support"
    COMPLIANCE = "compliance"
    ACCOUNTANT = "accountant"
    DEALER = "dealer"
    ADMIN = "admin"


FIXED = frozenset({Role.TRADER, Role.ADMIN})
"""Roles whose permissions nobody changes: none for what is one's own, and all."""

PERMISSIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        # A trader needs no permission for what is his own.
        Role.TRADER: frozenset(),
        Role.SUPPORT: frozenset(
            {"accounts.read", "notes.read", "notes.write", "users.factor.propose", "users.read"}
        ),
        Role.COMPLIANCE: frozenset(
            {
                "accounts.read",
                "audit.read",
                "fraud.review",
                "kyc.review",
                "ledger.read",
                "notes.read",
                "notes.write",
                "roles.read",
                "users.ban",
                "users.erase.propose",
                "users.factor.approve",
                "users.read",
                "users.write",
            }
        ),
        Role.ACCOUNTANT: frozenset(
            {"accounts.read", "audit.read", "ledger.adjust.propose", "ledger.read", "users.read"}
        ),
        Role.DEALER: frozenset(
            {
                "accounts.read",
                "instruments.write",
                "ledger.read",
                "settlement.void.propose",
                "terms.write",
            }
        ),
        Role.ADMIN: ALL,
    }
)
"""The permissions of the first roles, as long as staff have not changed them."""


def permissions_of(
    roles: Iterable[str], changed: Mapping[str, frozenset[str]] = MappingProxyType({})
) -> frozenset[str]:
    """Return everything that a bearer of these roles may do; `changed` are the roles of staff's.

    A role that is no more gives nothing, nor does a permission that the contract no longer knows.
    """
    sets = (
        PERMISSIONS[name]
        if name in FIXED
        else changed.get(name, PERMISSIONS.get(name, frozenset()))
        for name in roles
    )
    return frozenset().union(*sets) & ALL


def is_powerful(permissions: Iterable[str]) -> bool:
    """Tell whether two people have to agree before anybody gets these."""
    return not POWERFUL.isdisjoint(permissions)
