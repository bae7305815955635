"""Verifying an export: offline, from nothing but the file, receipt by receipt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import IO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from veritick.proof.canonical import checkpoint_text, fixing_lines, name_of, time_text
from veritick.proof.file import End, Header, Unreadable, read
from veritick.proof.rules import (
    FIXING_RULE_VERSION,
    RULE_VERSION,
    Difference,
    Place,
    differences,
)
from veritick.settlement.v1.receipt_service_pb2 import Checkpoint, Receipt
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

    @property
    def last(self) -> int:
        """The sequence of the last receipt."""
        return self.first + self.receipts - 1


def verify(file: IO[bytes], key_id: str | None = None) -> Verified:
    """Check an export wholly, and return what is in it.

    Every outcome and amount is derived again from the evidence in its receipt, every hash is made
    again, and the signature at the end is checked; with `key_id` also whose it is. Raises Untrue
    for the first difference, Unreadable for a file that is no export of this version. Needs some
    hundred bytes of memory for each receipt, to know what was there twice.
    """
    content = read(file)
    _, header = next(content)
    if not isinstance(header, Header):  # the reader sees to that
        raise Unreadable(1, "is not the header of an export")
    walk = _Walk(header)
    for line, item in content:
        if isinstance(item, Receipt):
            walk.receipt(line, item)
        elif isinstance(item, End):
            walk.end(line, item, key_id)
    return walk.seen


class _Walk:
    """Where one verification is."""

    def __init__(self, header: Header) -> None:
        self.seen = Verified(header.book, header.first)
        self._before = Place(header.first - 1, None)
        self._orders = set[str]()
        self._fixings = dict[tuple[str, str], bytes]()

    def receipt(self, line: int, receipt: Receipt) -> None:
        """Check the next receipt."""
        _require_known_rules(line, receipt)
        for difference in self._differences(receipt):
            raise Untrue(line, receipt.order_id, difference)
        self._before = Place(receipt.sequence, receipt.hash)
        self._count(receipt)

    def end(self, line: int, end: End, key_id: str | None) -> None:
        """Check what stands after the last receipt."""
        for difference in self._differences_at_end(end, key_id):
            raise Untrue(line, None, difference)
        self.seen.key_id = end.checkpoint.key_id
        self.seen.sign_time = time_text(end.checkpoint.sign_time)

    def _differences(self, receipt: Receipt) -> Iterator[Difference]:
        yield from differences(receipt, self.seen.book, self._before)
        if receipt.order_id in self._orders:
            yield Difference("orderId", "an order with one receipt", "one that has another")
        self._orders.add(receipt.order_id)
        point = (receipt.instrument, time_text(receipt.expire_time))
        fixing = sha256("\n".join(fixing_lines(receipt.fixing)).encode()).digest()
        if self._fixings.setdefault(point, fixing) != fixing:
            yield Difference("fixing", f"the one of earlier receipts at {point[1]}", "another")

    def _differences_at_end(self, end: End, key_id: str | None) -> Iterator[Difference]:
        found, wanted = end.checkpoint, self._before
        said = {
            "receipts": (self.seen.receipts, end.receipts),
            "checkpoint.book": (self.seen.book, found.book),
            "checkpoint.sequence": (wanted.sequence, found.sequence),
            "checkpoint.hash": (wanted.hash or "that of a receipt", found.hash),
            "checkpoint.keyId": (sha256(found.public_key).hexdigest(), found.key_id),
        }
        for what, (expected, stated) in said.items():
            if expected != stated:
                yield Difference(what, str(expected), str(stated))
        if not _signed(found):
            yield Difference("checkpoint.signature", "one by the key", "one that is not")
        if key_id is not None and key_id != found.key_id:
            yield Difference("checkpoint.keyId", f"the key {key_id}", found.key_id)

    def _count(self, receipt: Receipt) -> None:
        stake, returned = receipt.stake, receipt.returned
        self.seen.receipts += 1
        self.seen.outcomes[name_of(Order.Outcome.DESCRIPTOR, receipt.outcome)] += 1
        self.seen.staked[stake.currency_code] += stake.minor_units
        self.seen.returned[returned.currency_code] += returned.minor_units


def _require_known_rules(line: int, receipt: Receipt) -> None:
    versions = (receipt.rule_version, receipt.fixing.rule_version)
    if versions != (RULE_VERSION, FIXING_RULE_VERSION):
        stated = " and ".join(map(str, versions))
        known = f"{RULE_VERSION} and {FIXING_RULE_VERSION}"
        why = f"decided by versions {stated} of the rules, this program knows {known}"
        raise Unreadable(line, why)


def _signed(checkpoint: Checkpoint) -> bool:
    try:
        key = Ed25519PublicKey.from_public_bytes(checkpoint.public_key)
        key.verify(checkpoint.signature, checkpoint_text(checkpoint).encode())
    except (InvalidSignature, ValueError):
        return False
    return True
