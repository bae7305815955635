"""Refusals as problem documents (RFC 9457), with the same reason and metadata as over gRPC."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from edge.rest.reasons import status_of, title_of
from edge.rest.transcoder import to_bytes
from services.kit.contract import reason_rule
from services.kit.errors import Failure, Violation
from services.kit.reason import Reason
from services.kit.request_id import current_request_id

MEDIA_TYPE = "application/problem+json"
_ASK_AGAIN = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_log = structlog.stdlib.get_logger()
_EXPIRED = frozenset({Reason.TOKEN_EXPIRED, Reason.SESSION_ENDED})


def problem(
    failure: Failure,
    *,
    status: HTTPStatus | None = None,
    violations: Sequence[Violation] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the document of a failure.

    `status` replaces the reason's own where HTTP is more precise (405, 415); `violations` the
    failure's, when their fields are named as the client knows them.
    """
    status = status or status_of(failure.reason)
    return Response(
        to_bytes(
            _document(failure, status, failure.violations if violations is None else violations)
        ),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={**_headers(failure, status), **(headers or {})},
    )


def fault_of_ours() -> Failure:
    """Return what a caller is told of a fault of ours: where to find it, and nothing of it."""
    metadata = {"request_id": current_request_id()}
    return Failure(Reason.INTERNAL, "A fault of ours; it was recorded.", metadata=metadata)


def not_served(_request: Request, error: Exception) -> Response:
    """Return the document for what the web framework refuses: an unknown path or verb."""
    status, headers = HTTPStatus.NOT_FOUND, None
    if isinstance(error, HTTPException):
        status, headers = HTTPStatus(error.status_code), error.headers
    failure = Failure(Reason.UNIMPLEMENTED, "This path is not served so.")
    return problem(failure, status=status, headers=headers)


def faulty(request: Request, error: Exception) -> Response:
    """Return the document for a fault of ours outside of any RPC."""
    _log.error("request failed", path=request.url.path, exc_info=error)
    return problem(fault_of_ours())


def _document(
    failure: Failure, status: HTTPStatus, violations: Sequence[Violation]
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": f"/docs/errors#{failure.reason}",
        "title": title_of(failure.reason),
        "status": status.value,
        "detail": failure.message,
        "reason": failure.reason.value,
    }
    if failure.metadata:
        document["metadata"] = failure.metadata
    if violations:
        document["violations"] = [
            {"field": item.field, "description": item.description} for item in violations
        ]
    document["retryable"] = reason_rule(failure.reason).retryable
    document["requestId"] = current_request_id()
    return document


def _headers(failure: Failure, status: HTTPStatus) -> dict[str, str]:
    headers = {"Cache-Control": "no-store"}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = _challenge(failure.reason)
    if status in _ASK_AGAIN:
        wait = failure.retry_after.total_seconds() if failure.retry_after else 1.0
        headers["Retry-After"] = str(max(1, math.ceil(wait)))
    return headers


def _challenge(reason: Reason) -> str:
    """Return what RFC 6750 lets a client know: that its token was once good, or nothing more."""
    fault = ', error="invalid_token"' if reason in _EXPIRED else ""
    return f'Bearer realm="veritick"{fault}'
