"""Verifying an export: offline, from nothing but the file, receipt by receipt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import IO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from veritick.proof.canonical import checkpoint_text, fixing_lines, name_of, time_text
from veritick.proof.file import Content, End, Header, Unreadable, read
from veritick.proof.known import Close, Known
from veritick.proof.ledger import Ledger, Located
from veritick.proof.rules import (
    FIXING_RULE_VERSION,
    RULE_VERSION,
    Difference,
    Place,
    differences,
)
from veritick.proof.seals import head_text
from veritick.settlement.v1.receipt_service_pb2 import Receipt
from veritick.trading.v1.audit_service_pb2 import LedgerHead, Seal, SealedEntry
from veritick.trading.v1.order_pb2 import Order


class Untrue(Exception):
    """An export in which something is not as it must be: the first such thing."""

    def __init__(self, line: int, order_id: str | None, difference: Difference) -> None:
        about = f"order {order_id}: " if order_id else ""
        what, expected, found = difference
        super().__init__(f"line {line}: {about}{what}: expected {expected}, found {found}")
        self.line = line
        self.order_id = order_id
        self.difference = difference


@dataclass
class Verified:
    """What a verified export holds. Amounts are in minor units by currency."""

    book: str
    first: int
    receipts: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    staked: Counter[str] = field(default_factory=Counter)
    returned: Counter[str] = field(default_factory=Counter)
    key_id: str = ""
    sign_time: str = ""
    ledger: Ledger | None = None
    """What the ledger came to, if the export holds it."""

    ledger_key_id: str = ""
    ledger_sign_time: str = ""
    heads: Counter[str] = field(default_factory=Counter)
    """How many heads of the ledger were signed on the way to its end, by key."""

    @property
    def last(self) -> int:
        """The sequence of the last receipt."""
        return self.first + self.receipts - 1


def verify(
    file: IO[bytes], key_id: str | None = None, ledger_key_id: str | None = None
) -> Verified:
    """Check an export wholly, and return what is in it.

    Every outcome and amount is derived again from the evidence in its receipt, every hash is made
    again, and the signatures at the end are checked; with `key_id` and `ledger_key_id` also whose
    they are. Where the ledger is part of it, every entry is held to the one before and to the
    receipt of its order. Raises Untrue for the first difference, Unreadable for a file that is no
    export of this version, OSError where there is no room for what must be remembered. Memory
    is needed for each account and open order; what grows with the file is kept on disk meanwhile.
    """
    content = read(file)
    _, header = next(content)
    if not isinstance(header, Header):  # the reader sees to that
        raise Unreadable(1, "is not the header of an export")
    walk = _Walk(header, (key_id, ledger_key_id))
    for line, item in content:
        walk.take(line, item)
    return walk.seen


class _Walk:
    """Where one verification is."""

    def __init__(self, header: Header, keys: tuple[str | None, str | None]) -> None:
        self.seen = Verified(header.book, header.first)
        self._keys = keys
        self._before = Place(header.first - 1, None)
        self._known = Known()
        self._ledger = Ledger(header.book, self._known)
        self._unsealed: list[Located] = []
        self._signed_seal = 0

    def take(self, line: int, item: Content) -> None:
        """Check the next line."""
        match item:
            case Receipt():
                self._receipt(line, item)
            case SealedEntry():
                self._unsealed.append(Located(line, item))
                self.seen.ledger = self._ledger
            case Seal():
                self._seal(line, item)
            case LedgerHead():
                self._head(line, item)
            case End():
                self._end(line, item)

    def _receipt(self, line: int, receipt: Receipt) -> None:
        if self.seen.ledger is not None:
            raise Unreadable(line, "is a receipt behind the ledger")
        _require_known_rules(line, receipt)
        for difference in self._differences(receipt):
            raise Untrue(line, receipt.order_id, difference)
        self._before = Place(receipt.sequence, receipt.hash)
        self._count(receipt)

    def _seal(self, line: int, seal: Seal) -> None:
        for found in self._ledger.seal(line, seal, self._unsealed):
            raise Untrue(*found)
        self._unsealed = []

    def _head(self, line: int, head: LedgerHead) -> None:
        if self._unsealed:
            first = self._unsealed[0].entry.entry_id
            found = f"one behind the entry {first}, which is under none"
            raise Untrue(line, None, Difference("head", "one behind its seal", found))
        for difference in self._differences_of_head("head", head):
            raise Untrue(line, None, difference)
        if head.seal_id == self._signed_seal:
            raise Untrue(line, None, Difference("head.sealId", "one head of a seal", "another"))
        self._signed_seal = head.seal_id
        self.seen.heads[head.key_id] += 1

    def _end(self, line: int, end: End) -> None:
        key_id, ledger_key_id = self._keys
        for difference in self._differences_at_end(end, key_id):
            raise Untrue(line, None, difference)
        for difference in self._differences_of_ledger(end.ledger, ledger_key_id):
            raise Untrue(line, None, difference)
        self.seen.key_id = end.checkpoint.key_id
        self.seen.sign_time = time_text(end.checkpoint.sign_time)

    def _differences_of_ledger(
        self, head: LedgerHead | None, key_id: str | None
    ) -> Iterator[Difference]:
        if self._unsealed:
            first = self._unsealed[0].entry.entry_id
            yield Difference("seal", f"one that covers the entry {first}", "none")
        if head is None:
            if self.seen.ledger is not None or key_id is not None:
                yield Difference("ledger", "a signed head", "none")
            return
        yield from self._differences_of_head("ledger", head)
        self.seen.ledger_key_id = head.key_id
        self.seen.ledger_sign_time = time_text(head.sign_time)
        if key_id is not None and key_id != head.key_id:
            yield Difference("ledger.keyId", f"the key {key_id}", head.key_id)
        yield from self._ledger.end()

    def _differences_of_head(self, what: str, head: LedgerHead) -> Iterator[Difference]:
        reached = self._ledger
        said = {
            f"{what}.book": (self.seen.book, head.book),
            f"{what}.sealId": (reached.seal_id, head.seal_id),
            f"{what}.lastEntryId": (reached.entries, head.last_entry_id),
            f"{what}.hash": (reached.hash, head.hash),
            f"{what}.keyId": (sha256(head.public_key).hexdigest(), head.key_id),
        }
        yield from _stated(said)
        text = head_text(head, time_text(head.sign_time))
        if not _signed(head.public_key, head.signature, text):
            yield Difference(f"{what}.signature", "one by the key", "one that is not")

    def _differences(self, receipt: Receipt) -> Iterator[Difference]:
        yield from differences(receipt, self.seen.book, self._before)
        if not self._known.add_receipt(receipt.order_id, receipt.sequence, _close_of(receipt)):
            yield Difference("orderId", "an order with one receipt", "one that has another")
        time = time_text(receipt.expire_time)
        fixing = sha256("\n".join(fixing_lines(receipt.fixing)).encode()).digest()
        if self._known.fixing(receipt.instrument, time, fixing) != fixing:
            yield Difference("fixing", f"the one of earlier receipts at {time}", "another")

    def _differences_at_end(self, end: End, key_id: str | None) -> Iterator[Difference]:
        found, wanted = end.checkpoint, self._before
        said = {
            "receipts": (self.seen.receipts, end.receipts),
            "checkpoint.book": (self.seen.book, found.book),
            "checkpoint.sequence": (wanted.sequence, found.sequence),
            "checkpoint.hash": (wanted.hash or "that of a receipt", found.hash),
            "checkpoint.keyId": (sha256(found.public_key).hexdigest(), found.key_id),
        }
        yield from _stated(said)
        if not _signed(found.public_key, found.signature, checkpoint_text(found)):
            yield Difference("checkpoint.signature", "one by the key", "one that is not")
        if key_id is not None and key_id != found.key_id:
            yield Difference("checkpoint.keyId", f"the key {key_id}", found.key_id)

    def _count(self, receipt: Receipt) -> None:
        stake, returned = receipt.stake, receipt.returned
        self.seen.receipts += 1
        self.seen.outcomes[name_of(Order.Outcome.DESCRIPTOR, receipt.outcome)] += 1
        self.seen.staked[stake.currency_code] += stake.minor_units
        self.seen.returned[returned.currency_code] += returned.minor_units


def _close_of(receipt: Receipt) -> Close:
    """Return what the entries of a receipt's order are held to; it has two transfers."""
    opening, closing = receipt.transfer_ids
    return Close(
        receipt.stake.minor_units,
        receipt.returned.minor_units,
        receipt.outcome,
        opening,
        closing,
        time_text(receipt.open_time),
        time_text(receipt.close_time),
    )


def _require_known_rules(line: int, receipt: Receipt) -> None:
    versions = (receipt.rule_version, receipt.fixing.rule_version)
    if versions != (RULE_VERSION, FIXING_RULE_VERSION):
        stated = " and ".join(map(str, versions))
        known = f"{RULE_VERSION} and {FIXING_RULE_VERSION}"
        why = f"decided by versions {stated} of the rules, this program knows {known}"
        raise Unreadable(line, why)


def _stated(said: Mapping[str, tuple[object, object]]) -> Iterator[Difference]:
    """Yield what is stated otherwise than expected."""
    for what, (expected, stated) in said.items():
        if expected != stated:
            yield Difference(what, str(expected), str(stated))


def _signed(public_key: bytes, signature: bytes, text: str) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True
