"""Journal events as the socket knows them, from Redis or from the journal itself."""

from __future__ import annotations

from typing import NamedTuple

from edge.canonical import to_json
from veritick.event.v1.event_pb2 import Event
from veritick.journal.v1.journal_service_pb2 import JournalEntry


class JournalEvent(NamedTuple):
    """One event with its place among its subject's. A plain tuple, because thousands are made."""

    sequence: int
    type: str
    data: bytes
    """What it says, as JSON: made once, for whoever is sent it."""


def from_entry(entry: JournalEntry) -> JournalEvent:
    """Return an event as the journal lists it."""
    return JournalEvent(entry.sequence, entry.type, _data_of(entry.event))


def from_payload(sequence: int, kind: str, payload: bytes) -> JournalEvent:
    """Return an event as the relay publishes it; protobuf's DecodeError when it is none."""
    return JournalEvent(sequence, kind, _data_of(Event.FromString(payload)))


def _data_of(event: Event) -> bytes:
    """Return what an event says; one of a kind newer than this program says `{}`."""
    kind = event.WhichOneof("data")
    return to_json(getattr(event, kind)) if kind else b"{}"
