"""What is shown and kept of what was measured: a table, build/bench.json and build/bench.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.rows import Growth, Measured, Row

JSON = Path("build/bench.json")
MARKDOWN = Path("build/bench.md")
_THOUSAND = 1_000

_ROW_HEAD = ("row", "ours", "theirs", "ratio", "goal", "spread", "", "what")
_GROWTH_HEAD = ("row", "cost at each size", "slope", "flat", "", "what")

Result = dict[str, Any]


def results_of(measured: Iterable[Measured]) -> dict[str, Result]:
    """Return what is kept of rows and growths, by id."""
    return {item.id: _row(item) if isinstance(item, Row) else _growth(item) for item in measured}


def keep(results: dict[str, Result]) -> dict[str, Result]:
    """Write results over those of the same id that are there, and return all of them."""
    known: dict[str, Result] = json.loads(JSON.read_text()) if JSON.exists() else {}
    known.update(results)
    JSON.parent.mkdir(exist_ok=True)
    JSON.write_text(json.dumps(known, indent=2) + "\n")
    MARKDOWN.write_text(markdown(known))
    return known


def table(results: dict[str, Result]) -> str:
    """Return the results as a table for a terminal."""
    return "\n\n".join(_aligned(lines) for lines in _tables(results))


def markdown(results: dict[str, Result]) -> str:
    """Return the results as tables for docs/performance.md."""
    return "\n".join(_piped(lines) for lines in _tables(results))


def figure(value: float) -> str:
    """Return a figure with as many digits as say something."""
    if abs(value) >= _THOUSAND:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _row(row: Row) -> Result:
    return {
        "title": row.title,
        "unit": row.unit,
        "ratio": round(row.ratio, 3),
        "ours": round(median(row.ours), 3),
        "theirs": round(median(row.theirs), 3),
        "goal": row.goal,
        "stretch": row.stretch,
        "better": "less" if row.less else "more",
        "beside": "the bound" if row.bounded else "a measurement",
        "verdict": row.verdict,
        "score": round(row.score, 3),
        "spread": round(row.spread, 3),
        "ours_all": [round(value, 3) for value in row.ours],
        "theirs_all": [round(value, 3) for value in row.theirs],
    }


def _growth(growth: Growth) -> Result:
    first, last = growth.medians[0], growth.medians[-1]
    return {
        "title": growth.title,
        "unit": growth.unit,
        "ratio": round(last / first, 3),
        "ours": round(last, 3),
        "theirs": round(first, 3),
        "slope": round(growth.slope, 3),
        "goal": growth.goal,
        "better": "less",
        "verdict": growth.verdict,
        "sizes": list(growth.sizes),
        "costs": [round(cost, 3) for cost in growth.medians],
        "costs_all": [[round(cost, 3) for cost in costs] for costs in growth.costs],
    }


def _tables(results: dict[str, Result]) -> list[list[tuple[str, ...]]]:
    rows = [_row_line(name, one) for name, one in results.items() if "slope" not in one]
    growths = [_growth_line(name, one) for name, one in results.items() if "slope" in one]
    tables = [[_ROW_HEAD, *rows]] if rows else []
    return [*tables, [_GROWTH_HEAD, *growths]] if growths else tables


def _row_line(name: str, row: Result) -> tuple[str, ...]:
    bound = row["beside"] == "the bound"
    return (
        name,
        f"{figure(row['ours'])} {row['unit']}",
        f"(at most {figure(row['theirs'])})" if bound else figure(row["theirs"]),
        f"{row['ratio']:.2f}",
        f"{'≤' if row['better'] == 'less' else '≥'} {row['goal']:.2f}",
        f"{row['spread']:.0%}",
        row["verdict"],
        row["title"],
    )


def _growth_line(name: str, growth: Result) -> tuple[str, ...]:
    pairs = zip(growth["sizes"], growth["costs"], strict=True)
    costs = ", ".join(f"{size:,}: {figure(cost)}" for size, cost in pairs)
    return (
        name,
        f"{costs} {growth['unit']}",
        f"{growth['slope']:.2f}",
        f"≤ {growth['goal']:.2f}",
        growth["verdict"],
        growth["title"],
    )


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _piped(lines: Sequence[Sequence[str]]) -> str:
    head, *rest = lines
    ruled = [head, ["---"] * len(head), *rest]
    return "".join(f"| {' | '.join(line)} |\n" for line in ruled)
