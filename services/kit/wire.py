"""Between protobuf's types and Python's, one by one and as columns."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from services.kit.ids import uuid_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ID_BYTES = 16
_MOMENTS_KNOWN = 4_096


def to_datetime(timestamp: Timestamp) -> datetime:
    """Return the moment in UTC; nanoseconds below a microsecond are dropped."""
    return _EPOCH + timedelta(seconds=timestamp.seconds, microseconds=timestamp.nanos // 1000)


def to_timestamp(moment: datetime) -> Timestamp:
    """Return the moment as protobuf's type. The moment is aware."""
    since = moment - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1000)


def to_microseconds(moment: datetime) -> int:
    """Return the microseconds since 1970 of an aware moment."""
    return (moment - _EPOCH) // _MICROSECOND


# A column of moments has few different ones: equal ones become the same object.
@lru_cache(_MOMENTS_KNOWN)
def from_microseconds(microseconds: int) -> datetime:
    """Return the moment in UTC of so many microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)


def pack_ids(ids: Iterable[UUID]) -> bytes:
    """Return a column of ids, 16 bytes each."""
    return b"".join([identifier.bytes for identifier in ids])


def unpack_ids(column: bytes) -> list[UUID]:
    """Return the ids of a column; ValueError if its length is not a multiple of 16."""
    starts = range(0, len(column), _ID_BYTES)
    if len(column) % _ID_BYTES:
        raise ValueError("ids have 16 bytes each")
    numbers = [int.from_bytes(column[start : start + _ID_BYTES]) for start in starts]
    return list(map(uuid_of, numbers))


def indexes(values: Sequence[str]) -> tuple[list[str], list[int]]:
    """Return the different texts of a column, and which of them each value is, from 0."""
    places = {text: place for place, text in enumerate(dict.fromkeys(values))}
    return list(places), [places[text] for text in values]
