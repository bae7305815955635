"""What a process sends to its database, and how that is planned: for tests of the shape of cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest


@dataclass
class Statements:
    """What was sent to the database, with its plan."""

    texts: list[str] = field(default_factory=list)
    plans: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Statements]:
    """Note every statement that this process sends within the block, and how it is planned."""
    seen = Statements()
    with monkeypatch.context() as patch:
        patch.setattr(psycopg.AsyncCursor, "execute", _watching(seen))
        yield seen


def _watching(seen: Statements) -> Callable[..., Any]:
    execute: Any = psycopg.AsyncCursor.execute

    async def watching(self: Any, query: Any, parameters: Any = None, **options: Any) -> Any:
        text = query.decode() if isinstance(query, bytes) else str(query)
        if text.lstrip().startswith(("SELECT", "WITH", "INSERT")) and "leader SET" not in text:
            seen.texts.append(text)
            explaining = type(self)(self.connection)
            await execute(explaining, "EXPLAIN (FORMAT JSON) " + text, parameters)
            [[answer]] = await explaining.fetchall()
            plan = json.loads(answer) if isinstance(answer, str) else answer
            seen.plans.append(plan[0]["Plan"])
        return await execute(self, query, parameters, **options)

    return watching


def read_whole(plan: dict[str, Any]) -> Iterator[str]:
    """Yield the tables that a plan reads without a key."""
    if plan["Node Type"] == "Seq Scan" or _keyless(plan):
        yield plan["Relation Name"] if "Relation Name" in plan else plan["Index Name"]
    for part in plan.get("Plans", ()):
        # Below a limit an index may be walked from its end, if nothing on the way is left out.
        if not (plan["Node Type"] == "Limit" and _keyless(part) and "Filter" not in part):
            yield from read_whole(part)


def shape_of(plan: dict[str, Any]) -> str:
    """Return a plan without its numbers: which steps, on what, by which index."""
    step = " ".join(
        str(plan[name]) for name in ("Node Type", "Relation Name", "Index Name") if name in plan
    )
    return f"{step} ({', '.join(shape_of(part) for part in plan.get('Plans', ()))})"


def _keyless(plan: dict[str, Any]) -> bool:
    """Whether a whole index is read."""
    kind = plan["Node Type"]
    index = "Index" in kind and "Scan" in kind and "Bitmap Heap" not in kind
    return index and "Index Cond" not in plan
