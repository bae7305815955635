"""A commit as one statement: what its parts do, and what must hold, in common table expressions.

A statement by itself is a transaction, so a commit of the writer is one trip to the database,
nothing of it can be sent without the rest, and a writer that is stopped in its middle leaves no
transaction open. All parts see what was there before the statement, so no two may write the same
row; they write different tables. Each is prepared once, and planned once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, LiteralString, NamedTuple

from psycopg import AsyncRawCursor

from services.kit.database import RawConnection


class Part(NamedTuple):
    """Something that a commit does. Its parameters are written `%(table.column)s`."""

    steps: LiteralString
    """Common table expressions, `name AS (…), name AS (…)`; a name occurs in one part only."""

    require: LiteralString | None = None
    """A call of `require`, which raises unless what it is about holds."""


Statement = tuple[Part, Mapping[str, Any]]
"""A part with its parameters."""

_PLACEHOLDER = re.compile(r"%\(([a-z_.]+)\)s")


async def run(connection: RawConnection, statements: Sequence[Statement]) -> None:
    """Run the parts as one statement; conditions are tried in the order of the parts.

    Errors: psycopg's own; a condition that does not hold raises one with the state VT001.
    """
    text, names = _composed(tuple(part for part, _ in statements))
    values: dict[str, Any] = {}
    for _, parameters in statements:
        values.update(parameters)
    cursor = AsyncRawCursor(connection)
    await cursor.execute(text, [values[name] for name in names], prepare=True)


@cache
def _composed(parts: tuple[Part, ...]) -> tuple[bytes, tuple[str, ...]]:
    """Return the statement of these parts with numbered parameters, and their names in order."""
    names: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        return f"${names.setdefault(match[1], len(names) + 1)}"

    steps = ", ".join(part.steps for part in parts if part.steps)
    conditions = ", ".join(part.require for part in parts if part.require)
    text = f"WITH {steps} SELECT {conditions}" if steps else f"SELECT {conditions}"
    return _PLACEHOLDER.sub(number, text).encode(), tuple(names)
