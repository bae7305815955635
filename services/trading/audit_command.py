"""`audit`: check the books from the command line, and end with 1 if an invariant is broken.

2 says that something could not be checked, for instance because quotes was away.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Iterator

import structlog

from services.kit.database import DatabaseUnavailable
from services.kit.settings import load_settings
from services.trading.app import auditors
from services.trading.auditor import Report
from services.trading.settings import Settings

_IN_ORDER, _BROKEN, _UNCHECKED = 0, 1, 2


def audit(arguments: list[str]) -> None:
    """Run the command; SystemExit carries the verdict."""
    parser = argparse.ArgumentParser("python -m services.trading audit")
    parser.add_argument("--book", help="only this one; all of them without it")
    parser.add_argument("--full", action="store_true", help="the whole history, not only the new")
    parser.add_argument(
        "--accept",
        action="store_true",
        help="know what is found: let later audits begin behind it, except for what they still see",
    )
    options = parser.parse_args(arguments)
    settings = load_settings(Settings)
    if options.book is not None and options.book not in settings.books:
        raise SystemExit(f"audit: there is no book {options.book!r} here")
    # A person reads the output: only what went wrong is worth a log line.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    books = [options.book] if options.book else sorted(settings.books)
    try:
        reports = asyncio.run(_audit(settings, books, full=options.full, accept=options.accept))
    except DatabaseUnavailable as error:
        sys.stderr.write(f"audit: the database is away: {error}\n")
        raise SystemExit(_UNCHECKED) from None
    for book, report in reports.items():
        sys.stdout.writelines(f"{line}\n" for line in lines_of(book, report))
    raise SystemExit(verdict(list(reports.values())))


async def _audit(
    settings: Settings, books: list[str], *, full: bool, accept: bool
) -> dict[str, Report]:
    async with auditors(settings) as found:
        return {book: await found[book].audit(full=full, accept=accept) for book in books}


def verdict(reports: list[Report]) -> int:
    """Return the exit code that says how the books are."""
    if any(report.count for report in reports):
        return _BROKEN
    return _UNCHECKED if any(report.unchecked for report in reports) else _IN_ORDER


def lines_of(book: str, report: Report) -> Iterator[str]:
    """Yield a report as a table for people."""
    scope = "all" if report.full else "new"
    state = f"{report.count} findings" if report.count else "in order"
    yield f"{book}: {state}; {report.entries} {scope} entries up to {report.last_entry_id}"
    for invariant, obstacle in report.unchecked.items():
        yield f"  {invariant:<4} not checked: {obstacle}"
    table = max((len(finding.table) for finding in report.findings), default=0)
    row = max((len(finding.row) for finding in report.findings), default=0)
    for finding in report.findings:
        yield (
            f"  {finding.invariant:<4} {finding.table:<{table}}  {finding.row:<{row}}  "
            f"{finding.problem}"
        )
    if (more := report.count - len(report.findings)) > 0:
        yield f"  … and {more} more"
