"""What of the audit trail a person may see who asks for everything about himself.

What he did himself he sees in full. What others did to him he sees as such, without who they are
and what they wrote; and not what the platform does against fraud, which telling would undo.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.identity.trail import Record

_KEPT_BACK = ("fraud.", "note.")


def disclosed(record: Record, person: str) -> Mapping[str, object] | None:
    """Return what a person, such as `user:<id>`, may see of a record, None for nothing."""
    shown: dict[str, object] = {
        "time": record.time,
        "action": record.action,
        "outcome": record.outcome,
        "count": record.count,
    }
    if record.actor == person:
        shown |= {"by": person, "network": record.network, "session_id": record.session_id}
        # What staff did to others is about these.
        if record.subject == person or not record.subject.startswith("user:"):
            shown |= {
                "subject": record.subject,
                "reason": record.reason,
                "before": record.before,
                "after": record.after,
            }
        return shown
    if record.subject != person or record.action.startswith(_KEPT_BACK):
        return None
    return shown | {"subject": person}
