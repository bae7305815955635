"""What people do to their own credentials, and whose credentials are refused, for the audit trail.

A record names a credential by its id and never by what opens it, nor by an address of anybody's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.kit.audit import audited, by_caller
from services.kit.errors import Failure
from services.kit.journal import NewEvent
from services.kit.principal import caller
from services.kit.reason import Reason
from services.kit.refusals import Refusals

_QUESTIONS = frozenset({Reason.SECOND_FACTOR_REQUIRED, Reason.INVALID_REQUEST})
"""What is asked for next, or was misspelt, is no refusal of a credential."""


def credential_changed(
    action: str, user_id: UUID, time: datetime, after: Mapping[str, object] | None = None
) -> NewEvent:
    """Return the record that a user changed something that he signs in with.

    Who is not signed in has proven who he is by the very credential, a link or a code.
    """
    by = by_caller()
    if caller().kind == "anonymous":
        by = replace(by, actor=f"user:{user_id}")
    return audited(action, f"user:{user_id}", time, by=by, after=after)


@contextmanager
def refusals_noted(refusals: Refusals, action: str, subject: object = None) -> Iterator[None]:
    """Note that the credential of a user was refused, where it is; `None` for one nobody has."""
    try:
        yield
    except Failure as failure:
        if failure.reason not in _QUESTIONS:
            whose = f"user:{subject}" if subject is not None else ""
            refusals.note(action, whose, by_caller(), failure.reason)
        raise
