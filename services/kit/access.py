"""Who may call an RPC: the rule the contract declares, checked against the caller."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from google.protobuf.message import Message

from services.kit.errors import Failure
from services.kit.principal import KeyUse, Principal
from services.kit.reason import Reason
from veritick.option.v1.access_pb2 import Access

RECENT = timedelta(minutes=10)
"""How long ago a user may have proven who he is, for a call that asks for it."""

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
    scope = Access.Scope.Name(rule.scope) if rule.scope else ""

    def check(principal: Principal) -> None:
        if public or (principal.kind == "service" and principal.id in services):
            return
        if principal.kind == "user" and (any_user or permission in principal.permissions):
            if principal.key is None or scope in principal.key.scopes:
                return
            message = "This API key may not make this call."
            raise Failure(Reason.PERMISSION_DENIED, message, metadata={"scope": scope})
        if principal.kind == "anonymous" and people in {"user", "permission"}:
            raise Failure(Reason.UNAUTHENTICATED, "This call needs a signed-in user.")
        needed = {} if permission is None else {"permission": permission}
        raise Failure(Reason.PERMISSION_DENIED, "You may not make this call.", metadata=needed)

    return check


def require_recent(principal: Principal, now: datetime) -> None:
    """Raise CONFIRMATION_REQUIRED unless a user has proven lately who he is; services pass."""
    if principal.kind == "service":
        return
    if principal.proven_at is None or now - principal.proven_at > RECENT:
        message = "Confirm that it is you, and try again."
        raise Failure(Reason.CONFIRMATION_REQUIRED, message)


def confine(key: KeyUse, request: Message, address: str) -> None:
    """Raise when a key is used from elsewhere, or for accounts that it is not bound to.

    Failure PERMISSION_DENIED for the address; ACCOUNT_NOT_FOUND, as for any account of others'.
    """
    if key.networks and not any(_inside(address, network) for network in key.networks):
        raise Failure(Reason.PERMISSION_DENIED, "This API key is not used from here.")
    if key.accounts and not key.accounts.issuperset(_accounts_in(request)):
        raise Failure(Reason.ACCOUNT_NOT_FOUND, "There is no such account.")


def _inside(address: str, network: str) -> bool:
    try:
        found, allowed = ip_network(address, strict=False), ip_network(network)
        return ip_address(found.network_address) in allowed and found.prefixlen >= allowed.prefixlen
    except ValueError:
        return False


def _accounts_in(message: Message) -> Iterator[str]:
    """Yield every `account_id` that a request names, at any depth."""
    for field, value in message.ListFields():
        items = value if field.is_repeated else [value]
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for item in items:
                yield from _accounts_in(item)
        elif field.name == "account_id":
            yield from items
