"""The one exception that says no: a reason of the contract, in words, with its metadata."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.kit.reason import Reason


@dataclass(frozen=True, slots=True)
class Violation:
    """One field of a request that breaks a rule."""

    field: str
    """Path in the request's proto names, such as `stake.minor_units`."""

    description: str
    """What is wrong, as a sentence without the field's name."""


class Failure(Exception):
    """An expected refusal. Everything else that is raised is a fault of ours.

    `metadata` holds the keys documented beside the reason in the contract; it reaches the
    caller, so it never holds what the caller may not know.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
        retry_after: timedelta | None = None,
    ) -> None:
        """Describe the refusal; `retry_after` tells when the same call may succeed."""
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after = retry_after

    def __repr__(self) -> str:
        return f"Failure({self.reason}, {self.message!r}, {self.metadata})"
