"""The audit trail as a chain: each record's hash covers the hash before it.

The hash is SHA-256 over the previous one and the record's canonical JSON: an array of its fields
in the order of `Record`, the time in microseconds since 1970, without spaces, in ASCII. A seal
signs the hash of a record, so that even the owner of the database, who could write a whole new
chain, cannot make it look like the old one, nor cut off its end unnoticed.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

GENESIS = bytes(32)
"""The hash before the first record."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the trail; see the contract's AuditRecord for the meaning of each field."""

    journal: str
    position: int
    """Its sequence among the journal's audit events, from 1."""

    time: datetime
    actor: str
    action: str
    subject: str
    outcome: str
    reason: str
    count: int
    before: str
    after: str
    network: str
    session_id: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Link:
    """A record in its place."""

    sequence: int
    record: Record
    hash: bytes


@dataclass(frozen=True, slots=True)
class Break:
    """Where the trail is not what it was."""

    sequence: int
    problem: str


def hash_of(previous: bytes, sequence: int, record: Record) -> bytes:
    """Return the hash of a record in its place."""
    fields = [
        (value - _EPOCH) // _MICROSECOND if isinstance(value, datetime) else value
        for value in astuple(record)
    ]
    text = json.dumps([sequence, *fields], separators=(",", ":"))
    return sha256(previous + text.encode()).digest()


def chained(sequence: int, previous: bytes, records: Iterable[Record]) -> list[Link]:
    """Return records as the links after this sequence and hash."""
    links = []
    for record in records:
        sequence += 1
        previous = hash_of(previous, sequence, record)
        links.append(Link(sequence, record, previous))
    return links


def breaks_in(sequence: int, previous: bytes, links: Iterable[Link]) -> Iterator[Break]:
    """Yield what is wrong with the links after this sequence and hash.

    A wrong hash is told once: the links after it are judged by what it says of itself.
    """
    for link in links:
        if link.sequence != sequence + 1:
            yield Break(sequence + 1, f"missing, up to {link.sequence - 1}")
        elif hash_of(previous, link.sequence, link.record) != link.hash:
            yield Break(link.sequence, "does not fit its hash, or the record before it")
        sequence, previous = link.sequence, link.hash


def seal_text(sequence: int, link_hash: bytes, time: datetime) -> bytes:
    """Return what a seal signs; it begins as no token does."""
    moment = time.astimezone(UTC).isoformat(timespec="microseconds")
    return f"veritick audit seal 1\n{sequence}\n{link_hash.hex()}\n{moment}\n".encode()
