"""Identifiers: UUIDv7, and the text ids that also say in which scope they live.

A scoped id, `demo_0199a1b2-…`, names the book that holds its truth; inside that book's own
database it is a plain `uuid` column.
"""

import re
from collections.abc import Callable
from uuid import UUID, SafeUUID

import uuid_utils

Ids = Callable[[], UUID]
"""A source of fresh ids."""

_SCOPE = r"[a-z][a-z0-9-]{0,31}"
_CANONICAL_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_SCOPE_PATTERN = re.compile(_SCOPE)
_SCOPED_PATTERN = re.compile(f"({_SCOPE})_({_CANONICAL_UUID})")

_set_number, _set_safety = UUID.__dict__["int"].__set__, UUID.__dict__["is_safe"].__set__
_SAFETY = SafeUUID.unknown

_RANDOM_BITS = 62
_SEQUENTIAL_EPOCH_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z


def uuid7() -> UUID:
    """Return a fresh UUIDv7: later ids sort after earlier ones, so indexes grow at their end."""
    return uuid_of(uuid_utils.uuid7().int)


def uuid_of(number: int) -> UUID:
    """Return `UUID(int=number)` of a number of 128 bits, in half the time: nothing is checked."""
    identifier = object.__new__(UUID)
    _set_number(identifier, number)
    _set_safety(identifier, _SAFETY)
    return identifier


class SequentialIds:
    """Ids that are the same on every run: for tests. Two seeds never give the same id."""

    def __init__(self, seed: int = 0) -> None:
        if not 0 <= seed < 1 << 12:
            raise ValueError(f"a seed lies in 0..4095: {seed}")
        self._seed = seed
        self._count = 0

    def __call__(self) -> UUID:
        """Return the next id; it sorts after all before it, as a UUIDv7 does."""
        self._count += 1
        time_and_version = (_SEQUENTIAL_EPOCH_MS + self._count) << 16 | 7 << 12 | self._seed
        variant_and_rest = 0b10 << _RANDOM_BITS | self._count
        return UUID(int=time_and_version << 64 | variant_and_rest)


def uuid_text(identifier: UUID) -> str:
    """Return `str(identifier)`, in less than half the time."""
    digits = identifier.int.to_bytes(16, "big").hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def scoped(scope: str, identifier: UUID) -> str:
    """Return the text form of an id within a scope; ValueError when no scope may be called so."""
    if not _SCOPE_PATTERN.fullmatch(scope):
        raise ValueError(f"not a scope: {scope!r}")
    return f"{scope}_{identifier}"


def parse_scoped(text: str) -> tuple[str, UUID] | None:
    """Return scope and id, or None when the text is not one.

    Only the canonical spelling is read, so that an id has exactly one text.
    """
    match = _SCOPED_PATTERN.fullmatch(text)
    return (match[1], UUID(match[2])) if match else None
