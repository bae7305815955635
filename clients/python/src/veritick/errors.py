"""What went wrong, with the reason of the contract by which programs decide."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from veritick.error.v1.error_reason_pb2 import ErrorReason
from veritick.option.v1.reason_pb2 import reason as reason_option

_REASON_OF_STATUS = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "UNIMPLEMENTED",
    413: "REQUEST_TOO_LARGE",
    429: "RATE_LIMITED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One field of a request that breaks a rule of the contract."""

    field: str
    """Path of the field, such as `stake.minor_units`."""

    description: str
    """What is wrong with it."""


class VeritickError(Exception):
    """A call was refused, or could not be made.

    `reason` is a name of `veritick.error.v1.ErrorReason`, where each is explained with the keys of
    its `metadata`. A text, not an enum, since a newer platform may know more of them.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        status: int | None = None,
        violations: tuple[Violation, ...] = (),
        retry_after_seconds: float = 0,
        delivered: bool = True,
        retryable: bool | None = None,
    ) -> None:
        """Describe the refusal in words, with what a program needs to act on it."""
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.status = status
        """The HTTP status; None when no answer came."""
        self.violations = violations
        """The fields at fault, when the reason is INVALID_REQUEST."""
        self.retry_after_seconds = retry_after_seconds
        """How long the platform asks to wait before the next attempt."""
        self.delivered = delivered
        """Whether the request may have reached the platform."""
        self.retryable = is_retryable(reason) if retryable is None else retryable
        """Whether the same call may succeed later without any change by the caller."""


def is_retryable(reason: str) -> bool:
    """Return what the contract says of a reason; one that it does not know is not retryable."""
    value = ErrorReason.DESCRIPTOR.values_by_name.get(reason)
    return bool(value and value.GetOptions().Extensions[reason_option].retryable)


def error_of(status: int, body: bytes, retry_after: str | None = None) -> VeritickError:
    """Return the error that an answer with an error status tells.

    The body of the edge is a problem document (RFC 9457). What stands before the edge may answer
    anything; then the status gives the reason.
    """
    document = _json_object(body)
    metadata, retryable = document.get("metadata"), document.get("retryable")
    return VeritickError(
        str(document.get("reason") or _REASON_OF_STATUS.get(status, "INTERNAL")),
        str(document.get("detail") or document.get("title") or f"The answer was HTTP {status}."),
        metadata={str(k): str(v) for k, v in metadata.items()}
        if isinstance(metadata, dict)
        else {},
        status=status,
        violations=tuple(_violations(document.get("violations"))),
        retry_after_seconds=int(retry_after) if retry_after and retry_after.isdecimal() else 0,
        retryable=retryable if isinstance(retryable, bool) else None,
    )


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _violations(listed: object) -> list[Violation]:
    items = listed if isinstance(listed, list) else []
    return [
        Violation(str(item.get("field", "")), str(item.get("description", "")))
        for item in items
        if isinstance(item, dict)
    ]
