"""Exports as a platform would write them, made without a platform, to be tampered with."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.kit.clock import utc
from services.settlement.checkpoint import Checkpoint, checkpoint_text
from services.settlement.fixing import Fixing, Point, Tick, VoidReason
from services.settlement.outcome import Direction, outcome_of
from services.settlement.receipt import GENESIS, Closed, Link, Receipt, chain
from services.settlement.wire import checkpoint_message, receipt_message
from veritick.proof.file import Header, Unreadable, Writer
from veritick.proof.verify import Untrue, verify

NOON = utc(2026, 11, 23, 12)
ENTRY = 112_140
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY_ID = sha256(KEY.public_key().public_bytes_raw()).hexdigest()


Lines = list[Any]
"""An export: bytes as they are, the rest as JSON."""


class Case(NamedTuple):
    """An order as its test describes it."""

    direction: Direction
    close: int | VoidReason
    stake: int = 1_001


CASES = (
    Case(Direction.UP, ENTRY + 1),
    Case(Direction.UP, ENTRY - 1),
    Case(Direction.DOWN, ENTRY - 1),
    Case(Direction.DOWN, ENTRY),
    Case(Direction.UP, VoidReason.FEED_SILENT),
)
"""A win, a loss, a win, a draw and a void."""


def tick(number: int, price: int, time: datetime, *, late: bool = False) -> Tick:
    return Tick(number, price, 5, time, time - timedelta(milliseconds=3), late)


def fixing_of(close: int | VoidReason, moment: datetime) -> Fixing:
    """Return a fixing with a late tick among those before the moment, and one tick after it."""
    void = close if isinstance(close, VoidReason) else None
    price = ENTRY if void else close
    before = (
        tick(51, price - 3, moment - timedelta(milliseconds=700)),
        tick(52, price, moment - timedelta(milliseconds=400)),
        tick(53, price + 9, moment, late=True),
    )
    return Fixing(
        point=Point("EURUSD", moment),
        tick=None if void else before[1],
        void_reason=void,
        ticks_before=before,
        ticks_after=(tick(54, price + 5, moment + timedelta(microseconds=1)),),
        watermark=moment + timedelta(milliseconds=90),
        feed_time=moment - (timedelta(seconds=7) if void else timedelta(milliseconds=20)),
        rule_version=1,
    )


def closed_of(number: int, case: Case, moment: datetime) -> Closed:
    """Return the order as a book would close it, by the rule as this test states it."""
    close = None if isinstance(case.close, VoidReason) else case.close
    outcome = outcome_of(case.direction, ENTRY, close)
    win = case.stake + case.stake * 8_500 // 10_000
    opened = moment - timedelta(seconds=9, microseconds=-5)
    return Closed(
        order_id=UUID(int=number),
        instrument="EURUSD",
        direction=case.direction,
        stake=case.stake,
        currency="USD",
        payout_bp=8_500,
        terms_version=1,
        opened_at=opened,
        expires_at=moment,
        entry_number=7,
        entry_price=ENTRY,
        price_scale=5,
        entry_time=opened - timedelta(milliseconds=300),
        entry_source_time=opened - timedelta(milliseconds=310),
        outcome=outcome,
        returned={"WIN": win, "LOSS": 0}.get(outcome.name, case.stake),
        closed_at=moment + timedelta(milliseconds=120),
        stake_transfer_id=UUID(int=number + 1_000),
        close_transfer_id=UUID(int=number + 2_000),
    )


Item = tuple[Closed, Fixing, int]


def items_of(cases: Sequence[Case] = CASES) -> list[Item]:
    """Return closed orders with their fixings, each at a moment of its own."""
    moments = [NOON + timedelta(seconds=number) for number in range(len(cases))]
    return [
        (closed_of(number, case, moment), fixing_of(case.close, moment), 1)
        for number, (case, moment) in enumerate(zip(cases, moments, strict=True), start=1)
    ]


def chained(items: Sequence[Item]) -> list[tuple[Receipt, Fixing]]:
    """Return the receipts that settlement would issue, if each came by itself."""
    proofs: list[tuple[Receipt, Fixing]] = []
    head = Link(0, GENESIS)
    for item in items:
        receipt = next(chain("demo", head, [item]))
        proofs.append((receipt, item[1]))
        head = Link(receipt.sequence, receipt.hash)
    return proofs


def signed(head: Link, key: Ed25519PrivateKey = KEY, book: str = "demo") -> Checkpoint:
    """Return a signed head, as settlement would sign it."""
    now = NOON + timedelta(minutes=1)
    signature = key.sign(checkpoint_text(book, head, now).encode())
    return Checkpoint(book, *head, now, key.public_key().public_bytes_raw(), signature)


def exported(items: Sequence[Item] | None = None, first: int = 1) -> Lines:
    """Return the lines of an export: five receipts unless told, from the first one wanted."""
    proofs = chained(items_of() if items is None else items)
    head = proofs[-1][0]
    file = io.BytesIO()
    writer = Writer(file)
    writer.begin(Header("demo", "https://veritick.test", "2026-11-23T12:02:00+00:00", first))
    for receipt, fixing in proofs[first - 1 :]:
        writer.receipt(receipt_message("demo", receipt, fixing))
    writer.end(checkpoint_message(signed(Link(head.sequence, head.hash))))
    return [json.loads(line) for line in file.getvalue().splitlines()]


def file_of(lines: Lines) -> io.BytesIO:
    """Return lines as a file: bytes as they are, the rest as JSON."""
    texts = [
        line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines
    ]
    return io.BytesIO(b"".join(texts))


def at(lines: Lines, line: int, path: tuple[Any, ...]) -> Any:
    """Return what stands at a path in the line of this number."""
    value = lines[line - 1]
    for key in path:
        value = value[key]
    return value


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of all single values."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*path, key))
    else:
        yield path


def altered(lines: Lines, line: int, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Lines:
    """Return an export with one value changed, in the line of this number."""
    forged = deepcopy(lines)
    holder = at(forged, line, path[:-1])
    holder[path[-1]] = change(holder[path[-1]])
    return forged


_OTHER = {"UP": "DOWN", "DOWN": "UP", "WIN": "LOSS", "FINAL": "VOID", "VOID": "FINAL"}
_OTHER |= {"LOSS": "WIN", "DRAW": "WIN", "FEED_SILENT": "NO_TICK"}


def changed(value: Any) -> Any:
    """Return another value that the field could hold."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str() if value in _OTHER:
            return _OTHER[value]
        case str() if value.endswith("Z"):
            return value[:-1].partition(".")[0] + ".000000001Z"
        case str() if value.isdigit():
            return str(int(value) + 1)
        case _:
            return value[:-1] + ("0" if value[-1] != "0" else "1")


def untrue(lines: Lines, **arguments: Any) -> Untrue:
    """Return what is found to be wrong with an export."""
    with pytest.raises(Untrue) as found:
        verify(file_of(lines), **arguments)
    return found.value


def unreadable(lines: Lines) -> Unreadable:
    """Return why an export cannot be read."""
    with pytest.raises(Unreadable) as found:
        verify(file_of(lines))
    return found.value
