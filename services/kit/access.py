"""Who may call an RPC: the rule the contract declares, checked against the caller."""

from services.kit.errors import Failure
from services.kit.principal import Principal
from services.kit.reason import Reason
from veritick.option.v1.access_pb2 import Access


def check_access(rule: Access, principal: Principal) -> None:
    """Raise unless the rule admits the caller. A rule that says nothing admits nobody.

    Failure UNAUTHENTICATED when signing in could help, PERMISSION_DENIED when it could not.
    """
    if principal.kind == "service" and principal.id in rule.services:
        return
    people = rule.WhichOneof("people")
    if people == "public" and rule.public:
        return
    if principal.kind == "user":
        if people == "user" and rule.user:
            return
        if people == "permission" and rule.permission in principal.permissions:
            return
    if principal.kind == "anonymous" and people in {"user", "permission"}:
        raise Failure(Reason.UNAUTHENTICATED, "This call needs a signed-in user.")
    needed = {"permission": rule.permission} if people == "permission" else {}
    raise Failure(Reason.PERMISSION_DENIED, "You may not make this call.", metadata=needed)
