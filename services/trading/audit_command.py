"""`audit`: check the books from the command line, and end with 1 if an invariant is broken.

2 says that something could not be checked, for instance because quotes was away.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import aclosing

import structlog

from services.kit.database import DatabaseUnavailable
from services.kit.logs import configure_logs
from services.kit.settings import load_settings
from services.trading.app import NAME, auditors
from services.trading.audit_apart import line_of
from services.trading.audit_report import Progress, Report, followed
from services.trading.settings import Settings

_IN_ORDER, _BROKEN, _UNCHECKED = 0, 1, 2
_GIVES_WAY = 10
"""How nice the service's audit is: it has a tenth of what the writer has where both want more."""


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
    parser.add_argument(
        "--apart",
        action="store_true",
        help="for the service: say it in lines of JSON, and give way to everybody else",
    )
    options = parser.parse_args(arguments)
    if options.apart:
        os.nice(_GIVES_WAY)
    settings = load_settings(Settings)
    if options.book is not None and options.book not in settings.books:
        raise SystemExit(f"audit: there is no book {options.book!r} here")
    _log_beside_the_answer(settings, apart=options.apart)
    books = [options.book] if options.book else sorted(settings.books)
    try:
        reports = asyncio.run(_audit(settings, books, options))
    except DatabaseUnavailable as error:
        if options.apart:
            sys.stdout.write(f"{line_of(error)}\n")
        else:
            sys.stderr.write(f"audit: the database is away: {error}\n")
        raise SystemExit(_UNCHECKED) from None
    raise SystemExit(verdict(reports))


def _log_beside_the_answer(settings: Settings, *, apart: bool) -> None:
    if apart:
        configure_logs(NAME, settings.log_format, sys.stderr)
        return
    # Only what went wrong is worth a line to people.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


async def _audit(settings: Settings, books: list[str], options: argparse.Namespace) -> list[Report]:
    reports = []
    async with auditors(settings) as found:
        for book in books:
            progress = Progress()
            audit = found[book].audit(full=options.full, accept=options.accept, progress=progress)
            async with aclosing(followed(audit, progress)) as steps:
                async for step in steps:
                    sys.stdout.writelines(f"{line}\n" for line in _said(book, step, options))
                    sys.stdout.flush()
                    reports += [step] if isinstance(step, Report) else []
    return reports


def _said(book: str, step: Progress | Report, options: argparse.Namespace) -> Iterator[str]:
    if options.apart:
        yield line_of(step)
    elif isinstance(step, Report):
        yield from lines_of(book, step)


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
