"""Whether a receipt still says what it must: every part of it derived again, from what is stored.

A receipt is evidence only as long as nobody has touched it. So each check takes nothing on trust:
the hash is made from the text, the outcome from the fixing, the amount from the outcome; the fixing
is compared with what quotes stored, and the chain is followed to a signature.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.kit.values import basis_points_of
from services.settlement.checkpoint import Checkpoint, checkpoint_text
from services.settlement.fixing import Fixing, VoidReason
from services.settlement.outcome import Outcome, outcome_of
from services.settlement.receipt import GENESIS, Closed, Link, Receipt, chain, fixing_text


class Part(IntEnum):
    """What of a receipt is checked. The numbers are the contract's."""

    HASH = 1
    CHAIN = 2
    OUTCOME = 3
    AMOUNT = 4
    FIXING = 5
    SIGNATURE = 6


class Verdict(IntEnum):
    """What a check came to. The numbers are the contract's."""

    PASSED = 1
    FAILED = 2
    NOT_CHECKED = 3


class Check(NamedTuple):
    """One check. What was expected and found is told of one that failed."""

    part: Part
    verdict: Verdict
    expected: str = ""
    found: str = ""


class Chained(NamedTuple):
    """What is stored around a receipt."""

    before: str | None
    """The hash of the receipt before it; None when that one is gone."""

    checkpoint: Checkpoint | None
    """The first signed head that covers it."""

    broken_at: int | None
    """The first receipt from this one to the checkpoint that does not follow the one before it."""

    head: str | None
    """The hash of the receipt at which the checkpoint is."""


def verify(
    book: str, receipt: Receipt, fixing: Fixing, chained: Chained, record: Fixing | None
) -> Iterator[Check]:
    """Yield every check. `record` is the fixing that quotes has stored; None: nobody to ask."""
    yield _same(Part.HASH, _hash(book, receipt, fixing), receipt.hash)
    yield _follows(receipt, chained)
    closed = receipt.closed
    close = None if fixing.tick is None else fixing.tick.price
    outcome = outcome_of(closed.direction, closed.entry_price, close)
    yield _same(Part.OUTCOME, outcome.name, closed.outcome.name)
    yield _same(Part.AMOUNT, str(_returned(closed, outcome)), str(closed.returned))
    if fixing.void_reason is VoidReason.VOIDED_BY_STAFF:
        # It rests on a proposal, which VoidService shows, and not on the record of quotes.
        yield Check(Part.FIXING, Verdict.PASSED)
    elif record is None:
        yield Check(Part.FIXING, Verdict.NOT_CHECKED)
    else:
        yield _same(Part.FIXING, fixing_text(record), fixing_text(fixing))
    yield _signature(book, chained)


def _hash(book: str, receipt: Receipt, fixing: Fixing) -> str:
    place = Link(receipt.sequence - 1, receipt.previous_hash)
    return next(chain(book, place, [(receipt.closed, fixing, receipt.rule_version)])).hash


def _returned(closed: Closed, outcome: Outcome) -> int:
    if outcome is Outcome.WIN:
        return closed.stake + basis_points_of(closed.stake, closed.payout_bp)
    return 0 if outcome is Outcome.LOSS else closed.stake


def _follows(receipt: Receipt, chained: Chained) -> Check:
    before = GENESIS if receipt.sequence == 1 else chained.before
    if before is None:
        return Check(Part.CHAIN, Verdict.FAILED, f"receipt {receipt.sequence - 1}", "none")
    if before != receipt.previous_hash:
        return Check(Part.CHAIN, Verdict.FAILED, before, receipt.previous_hash)
    if chained.broken_at is not None:
        expected = f"every receipt after {receipt.sequence} to name the one before it"
        return Check(Part.CHAIN, Verdict.FAILED, expected, f"receipt {chained.broken_at}")
    return Check(Part.CHAIN, Verdict.PASSED)


def _signature(book: str, chained: Chained) -> Check:
    checkpoint = chained.checkpoint
    if checkpoint is None:
        return Check(Part.SIGNATURE, Verdict.NOT_CHECKED)
    head = Link(checkpoint.sequence, checkpoint.hash)
    if chained.head != head.hash:
        found = chained.head or "none"
        return Check(Part.SIGNATURE, Verdict.FAILED, f"the signed hash {head.hash}", found)
    if not _signed(checkpoint, checkpoint_text(book, head, checkpoint.signed_at)):
        return Check(Part.SIGNATURE, Verdict.FAILED, "a signature by the key", "another")
    return Check(Part.SIGNATURE, Verdict.PASSED)


def _signed(checkpoint: Checkpoint, text: str) -> bool:
    try:
        key = Ed25519PublicKey.from_public_bytes(checkpoint.public_key)
        key.verify(checkpoint.signature, text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def _same(part: Part, expected: str, found: str) -> Check:
    if expected == found:
        return Check(part, Verdict.PASSED)
    return Check(part, Verdict.FAILED, expected, found)
