"""How a reason of the contract shows in HTTP."""

from __future__ import annotations

import re
from http import HTTPStatus

from google.rpc import code_pb2

from edge.comments import comment
from services.kit.contract import reason_rule
from services.kit.reason import Reason
from veritick.error.v1.error_reason_pb2 import ErrorReason

_STATUS = {
    code_pb2.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    code_pb2.OUT_OF_RANGE: HTTPStatus.BAD_REQUEST,
    code_pb2.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    code_pb2.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    code_pb2.NOT_FOUND: HTTPStatus.NOT_FOUND,
    # There is no such route, or the service behind it does not know the call yet.
    code_pb2.UNIMPLEMENTED: HTTPStatus.NOT_FOUND,
    code_pb2.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    code_pb2.FAILED_PRECONDITION: HTTPStatus.CONFLICT,
    code_pb2.ABORTED: HTTPStatus.CONFLICT,
    code_pb2.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    code_pb2.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    code_pb2.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
}
_OWN_STATUS = {Reason.REQUEST_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
_WORD = re.compile(r"[A-Z][A-Z_]+[A-Z]")
_ACRONYMS = {"id": "ID", "csrf": "CSRF"}


def status_of(reason: Reason) -> HTTPStatus:
    """Return the HTTP status that carries a reason."""
    code = reason_rule(reason).code
    return _OWN_STATUS.get(reason) or _STATUS.get(code, HTTPStatus.INTERNAL_SERVER_ERROR)


def title_of(reason: Reason) -> str:
    """Return a reason as people write it: `MARKET_CLOSED` → `Market closed`."""
    words = [_ACRONYMS.get(word, word) for word in reason.value.lower().split("_")]
    return words[0][:1].upper() + " ".join(words)[1:]


def meaning_of(reason: Reason) -> str:
    """Return what the contract says of a reason, with its example."""
    return comment(ErrorReason.DESCRIPTOR.values_by_name[reason.value])


def reasons_named_in(text: str) -> list[Reason]:
    """Return the reasons that a text names, in its order, each once."""
    named = (word for word in _WORD.findall(text) if word in Reason.__members__)
    return [Reason(word) for word in dict.fromkeys(named)]
