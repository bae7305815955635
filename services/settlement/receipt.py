"""The receipt of a closed order, its canonical text, and the chain (rules.md, "Receipt").

Anyone can check a receipt from its JSON alone. Its hash is

    SHA-256( canonical text ), in lower-case hexadecimal,

over UTF-8 lines, each ended by one line feed, in this order (rule version 1):

    veritick receipt 1
    previous <previousHash>
    sequence <sequence>
    order <orderId>
    instrument <instrument>
    direction <UP|DOWN>
    stake <minorUnits> <currencyCode>
    payout_bp <payoutBp>
    terms_version <termsVersion>
    open_time <openTime>
    expire_time <expireTime>
    entry <entryTick>
    outcome <WIN|LOSS|DRAW|VOID>
    returned <minorUnits> <currencyCode>
    close_time <closeTime>
    transfer <id>                                  one line for each of transferIds, in order
    fixing <instrument> <time> <FINAL|VOID> <voidReason, or ->
    fixing_rule_version <ruleVersion>
    fixing_tick <tick, or ->
    fixing_before <tick>                           one line for each of ticksBefore, in order
    fixing_after <tick>                            one line for each of ticksAfter, in order
    fixing_watermark <watermark>
    fixing_feed_time <feedTime, or ->

The `fixing` lines are about the fields of `fixing`. So every field of the receipt is covered, save
the hash itself. A tick is written
`<instrument> <number> <price.mantissa> <price.scale> <time> <sourceTime, or -> <late: 0 or 1>`. A
time is RFC 3339 in UTC with exactly six digits of the second and a `Z`, such as
`2026-11-23T12:00:00.500000Z`. A number is decimal, without a sign unless negative, without leading
zeros. The first receipt of a book has sequence 1 and as its previous hash 64 zeros; every later
one names the hash of the one before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from services.kit.ids import uuid_text
from services.settlement.fixing import Fixing, Point, Tick
from services.settlement.outcome import Direction, Outcome

GENESIS = "0" * 64
"""What stands for the hash before the first."""

_MOMENTS_KNOWN = 4_096


class Closed(NamedTuple):
    """A closed order, as its book answered. Amounts are in minor units of `currency`."""

    order_id: UUID
    instrument: str
    direction: Direction
    stake: int
    currency: str
    payout_bp: int
    terms_version: int
    opened_at: datetime
    expires_at: datetime
    entry_number: int
    entry_price: int
    price_scale: int
    entry_time: datetime
    entry_source_time: datetime | None
    outcome: Outcome
    returned: int
    closed_at: datetime
    stake_transfer_id: UUID
    close_transfer_id: UUID

    @property
    def entry_tick(self) -> Tick:
        """The tick whose price is the entry price. A late one never opens an order."""
        return Tick(
            self.entry_number,
            self.entry_price,
            self.price_scale,
            self.entry_time,
            self.entry_source_time,
        )


class Link(NamedTuple):
    """A place in a book's chain."""

    sequence: int
    hash: str


class Receipt(NamedTuple):
    """A closed order with its place in the chain. With its fixing, it is the whole proof."""

    closed: Closed
    rule_version: int
    sequence: int
    previous_hash: str
    hash: str


def chain(book: str, head: Link, orders: Iterable[tuple[Closed, Fixing, int]]) -> Iterator[Receipt]:
    """Yield the receipts of closed orders, given with fixing and rule version, after `head`."""
    written: dict[Point, str] = {}
    sequence, previous = head
    for closed, fixing, rule_version in orders:
        proof = written.get(fixing.point) or written.setdefault(fixing.point, fixing_text(fixing))
        sequence += 1
        text = f"{opening_text(rule_version, previous, sequence)}{closed_text(book, closed)}{proof}"
        digest = sha256(text.encode()).hexdigest()
        yield Receipt(closed, rule_version, sequence, previous, digest)
        previous = digest


def opening_text(rule_version: int, previous: str, sequence: int) -> str:
    """Return the lines that place a receipt in its chain."""
    return f"veritick receipt {rule_version}\nprevious {previous}\nsequence {sequence}\n"


def closed_text(book: str, closed: Closed) -> str:
    """Return the lines about the order."""
    return (
        f"order {book}_{uuid_text(closed.order_id)}\n"
        f"instrument {closed.instrument}\n"
        f"direction {closed.direction.name}\n"
        f"stake {closed.stake} {closed.currency}\n"
        f"payout_bp {closed.payout_bp}\n"
        f"terms_version {closed.terms_version}\n"
        f"open_time {time_text(closed.opened_at)}\n"
        f"expire_time {time_text(closed.expires_at)}\n"
        f"entry {tick_text(closed.instrument, closed.entry_tick)}\n"
        f"outcome {closed.outcome.name}\n"
        f"returned {closed.returned} {closed.currency}\n"
        f"close_time {time_text(closed.closed_at)}\n"
        f"transfer {book}_{uuid_text(closed.stake_transfer_id)}\n"
        f"transfer {book}_{uuid_text(closed.close_transfer_id)}\n"
    )


def fixing_text(fixing: Fixing) -> str:
    """Return the lines about the fixing, which all orders of its point share."""
    (symbol, moment), reason = fixing.point, fixing.void_reason
    state = f"VOID {reason.name}" if reason else "FINAL -"
    lines = [
        f"fixing {symbol} {time_text(moment)} {state}",
        f"fixing_rule_version {fixing.rule_version}",
        f"fixing_tick {tick_text(symbol, fixing.tick) if fixing.tick else '-'}",
        *(f"fixing_before {tick_text(symbol, tick)}" for tick in fixing.ticks_before),
        *(f"fixing_after {tick_text(symbol, tick)}" for tick in fixing.ticks_after),
        f"fixing_watermark {time_text(fixing.watermark)}",
        f"fixing_feed_time {time_text(fixing.feed_time)}",
    ]
    return "".join(f"{line}\n" for line in lines)


def tick_text(symbol: str, tick: Tick) -> str:
    """Return a tick as canonical text."""
    return (
        f"{symbol} {tick.number} {tick.price} {tick.scale} {time_text(tick.time)} "
        f"{time_text(tick.source_time)} {int(tick.late)}"
    )


# Receipts that are issued together name few moments.
@lru_cache(_MOMENTS_KNOWN)
def time_text(moment: datetime | None) -> str:
    """Return a moment in UTC as canonical text, or `-` for none."""
    if moment is None:
        return "-"
    # Without the offset of UTC, `+00:00`.
    return f"{moment.isoformat(timespec='microseconds')[:-6]}Z"
