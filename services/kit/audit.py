"""What stays on record: who did what, from where, what was before and after.

The service that makes a change appends its record to its own journal, in the transaction of the
change: `journal.append(connection, [changed, audited("instrument.update", …)], now)`. Identity
follows the subject `audit` of every journal and chains the records. A record can never be erased,
so it names people by id, places by network, and leaves out what is secret.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from services.kit.journal import NewEvent, new_event
from services.kit.origin import UNKNOWN, origin
from services.kit.principal import Principal, caller
from services.kit.reason import Reason
from services.kit.request_id import current_request_id
from services.kit.wire import to_timestamp
from veritick.event.v1.event_pb2 import AuditRecorded, Event
from veritick.identity.v1.audit_record_pb2 import AuditRecord
from veritick.option.v1.field_pb2 import field as field_option

AUDIT_SUBJECT = "audit"
"""The subject, in every journal, whose events are these records."""

_VALUE_LENGTH_MAX = 8 * 1024
_TEXT_LENGTH_MAX = 200
_MAIL_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"']+@[^\s<>()\[\],;:\"']+")

Value = Message | Mapping[str, object] | None
"""What was before, or is after: a message of the contract, or some fields."""


@dataclass(frozen=True, slots=True)
class By:
    """Who does something, and from where."""

    actor: str
    network: str = UNKNOWN
    session_id: str = ""
    request_id: str = ""


def by_caller() -> By:
    """Return who makes the call that is being handled."""
    who = caller()
    return By(actor_of(who), origin().network, who.session_id or "", current_request_id())


def actor_of(who: Principal) -> str:
    """Return how the trail names a caller: `user:<id>`, `service:<name>`, `anonymous`."""
    return f"{who.kind}:{who.id}" if who.id else who.kind


def audited(
    action: str,
    subject: str,
    time: datetime,
    *,
    by: By | None = None,
    before: Value = None,
    after: Value = None,
    reason: str = "",
) -> NewEvent:
    """Return the event that something was done, by the caller unless `by` names another.

    `reason` holds the words of whoever did it, where words are asked for.
    """
    record = _record(action, subject, time, by or by_caller())
    record.outcome = AuditRecord.DONE
    record.before, record.after = _text_of(before), _text_of(after)
    record.reason = _plain(nameless(reason))
    return _event(record)


def nameless(words: str) -> str:
    """Return somebody's words as they may stay for ever: without mail addresses.

    That is the one way of naming a person that can be told for sure.
    """
    return _MAIL_ADDRESS.sub("…", words)


def audited_refusal(
    action: str, subject: str, time: datetime, by: By, reason: Reason, count: int = 1
) -> NewEvent:
    """Return the event that something was refused, so many times."""
    record = _record(action, subject, time, by)
    record.outcome, record.reason, record.count = AuditRecord.REFUSED, reason.value, count
    return _event(record)


def _record(action: str, subject: str, time: datetime, by: By) -> AuditRecord:
    return AuditRecord(
        action=_plain(action),
        subject=_plain(subject),
        actor=_plain(by.actor),
        network=by.network,
        session_id=_plain(by.session_id),
        request_id=_plain(by.request_id),
        count=1,
        time=to_timestamp(time),
    )


def _event(record: AuditRecord) -> NewEvent:
    return new_event(AUDIT_SUBJECT, Event(audit_recorded=AuditRecorded(record=record)))


def _plain(text: str) -> str:
    """Return a text as it can be stored: without NUL, and not for ever."""
    return text.replace("\0", "")[:_TEXT_LENGTH_MAX]


def _text_of(value: Value) -> str:
    """Return a value as JSON without secrets; of one that is too large, only its digest."""
    if value is None:
        return ""
    fields = _shown(value) if isinstance(value, Message) else dict(value)
    text = json.dumps(fields, sort_keys=True, default=str).replace("\\u0000", "")
    if len(text) <= _VALUE_LENGTH_MAX:
        return text
    return json.dumps({"sha256": hashlib.sha256(text.encode()).hexdigest()})


def _shown(message: Message) -> dict[str, object]:
    shown = type(message)()
    shown.CopyFrom(message)
    _forget_secrets(shown)
    fields: dict[str, object] = MessageToDict(shown)
    return fields


def _forget_secrets(message: Message) -> None:
    for field, value in message.ListFields():
        if field.GetOptions().Extensions[field_option].secret:
            message.ClearField(field.name)
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for nested in value if field.is_repeated else [value]:
                _forget_secrets(nested)
