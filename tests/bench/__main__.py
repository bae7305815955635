"""`python -m tests.bench [P1 P2 …]`: measure, print the table, write build/bench.json."""

import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from tests.bench.placing import p1, p2
from tests.bench.rows import Row, keep, show
from tests.bench.settling import s1
from tests.stores import Postgres, running_postgres

ROWS: dict[str, Callable[[Postgres, Path], Awaitable[Row]]] = {"P1": p1, "P2": p2, "S1": s1}


async def measure(names: list[str], postgres: Postgres, folder: Path) -> list[Row]:
    """Measure the named rows, one after the other."""
    rows = []
    for name in names:
        rows.append(await ROWS[name](postgres, folder))
        print(show(rows[-1:]), flush=True)
    return rows


def main() -> None:
    """Run from the command line."""
    names = sys.argv[1:] or list(ROWS)
    with (
        tempfile.TemporaryDirectory(prefix="veritick-") as folder,
        running_postgres(Path(folder), durable=True) as postgres,
    ):
        rows = uvloop.run(measure(names, postgres, Path(folder)))
    keep(rows)
    print(f"\n{show(rows)}")


if __name__ == "__main__":
    main()
