"""How an export is written down: lines of JSON, each an object with one key that says its kind.

    {"export": {"version": 1, "book": "demo", "platform": "https://…", "time": "…", "first": 1}}
    {"receipt": {…}}            one line for each, in order of sequence, as REST shows it
    {"end": {"receipts": 2, "checkpoint": {…}}}

Every line ends with a line feed. `first` is the sequence of the first receipt; the checkpoint is
the signed head at the last one, with the public key. Whatever is cut off is noticed, for the last
line is missing then.

An export with the ledger holds, between the receipts and the end, all entries from the first one
on, each seal behind the entries it covers, each head that was signed meanwhile behind its seal, and
at its end the signed head of their chain:

    {"entry": {…}}
    {"seal": {…}}
    {"head": {…}}
    {"end": {"receipts": 2, "checkpoint": {…}, "ledger": {…}}}
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any, TypeVar

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message

from veritick.settlement.v1.receipt_service_pb2 import Checkpoint, Receipt
from veritick.trading.v1.audit_service_pb2 import LedgerHead, Seal, SealedEntries, SealedEntry

VERSION = 1
_LINE_BYTES_MAX = 1 << 20
M = TypeVar("M", bound=Message)


class Unreadable(Exception):
    """A file that is not an export which this program can read."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.line = line
        self.why = why


@dataclass(frozen=True, slots=True)
class Header:
    """What an export says about itself; none of it proves anything."""

    book: str
    platform: str
    time: str
    first: int


@dataclass(frozen=True, slots=True)
class End:
    """What stands after the last receipt."""

    receipts: int
    checkpoint: Checkpoint
    ledger: LedgerHead | None = None


Content = Header | Receipt | SealedEntry | Seal | LedgerHead | End
_MESSAGES: Mapping[str, type[Receipt | SealedEntry | Seal | LedgerHead]] = {
    "receipt": Receipt,
    "entry": SealedEntry,
    "seal": Seal,
    "head": LedgerHead,
}


class Writer:
    """Writes an export, line by line."""

    def __init__(self, file: IO[bytes]) -> None:
        """Write to this file."""
        self._file = file
        self._receipts = 0

    def begin(self, header: Header) -> None:
        """Write the first line."""
        self._line("export", {"version": VERSION, **asdict(header)})

    def receipt(self, receipt: Receipt) -> None:
        """Write a receipt."""
        self._receipts += 1
        self._line("receipt", _json(receipt))

    def sealed(self, sealed: SealedEntries) -> None:
        """Write entries, and behind them the seal that covers them."""
        for entry in sealed.entries:
            self._line("entry", _json(entry))
        self._line("seal", _json(sealed.seal))

    def head(self, head: LedgerHead) -> None:
        """Write a head that was signed, behind its seal."""
        self._line("head", _json(head))

    def end(self, checkpoint: Checkpoint, ledger: LedgerHead | None = None) -> None:
        """Write the last line."""
        content = {"receipts": self._receipts, "checkpoint": _json(checkpoint)}
        if ledger is not None:
            content["ledger"] = _json(ledger)
        self._line("end", content)

    def _line(self, kind: str, content: dict[str, Any]) -> None:
        line = json.dumps({kind: content}, separators=(",", ":"), ensure_ascii=False)
        self._file.write(line.encode() + b"\n")


@contextmanager
def whole_or_nothing(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file that takes the place of `path` once it is complete, and never before.

    OSError when it cannot be written.
    """
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o644)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def read(file: IO[bytes]) -> Iterator[tuple[int, Content]]:
    """Yield the number and content of each line, a header first, an end last. Raises Unreadable."""
    number, content = 0, None
    while line := file.readline(_LINE_BYTES_MAX + 1):
        number += 1
        if isinstance(content, End):
            raise Unreadable(number, "stands after the end of the export")
        content = _content(number, line)
        if isinstance(content, Header) is not (number == 1):
            raise Unreadable(number, "is not the header of an export" if number == 1 else _TWICE)
        yield number, content
    if number == 0:
        raise Unreadable(1, "the file is empty")
    if not isinstance(content, End):
        raise Unreadable(number + 1, "the end of the export is missing: the file is cut off")


_TWICE = "is a second header"


def _content(number: int, line: bytes) -> Content:
    if len(line) > _LINE_BYTES_MAX:
        raise Unreadable(number, f"is longer than {_LINE_BYTES_MAX} bytes")
    if not line.endswith(b"\n"):
        raise Unreadable(number, "is cut off")
    try:
        value = json.loads(line.decode(), object_pairs_hook=_object)
        if b"\\u" in line:  # half of a surrogate pair can be escaped, and is no text
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Unreadable(number, f"is not JSON: {error}") from error
    if isinstance(value, dict) and len(value) == 1:
        ((kind, inner),) = value.items()
        if isinstance(inner, dict):
            if kind == "export":
                return _header(number, inner)
            if kind in _MESSAGES:
                return _message(number, inner, _MESSAGES[kind])
            if kind == "end":
                return _end(number, inner)
    raise Unreadable(number, "is no line of an export")


def _end(number: int, value: dict[str, Any]) -> End:
    match value:
        case {"receipts": int(count), "checkpoint": dict(checkpoint), "ledger": dict(ledger)} if (
            len(value) == 3
        ):
            head = _message(number, ledger, LedgerHead)
            return End(count, _message(number, checkpoint, Checkpoint), head)
        case {"receipts": int(count), "checkpoint": dict(checkpoint)} if len(value) == 2:
            return End(count, _message(number, checkpoint, Checkpoint))
    raise Unreadable(number, "is no line of an export")


def _header(number: int, value: dict[str, Any]) -> Header:
    if "version" in value and value["version"] != VERSION:
        why = f"the export is of version {value['version']!r}, this program reads {VERSION}"
        raise Unreadable(number, why)
    match value:
        case {
            "version": int(),
            "book": str(book),
            "platform": str(platform),
            "time": str(time),
            "first": int(first),
        } if first > 0:
            return Header(book, platform, time, first)
    raise Unreadable(number, "the header is not complete")


def _message(number: int, value: dict[str, Any], kind: type[M]) -> M:
    try:
        return ParseDict(value, kind())
    except (ParseError, ValueError, TypeError) as error:
        raise Unreadable(number, f"is no {kind.__name__.lower()}: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object, in which no name may stand twice: readers could disagree about it."""
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return value


def _json(message: Message) -> dict[str, Any]:
    value: dict[str, Any] = MessageToDict(message, always_print_fields_with_no_presence=True)
    return value
