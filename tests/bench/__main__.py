"""`python -m tests.bench [P1 W2 …]`: measure, print tables, write build/bench.json and .md.

A run of everything also draws docs/bench.png. The exit code is 1 when a row could not be measured,
and 2 when nothing was, because a name is unknown or the machine has no room.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import structlog
import uvloop

from services.kit.garbage import collect_seldom
from tests.bench import growth, picture, results
from tests.bench.closing import s2
from tests.bench.ingesting import q1
from tests.bench.ordering import e1
from tests.bench.placing import p1, p2, p3, p4, p5
from tests.bench.room import shortages
from tests.bench.rows import Measured
from tests.bench.settling import s1, s3
from tests.bench.starting import b1
from tests.bench.streaming import w1, w2, w3
from tests.bench.terminal import t1, t2, t3
from tests.bench.waiting import q2, w4
from tests.stores import Postgres, running_postgres

Bench = Callable[[Postgres, Path], Awaitable[Measured | Sequence[Measured]]]
ROWS: dict[str, Bench] = {
    "P1": p1,
    "P2": p2,
    "P3": p3,
    "P4": p4,
    "P5": p5,
    "S1": s1,
    "S2": s2,
    "S3": s3,
    "Q1": q1,
    "Q2": q2,
    "W1": w1,
    "W2": w2,
    "W3": w3,
    "T1": t1,
    "T2": t2,
    "T3": t3,
    "W4": w4,
    "E1": e1,
    "B1": b1,
    "G1": growth.g1,
    "G2": growth.g2,
    "G3": growth.g3,
    "G4": growth.g4,
    "G5": growth.g5,
    "G6": growth.g6,
    "G7": growth.g7,
}


async def measure(name: str, postgres: Postgres, folder: Path) -> bool:
    """Measure one row, or a few that belong together; print and keep what came of it."""
    began = time.monotonic()
    try:
        measured = await ROWS[name](postgres, folder)
    except Exception:  # noqa: BLE001  the others are measured all the same, and the run fails
        print(f"{name} could not be measured\n{traceback.format_exc()}", flush=True)
        return False
    found = results.results_of(measured if isinstance(measured, Sequence) else [measured])
    results.keep(found)
    print(f"{results.table(found)}\n({time.monotonic() - began:.0f} s)\n", flush=True)
    return True


def run(names: Sequence[str]) -> list[str]:
    """Measure the named rows, each in an event loop of its own; return those that failed."""
    with (
        tempfile.TemporaryDirectory(prefix="veritick-") as folder,
        running_postgres(Path(folder), durable=True) as postgres,
    ):
        return [name for name in names if not uvloop.run(measure(name, postgres, Path(folder)))]


def main() -> int:
    """Run from the command line."""
    names = sys.argv[1:] or list(ROWS)
    if unknown := [name for name in names if name not in ROWS]:
        print(f"bench: no row {', '.join(unknown)}; there are {', '.join(ROWS)}", file=sys.stderr)
        return 2
    if lacking := shortages():
        print("bench: no room to measure in", *lacking, sep="\n  ", file=sys.stderr)
        return 2
    # What the parts under test say is of no interest, unless it is bad.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    # As the services do: some rows run their parts within this process.
    collect_seldom()
    if not sys.argv[1:]:
        results.JSON.unlink(missing_ok=True)
    failed = run(names)
    kept = results.keep({})
    print(results.table(kept))
    if not sys.argv[1:] and not failed:
        picture.draw(kept)
    if failed:
        print(f"bench: not measured: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
