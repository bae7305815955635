"""What each role may do, against what the contract asks for."""

import importlib
import pkgutil

import veritick
from services.identity.permission import (
    ALL,
    PERMISSIONS,
    POWERFUL,
    Role,
    is_powerful,
    permissions_of,
)
from veritick.option.v1.access_pb2 import access


def _permissions_of_the_contract() -> set[str]:
    named = set()
    for module in pkgutil.walk_packages(veritick.__path__, "veritick."):
        if module.name.endswith("_service_pb2"):
            messages = importlib.import_module(module.name)
            for service in messages.DESCRIPTOR.services_by_name.values():
                for method in service.methods:
                    named.add(method.GetOptions().Extensions[access].permission)
    return named - {""}


def test_every_permission_of_the_contract_belongs_to_a_role_and_no_other_exists() -> None:
    assert permissions_of(Role) == _permissions_of_the_contract()


def test_every_role_is_listed() -> None:
    assert set(PERMISSIONS) == set(Role)


def test_a_trader_may_nothing_that_needs_a_permission() -> None:
    assert permissions_of([Role.TRADER]) == frozenset()


def test_two_roles_may_what_either_may() -> None:
    assert permissions_of([Role.TRADER, Role.SUPPORT]) == PERMISSIONS[Role.SUPPORT]


def test_a_role_that_staff_changed_is_what_they_made_of_it() -> None:
    changed = {"support": frozenset({"audit.read"}), "auditor": frozenset({"ledger.read"})}
    assert permissions_of(["support", "auditor"], changed) == {"audit.read", "ledger.read"}


def test_nobody_changes_what_is_fixed() -> None:
    changed = {"trader": frozenset({"users.ban"}), "admin": frozenset[str]()}
    assert permissions_of(["trader"], changed) == frozenset()
    assert permissions_of(["admin"], changed) == ALL


def test_a_role_or_permission_that_is_no_more_gives_nothing() -> None:
    changed = {"auditor": frozenset({"moon.write"})}
    assert permissions_of(["auditor", "gone"], changed) == frozenset()


def test_who_gives_or_takes_money_or_permissions_does_so_by_a_powerful_permission() -> None:
    assert POWERFUL < ALL
    assert is_powerful(PERMISSIONS[Role.ADMIN])
    assert not is_powerful(PERMISSIONS[Role.SUPPORT])
