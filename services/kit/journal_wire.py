"""Journal entries as messages."""

from collections.abc import Iterable

from services.kit.journal import Entry
from services.kit.wire import to_timestamp
from veritick.event.v1.event_pb2 import Event
from veritick.journal.v1.journal_service_pb2 import JournalEntry


def to_entry(entry: Entry) -> JournalEntry:
    """Return an entry as the contract's message."""
    return JournalEntry(
        position=entry.position,
        subject=entry.subject,
        sequence=entry.sequence,
        type=entry.type,
        time=to_timestamp(entry.time),
        event=Event.FromString(entry.payload),
    )


def to_entries(entries: Iterable[Entry]) -> list[JournalEntry]:
    """Return entries as the contract's messages."""
    return [to_entry(entry) for entry in entries]
