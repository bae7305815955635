"""The id that follows a request from the edge to the ledger, through logs and onward calls."""

import re
from contextvars import ContextVar

import uuid_utils
from structlog.typing import EventDict, WrappedLogger

REQUEST_ID_KEY = "x-request-id"
"""The gRPC metadata and HTTP header that carry it."""

_WELL_FORMED = re.compile(r"[A-Za-z0-9_.:-]{8,80}")
_request_id: ContextVar[str] = ContextVar("request_id", default="")


def bind_request_id(given: str | bytes | None) -> str:
    """Remember the request id for logs and onward calls: the given one if well-formed, or new."""
    if isinstance(given, str) and _WELL_FORMED.fullmatch(given):
        request_id = given
    else:
        request_id = str(uuid_utils.uuid4())
    _request_id.set(request_id)
    return request_id


def current_request_id() -> str:
    """Return the id of the request being handled, or an empty text outside of one."""
    return _request_id.get()


def add_request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Name the request that is being handled in a line of the log."""
    if request_id := current_request_id():
        event.setdefault("request_id", request_id)
    return event
