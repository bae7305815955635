"""Knowing the customer: documents, what may become of them, and the level they give.

Levels and states are those of rules.md ("KYC"). A document is UPLOADING until all of it arrived and
was found to be what it says; a reviewer who opens it takes it IN_REVIEW.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto
from uuid import UUID

from services.kit.errors import Failure, Violation
from services.kit.reason import Reason

PART_BYTES_MAX = 1024 * 1024
PART_BYTES_MIN = 64 * 1024
"""But for the last: a document is not to become thousands of rows."""

UPLOADING_MAX = 5
"""Documents that one user may be uploading at a time."""

DOCUMENTS_MAX = 50
"""Documents that are kept of one user."""

SUFFIXES = {"image/jpeg": "jpg", "image/png": "png", "application/pdf": "pdf"}
"""How the name of a file of each type that is kept ends."""


class _Name(StrEnum):
    @staticmethod
    def _generate_next_value_(name: str, *_: object) -> str:
        return name


class Kind(_Name):
    """What a document proves."""

    IDENTITY = auto()
    ADDRESS = auto()


class State(_Name):
    """How far a document has come."""

    UPLOADING = auto()
    UPLOADED = auto()
    IN_REVIEW = auto()
    APPROVED = auto()
    REJECTED = auto()
    EXPIRED = auto()


class Rejection(_Name):
    """Why a reviewer rejects a document."""

    UNREADABLE = auto()
    WRONG_KIND = auto()
    OUT_OF_DATE = auto()
    MISMATCH = auto()
    FORGED = auto()


class Level(_Name):
    """How well a user is known."""

    NONE = auto()
    BASIC = auto()
    VERIFIED = auto()


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a user, without what is in it."""

    document_id: UUID
    user_id: UUID
    kind: Kind
    state: State
    size: int
    """Bytes that were announced, and from completion on those that are kept."""

    received: int
    """Bytes that have arrived: where an upload goes on."""

    media_type: str
    """`image/jpeg`, `image/png` or `application/pdf`; empty before completion."""

    created_at: datetime
    reviewed_at: datetime | None = None
    reviewed_by: UUID | None = None
    rejection: Rejection | None = None
    expires_at: datetime | None = None


def level_of(*, email_confirmed: bool, approved: Collection[Kind]) -> Level:
    """Return the level of a user with these approved documents (rules.md, "KYC").

    The platform sends no text messages, so a confirmed mail address alone makes BASIC.
    """
    if not email_confirmed:
        return Level.NONE
    return Level.VERIFIED if set(Kind) <= set(approved) else Level.BASIC


def check_part(document: Document, offset: int, length: int) -> bool:
    """Tell whether a part brings something new; False for one that arrived before.

    Failures: DOCUMENT_STATE_CONFLICT after completion, UPLOAD_OFFSET_WRONG (it tells where to go
    on) for a part that neither follows nor repeats, REQUEST_TOO_LARGE beyond the announced size,
    INVALID_REQUEST for one that is too small and not the last.
    """
    require_state(document, State.UPLOADING)
    if offset + length <= document.received:
        return False
    if offset != document.received:
        raise wrong_offset(document)
    if offset + length > document.size:
        metadata = {"max_bytes": str(document.size)}
        message = "The upload is larger than it was announced."
        raise Failure(Reason.REQUEST_TOO_LARGE, message, metadata=metadata)
    if length < PART_BYTES_MIN and offset + length < document.size:
        problem = f"must hold at least {PART_BYTES_MIN} bytes, unless it is the last"
        violations = [Violation("content", problem)]
        raise Failure(Reason.INVALID_REQUEST, f"content {problem}.", violations=violations)
    return True


def check_complete(document: Document) -> None:
    """Refuse to complete what is not all there. Failures as of `check_part`."""
    require_state(document, State.UPLOADING)
    if document.received != document.size:
        raise wrong_offset(document)


def check_reviewer(document: Document, reviewer: UUID) -> None:
    """Refuse a reviewer's own document. Failure SAME_PERSON."""
    if document.user_id == reviewer:
        raise Failure(Reason.SAME_PERSON, "Nobody reviews documents of their own.")


def require_state(document: Document, *states: State) -> None:
    """Refuse what is not done in the document's state. Failure DOCUMENT_STATE_CONFLICT."""
    if document.state not in states:
        metadata = {"state": document.state.value}
        message = f"The document is {document.state} by now."
        raise Failure(Reason.DOCUMENT_STATE_CONFLICT, message, metadata=metadata)


def wrong_offset(document: Document) -> Failure:
    """Return the refusal that tells where an upload goes on."""
    metadata = {"received": str(document.received)}
    message = f"The upload goes on at byte {document.received}."
    return Failure(Reason.UPLOAD_OFFSET_WRONG, message, metadata=metadata)
