"""The id that follows a request from the edge to the ledger, through logs and onward calls."""

import re

import structlog
import uuid_utils

REQUEST_ID_KEY = "x-request-id"
"""The gRPC metadata and HTTP header that carry it."""

_WELL_FORMED = re.compile(r"[A-Za-z0-9_.:-]{8,80}")


def bind_request_id(given: str | bytes | None) -> str:
    """Remember the request id for logs and onward calls: the given one if well-formed, or new."""
    known = isinstance(given, str) and _WELL_FORMED.fullmatch(given)
    request_id = str(given) if known else str(uuid_utils.uuid4())
    structlog.contextvars.bind_contextvars(request_id=request_id)
    return request_id


def current_request_id() -> str:
    """Return the id of the request being handled, or an empty text outside of one."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))
