"""`veritick export|verify`: take the receipts of a book home, and check them there.

Exit codes of `verify`: 0 all is right, 1 something is not as it must be, 2 the file cannot be read
as an export. Of `export`: 0 written, 1 not written. Both: 2 for wrong arguments, 130 interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from getpass import getpass
from pathlib import Path

from veritick.client import Veritick
from veritick.errors import VeritickError
from veritick.proof.export import Progress, describe, export
from veritick.proof.file import Unreadable
from veritick.proof.ledger import Ledger
from veritick.proof.verify import Untrue, Verified, verify

_UNTRUE, _UNREADABLE, _FAILED, _INTERRUPTED = 1, 2, 1, 130
_LINE_LENGTH_MAX = 2_000
_TELL_EVERY_SECONDS = 1.0
_PASSWORD = "VERITICK_PASSWORD"  # noqa: S105  where it is, not what it is


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code."""
    chosen = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = chosen.run
    try:
        with _interruptible():
            return run(chosen)
    except KeyboardInterrupt:
        sys.stderr.write(f"veritick: {chosen.file}: interrupted\n")
        return _INTERRUPTED


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does, so that no half of a file stays behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="veritick", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser("export", help="write the receipts of a book to a file")
    one.add_argument("file", type=Path, help="where to; replaced when the export is complete")
    one.add_argument("--url", default="http://127.0.0.1:8080", help="the platform (%(default)s)")
    one.add_argument("--book", default="demo", help="the book (%(default)s)")
    one.add_argument("--from", dest="first", type=_sequence, default=1, help="first receipt (1)")
    one.add_argument(
        "--to", dest="last", type=_sequence, help="at least up to here (all that is signed)"
    )
    one.add_argument(
        "--ledger",
        metavar="EMAIL",
        help="with all entries of the book, signed in as this member of staff; the password is "
        f"asked for, or taken from {_PASSWORD}, and the code of a second factor is asked for",
    )
    one.set_defaults(run=_export)
    other = commands.add_parser("verify", help="check an export, offline")
    other.add_argument("file", type=Path)
    other.add_argument("--key", help="id of the key that must have signed the receipts")
    other.add_argument("--ledger-key", help="id of the key that must have signed the ledger")
    other.set_defaults(run=_verify)
    return parser


def _sequence(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**63):
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a receipt, from 1")
    return int(text)


def _export(chosen: argparse.Namespace) -> int:
    try:
        said = asyncio.run(_exported(chosen))
    except (VeritickError, OSError) as error:
        sys.stderr.write(f"veritick: {chosen.file} was not written: {error}\n")
        return _FAILED
    sys.stdout.write(f"{chosen.file}: {said}\n")
    return 0


async def _exported(chosen: argparse.Namespace) -> str:
    async with Veritick.connect(chosen.url) as veritick:
        if chosen.ledger is not None:
            await _sign_in(veritick, chosen.ledger)
        checkpoint = await export(
            veritick,
            chosen.url,
            chosen.book,
            chosen.file,
            first=chosen.first,
            last=chosen.last,
            ledger=chosen.ledger is not None,
            progress=_progress(),
        )
        if chosen.ledger is not None:
            await veritick.log_out()
    return describe(checkpoint)


async def _sign_in(veritick: Veritick, email: str) -> None:
    password = os.environ.get(_PASSWORD) or getpass()
    try:
        await veritick.log_in(email, password)
    except VeritickError as error:
        if error.reason != "SECOND_FACTOR_REQUIRED":
            raise
        code = getpass("Code of the second factor, or a recovery code: ").strip()
        await veritick.log_in(email, password, code=code)


def _progress() -> Progress:
    """Return what tells on stderr, now and then, how far it is."""
    told = time.monotonic()

    def tell(what: str, done: int, total: int) -> None:
        nonlocal told
        if done == total or time.monotonic() - told >= _TELL_EVERY_SECONDS:
            told = time.monotonic()
            sys.stderr.write(f"{done} of {total} {what}\n")

    return tell


def _verify(chosen: argparse.Namespace) -> int:
    try:
        with chosen.file.open("rb") as file:
            seen = verify(file, chosen.key, chosen.ledger_key)
    except Untrue as untrue:
        sys.stderr.write(f"{chosen.file}: {_plain(str(untrue))}\n")
        return _UNTRUE
    except (Unreadable, OSError) as error:
        sys.stderr.write(f"{chosen.file}: cannot be read: {_plain(str(error))}\n")
        return _UNREADABLE
    sys.stdout.write(_summary(chosen, seen))
    return 0


def _summary(chosen: argparse.Namespace, seen: Verified) -> str:
    outcomes = ", ".join(f"{count} {name}" for name, count in sorted(seen.outcomes.items()))
    amounts = [
        f"  stakes of {amount}, returned {seen.returned[currency]} {currency} in minor units"
        for currency, amount in sorted(seen.staked.items())
    ]
    lines = [
        f"{chosen.file}: all is right",
        f"  receipts {seen.first} to {seen.last} of the book {seen.book}: {outcomes}",
        *amounts,
        f"  signed at {seen.sign_time} by key {seen.key_id}, {_trust(chosen.key)}",
    ]
    if seen.first > 1:
        lines.append(f"  what comes before receipt {seen.first} is not in this file")
    if seen.ledger is not None:
        lines += _about_ledger(seen, seen.ledger, chosen.ledger_key)
    return "".join(f"{_plain(line)}\n" for line in lines)


def _plain(line: str) -> str:
    """Return what a file says so that it can neither pose as other lines nor move the cursor."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line[:_LINE_LENGTH_MAX])
    return shown if len(line) <= _LINE_LENGTH_MAX else f"{shown}…"


def _about_ledger(seen: Verified, ledger: Ledger, key: str | None) -> list[str]:
    balances = [
        f"  {name} {balance} {currency}"
        for (name, currency), balance in sorted(ledger.system.items())
    ]
    by_key = seen.heads[seen.ledger_key_id]
    size = f"{len(ledger.balances)} accounts, {ledger.open_orders} open orders"
    return [
        f"  entries 1 to {ledger.entries} under {ledger.seal_id} seals, {size}",
        *balances,
        f"  signed at {seen.ledger_sign_time} by key {seen.ledger_key_id}, {_trust(key)}",
        f"  on the way signed {seen.heads.total()} times, {by_key} of them by that key",
    ]


def _trust(key: str | None) -> str:
    return "as asked" if key else "which this file itself names: compare it, or name the right one"


if __name__ == "__main__":
    sys.exit(main())
