"""Who may call an RPC: the rule the contract declares, checked against the caller."""

from collections.abc import Callable

from services.kit.errors import Failure
from services.kit.principal import Principal
from services.kit.reason import Reason
from veritick.option.v1.access_pb2 import Access

Guard = Callable[[Principal], None]
"""Raises unless the caller is admitted."""


def check_access(rule: Access, principal: Principal) -> None:
    """Raise unless the rule admits the caller. A rule that says nothing admits nobody.

    Failure UNAUTHENTICATED when signing in could help, PERMISSION_DENIED when it could not.
    """
    guard_of(rule)(principal)


def guard_of(rule: Access) -> Guard:
    """Return `check_access` of one rule, which is read once for all calls."""
    services, people = frozenset(rule.services), rule.WhichOneof("people")
    public = people == "public" and rule.public
    any_user = people == "user" and rule.user
    permission = rule.permission if people == "permission" else None

    def check(principal: Principal) -> None:
        if public or (principal.kind == "service" and principal.id in services):
            return
        if principal.kind == "user" and (any_user or permission in principal.permissions):
            return
        if principal.kind == "anonymous" and people in {"user", "permission"}:
            raise Failure(Reason.UNAUTHENTICATED, "This call needs a signed-in user.")
        needed = {} if permission is None else {"permission": permission}
        raise Failure(Reason.PERMISSION_DENIED, "You may not make this call.", metadata=needed)

    return check
