"""Exports with a ledger, honest and not, for the tests of their verification."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from services.settlement.receipt import Link
from services.settlement.wire import checkpoint_message, receipt_message
from services.trading.audit import Line
from services.trading.audit_rpc import sealed_message
from services.trading.order import Order, Outcome
from services.trading.posting import Entry, EntryKind, SystemAccount, closing_entries, stake_entry
from services.trading.sealed import Sealed
from services.trading.sealing import GENESIS, Head, head_of, head_text, seal_of
from services.trading.wire import BookWire
from tests.proof import KEY, KEY_ID, NOON, Item, Lines, chained, items_of, signed
from veritick.proof.file import Header, Writer
from veritick.trading.v1.audit_service_pb2 import LedgerHead, SealedEntries

USERS = (UUID(int=100), UUID(int=101))
CHIPS = 1_000_000
WIRE = BookWire("demo", "DEMO")
SIGNED_MEANWHILE = 4
"""The seal that was the newest when a minute was over."""

Commits = list[list[Entry]]
"""What a book wrote, commit by commit."""


def movement(
    user: UUID, kind: EntryKind, system: SystemAccount, amount: int, balance: int, number: int
) -> Entry:
    """Return an entry that belongs to no order."""
    return Entry(
        transfer_id=UUID(int=9_000 + number),
        kind=kind,
        account_id=user,
        contra_account_id=system.account_id,
        amount=amount,
        currency="USD",
        balance=balance,
        order_id=None,
        time=NOON - timedelta(minutes=1),
    )


def order_of(item: Item, user: UUID) -> Order:
    """Return the order of a receipt as its book holds it."""
    closed = item[0]
    return Order(
        order_id=closed.order_id,
        account_id=user,
        request_id=closed.order_id,
        request_hash=b"",
        instrument=closed.instrument,
        direction=int(closed.direction),
        stake=closed.stake,
        currency=closed.currency,
        payout_bp=closed.payout_bp,
        terms_version=1,
        price_scale=5,
        entry_number=7,
        entry_price=closed.entry_price,
        entry_time=closed.entry_time,
        entry_source_time=None,
        opened_at=closed.opened_at,
        expires_at=closed.expires_at,
    )


@dataclass
class Book:
    """Writes entries as a book would."""

    commits: Commits = field(default_factory=list)
    posted: dict[UUID, int] = field(default_factory=dict)

    def move(self, user: UUID, kind: EntryKind, system: SystemAccount, amount: int) -> None:
        self.posted[user] = self.posted.get(user, 0) + amount
        number = sum(map(len, self.commits))
        self.commits.append([movement(user, kind, system, amount, self.posted[user], number)])

    def stake(self, order: Order) -> None:
        # The id of an order is that of its stake's transfer; these receipts have others.
        self.posted[order.account_id] -= order.stake
        self.commits.append([stake_entry(order, self.posted[order.account_id])])

    def close(self, order: Order, outcome: Outcome, transfer: UUID, time: datetime) -> None:
        before = self.posted[order.account_id]
        entries = closing_entries(order, outcome, before, transfer, time)
        self.posted[order.account_id] = next(
            (entry.balance for entry in reversed(entries) if entry.balance is not None), before
        )
        self.commits.append(entries)


def items() -> list[Item]:
    """Return the orders of `tests.proof`, with the transfers that a book makes for them."""
    return [
        (closed._replace(stake_transfer_id=closed.order_id), fixing, version)
        for closed, fixing, version in items_of()
    ]


def commits_of(orders: Sequence[Item]) -> Commits:
    """Return a ledger in which all of these orders closed, and more happened besides."""
    book = Book()
    for user in USERS:
        book.move(user, EntryKind.OPENING, SystemAccount.ISSUE, CHIPS)
    owned = [(order_of(item, USERS[n % 2]), item[0]) for n, item in enumerate(orders)]
    for order, _ in owned:
        book.stake(order)
    book.move(USERS[0], EntryKind.TRANSFER, SystemAccount.CLEARING, -5_000)
    for order, closed in owned:
        outcome = Outcome(int(closed.outcome))
        book.close(order, outcome, closed.close_transfer_id, closed.closed_at)
    book.move(USERS[1], EntryKind.ADJUSTMENT, SystemAccount.ADJUSTMENT, 700)
    book.move(USERS[1], EntryKind.REFILL, SystemAccount.ISSUE, 300)
    # Two that closed after the last receipt, and one that is open.
    later = [owned[0][0]._replace(order_id=UUID(int=500 + number)) for number in range(3)]
    for order in later:
        book.stake(order)
    book.close(later[0], Outcome.WIN, UUID(int=600), NOON)
    book.close(later[1], Outcome.LOSS, UUID(int=601), NOON)
    return book.commits


def sealed_of(commits: Commits) -> tuple[list[SealedEntries], Head]:
    """Return entries under the seals that a book would make, and where the chain ends."""
    head, found = GENESIS, list[SealedEntries]()
    for entries in commits:
        seal = seal_of(head, entries, NOON + timedelta(seconds=head.seal_id))
        first = head.last_entry_id + 1
        lines = [Line(first + n, seal.seal_id, entry) for n, entry in enumerate(entries)]
        found.append(sealed_message(Sealed(seal, lines), WIRE))
        head = head_of(seal)
    return found, head


def signed_ledger(head: Head) -> LedgerHead:
    """Return the signed head of a ledger, as a book would sign it."""
    now = NOON + timedelta(minutes=2)
    message = LedgerHead(
        book="demo",
        seal_id=head.seal_id,
        last_entry_id=head.last_entry_id,
        hash=head.hash.hex(),
        key_id=sha256(KEY.public_key().public_bytes_raw()).hexdigest(),
        public_key=KEY.public_key().public_bytes_raw(),
        signature=KEY.sign(head_text("demo", head, now).encode()),
    )
    message.sign_time.FromDatetime(now)
    assert message.key_id == KEY_ID
    return message


def head_at(item: SealedEntries) -> LedgerHead:
    """Return the head that a book would have signed when this seal was its newest."""
    seal = item.seal
    return signed_ledger(Head(seal.seal_id, seal.last_entry_id, bytes.fromhex(seal.hash)))


def exported_ledger(
    orders: Sequence[Item] | None = None, commits: Commits | None = None, **parts: Any
) -> Lines:
    """Return the lines of an export with its ledger; `sealed` and `head` replace what is made."""
    orders = items() if orders is None else orders
    sealed, head = sealed_of(commits_of(items()) if commits is None else commits)
    proofs = chained(orders)
    file = io.BytesIO()
    writer = Writer(file)
    writer.begin(Header("demo", "https://veritick.test", "2026-11-23T12:02:00+00:00", 1))
    for receipt, fixing in proofs:
        writer.receipt(receipt_message("demo", receipt, fixing))
    for item in parts.get("sealed", sealed):
        writer.sealed(item)
        if item.seal.seal_id == SIGNED_MEANWHILE:
            writer.head(head_at(item))
    last = proofs[-1][0]
    checkpoint = checkpoint_message(signed(Link(last.sequence, last.hash)))
    writer.end(checkpoint, parts.get("head", signed_ledger(head)))
    return [json.loads(line) for line in file.getvalue().splitlines()]
