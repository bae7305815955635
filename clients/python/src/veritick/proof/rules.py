"""What a receipt must say, by the published rules (rules.md, "Fixing", "Outcome", "Receipt").

Written from the rules and not from the platform's code. A receipt holds all that its outcome
rests on, save the limits of the instrument in force at that time: how old a tick may be, and for
how long the feed may be silent. Of those the contract's bounds are known, and used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from veritick.proof.canonical import (
    GENESIS,
    is_id_of,
    name_of,
    receipt_hash,
    tick_text,
    time_text,
)
from veritick.quotes.v1.fixing_service_pb2 import (
    FEED_SILENT,
    MARKET_CLOSED,
    NO_TICK,
    VOID_REASON_UNSPECIFIED,
    Fixing,
)
from veritick.quotes.v1.instrument_pb2 import Tick
from veritick.settlement.v1.receipt_service_pb2 import Receipt
from veritick.trading.v1.order_pb2 import DOWN, UP, Order

RULE_VERSION = 1
"""Of the outcome and of the text of receipts."""

FIXING_RULE_VERSION = 1

_SECOND = 1_000_000_000
_LIMIT_SHORTEST = 1 * _SECOND
_LIMIT_LONGEST = 600 * _SECOND
"""Bounds, in nanoseconds, of `max_tick_age_seconds` and `feed_silence_max_seconds`."""

_EVIDENCE_TICKS = 3
_BASIS_POINTS = 10_000


class Difference(NamedTuple):
    """What a receipt says otherwise than it must. `what` is the field, as in its JSON."""

    what: str
    expected: str
    found: str


class Place(NamedTuple):
    """What is known about the receipt before: its sequence and, unless it is unknown, its hash."""

    sequence: int
    hash: str | None


def differences(receipt: Receipt, book: str, before: Place) -> Iterator[Difference]:
    """Yield whatever is wrong with a receipt that stands after another one."""
    yield from _place(receipt, before)
    yield from _ids(receipt, book)
    yield from _opening(receipt)
    yield from _evidence(receipt)
    yield from _fixing(receipt.fixing)
    yield from _closing(receipt)
    yield from _said("hash", receipt_hash(receipt), receipt.hash)


def outcome(receipt: Receipt) -> Order.Outcome.ValueType:
    """Return how the order closes at the price that was fixed."""
    if receipt.fixing.state != Fixing.FINAL:
        return Order.VOID
    entry, close = receipt.entry_tick.price.mantissa, receipt.fixing.tick.price.mantissa
    if close == entry:
        return Order.DRAW
    return Order.WIN if (close > entry) == (receipt.direction == UP) else Order.LOSS


def returned_minor_units(receipt: Receipt) -> int:
    """Return what comes back of the stake, by the outcome that the evidence gives."""
    stake = receipt.stake.minor_units
    match outcome(receipt):
        case Order.WIN:
            return stake + stake * receipt.payout_bp // _BASIS_POINTS
        case Order.LOSS:
            return 0
    return stake


def _place(receipt: Receipt, before: Place) -> Iterator[Difference]:
    yield from _said("sequence", str(before.sequence + 1), str(receipt.sequence))
    previous = GENESIS if before.sequence == 0 else before.hash
    if previous is not None:
        yield from _said("previousHash", previous, receipt.previous_hash)


def _ids(receipt: Receipt, book: str) -> Iterator[Difference]:
    ids = {"orderId": receipt.order_id}
    ids |= {f"transferIds[{n}]": text for n, text in enumerate(receipt.transfer_ids)}
    for what, text in ids.items():
        yield from _when(not is_id_of(book, text), what, f"an id of the book {book}", text)
    count = len(set(receipt.transfer_ids))
    found = f"{len(receipt.transfer_ids)}, {count} of them different"
    wrong = count != 2 or len(receipt.transfer_ids) != 2
    yield from _when(wrong, "transferIds", "two transfers, the stake's and the close's", found)


def _opening(receipt: Receipt) -> Iterator[Difference]:
    tick, opened, expires = receipt.entry_tick, receipt.open_time, receipt.expire_time
    known = receipt.direction in {UP, DOWN}
    yield from _when(not known, "direction", "UP or DOWN", str(receipt.direction))
    stake = receipt.stake.minor_units
    yield from _when(stake <= 0, "stake.minorUnits", "more than 0", str(stake))
    yield from _when(receipt.payout_bp < 0, "payoutBp", "0 or more", str(receipt.payout_bp))
    yield from _said("entryTick.instrument", receipt.instrument, tick.instrument)
    yield from _when(tick.late, "entryTick.late", "false", "true")
    age = _ns(opened) - _ns(tick.time)
    wanted = f"at most {_LIMIT_LONGEST // _SECOND} s before {time_text(opened)}"
    yield from _when(not 0 <= age <= _LIMIT_LONGEST, "entryTick.time", wanted, time_text(tick.time))
    after = f"after {time_text(opened)}"
    yield from _when(_ns(expires) <= _ns(opened), "expireTime", after, time_text(expires))
    yield from _when(expires.nanos != 0, "expireTime", "a whole second", time_text(expires))


def _evidence(receipt: Receipt) -> Iterator[Difference]:
    """Check that the fixing is the one of the order, and its ticks lie where they should."""
    fixing, moment = receipt.fixing, receipt.expire_time
    yield from _said("fixing.instrument", receipt.instrument, fixing.instrument)
    yield from _said("fixing.time", time_text(moment), time_text(fixing.time))
    until, from_then = f"at or before {time_text(moment)}", f"after {time_text(moment)}"
    for n, tick in enumerate(fixing.ticks_before):
        late = _ns(tick.time) > _ns(moment)
        yield from _when(late, f"fixing.ticksBefore[{n}].time", until, time_text(tick.time))
    for n, tick in enumerate(fixing.ticks_after):
        early = _ns(tick.time) <= _ns(moment)
        yield from _when(early, f"fixing.ticksAfter[{n}].time", from_then, time_text(tick.time))
    yield from _record(receipt, "fixing.ticksBefore", fixing.ticks_before)
    yield from _record(receipt, "fixing.ticksAfter", fixing.ticks_after)
    yield from _rising("fixing.ticksAfter", [*fixing.ticks_before, *fixing.ticks_after])
    if fixing.HasField("tick"):
        yield from _record(receipt, "fixing.tick", [fixing.tick])
    wanted = f"at or after {time_text(moment)}"
    early = _ns(fixing.watermark) < _ns(moment)
    yield from _when(early, "fixing.watermark", wanted, time_text(fixing.watermark))
    if fixing.HasField("feed_time"):
        late = _ns(fixing.feed_time) > _ns(moment)
        yield from _when(late, "fixing.feedTime", until, time_text(fixing.feed_time))


def _record(receipt: Receipt, what: str, ticks: Sequence[Tick]) -> Iterator[Difference]:
    """Check that ticks are of the order's instrument, and rise."""
    yield from _when(len(ticks) > _EVIDENCE_TICKS, what, "at most 3 ticks", str(len(ticks)))
    scale = str(receipt.entry_tick.price.scale)
    for tick in ticks:
        yield from _said(f"{what} instrument", receipt.instrument, tick.instrument)
        yield from _said(f"{what} price.scale", scale, str(tick.price.scale))
    yield from _rising(what, ticks)


def _rising(what: str, ticks: Sequence[Tick]) -> Iterator[Difference]:
    for one, next_one in pairwise(ticks):
        rising = one.number < next_one.number and _ns(one.time) < _ns(next_one.time)
        wanted = f"a tick with a number and a time after those of {tick_text(one)}"
        yield from _when(not rising, what, wanted, tick_text(next_one))


def _fixing(fixing: Fixing) -> Iterator[Difference]:
    state = name_of(Fixing.State.DESCRIPTOR, fixing.state)
    match fixing.state:
        case Fixing.FINAL:
            yield from _when(fixing.HasField("void_reason"), "fixing.voidReason", "none", "one")
            yield from _final(fixing)
        case Fixing.VOID:
            yield from _when(fixing.HasField("tick"), "fixing.tick", "none", "one")
            yield from _void(fixing)
        case _:
            yield Difference("fixing.state", "FINAL or VOID", state)


def _final(fixing: Fixing) -> Iterator[Difference]:
    """Check that the price is that of the last tick at or before the moment that counts."""
    found = tick_text(fixing.tick) if fixing.HasField("tick") else "none"
    counted = _last_counted(fixing)
    if counted is not None:
        yield from _said("fixing.tick", tick_text(counted), found)
    elif len(fixing.ticks_before) < _EVIDENCE_TICKS:
        yield Difference("fixing.state", "VOID, for no tick counts", "FINAL")
    else:  # the three before are all late: the one that counts lies further back
        first = fixing.ticks_before[0]
        earlier = fixing.tick.number < first.number and _ns(fixing.tick.time) < _ns(first.time)
        yield from _when(not earlier, "fixing.tick", f"one before {tick_text(first)}", found)
    yield from _when(fixing.tick.late, "fixing.tick.late", "false", "true")
    old = _ns(fixing.time) - _ns(fixing.tick.time) > _LIMIT_LONGEST
    yield from _when(old, "fixing.tick.time", "at most 600 s old", time_text(fixing.tick.time))
    yield from _heard(fixing)


def _void(fixing: Fixing) -> Iterator[Difference]:
    """Check that the evidence does not speak against the reason."""
    match fixing.void_reason:
        case unnamed if unnamed == VOID_REASON_UNSPECIFIED:
            yield Difference("fixing.voidReason", "a reason", "none")
        case reason if reason == FEED_SILENT:
            silence = _ns(fixing.time) - _ns(fixing.feed_time)
            heard = fixing.HasField("feed_time") and silence < _LIMIT_SHORTEST
            wanted = "one that fits a feed heard less than 1 s before"
            yield from _when(heard, "fixing.voidReason", wanted, "FEED_SILENT")
        case reason if reason == NO_TICK:
            yield from _heard(fixing)
            tick = _last_counted(fixing)
            fresh = tick is not None and _ns(fixing.time) - _ns(tick.time) <= _LIMIT_SHORTEST
            wanted = "one that fits a tick less than 1 s old"
            yield from _when(fresh, "fixing.voidReason", wanted, "NO_TICK")
        case reason if reason == MARKET_CLOSED:
            yield from _heard(fixing)


def _heard(fixing: Fixing) -> Iterator[Difference]:
    found = time_text(fixing.feed_time) if fixing.HasField("feed_time") else "none"
    silence = _ns(fixing.time) - _ns(fixing.feed_time)
    heard = fixing.HasField("feed_time") and silence < _LIMIT_LONGEST
    yield from _when(not heard, "fixing.feedTime", "a heartbeat in the 600 s before", found)


def _closing(receipt: Receipt) -> Iterator[Difference]:
    wanted, found = (
        name_of(Order.Outcome.DESCRIPTOR, value) for value in (outcome(receipt), receipt.outcome)
    )
    yield from _said("outcome", wanted, found)
    stake, returned = receipt.stake, receipt.returned
    amount = str(returned_minor_units(receipt))
    yield from _said("returned.minorUnits", amount, str(returned.minor_units))
    yield from _said("returned.currencyCode", stake.currency_code, returned.currency_code)
    early = _ns(receipt.close_time) < _ns(receipt.open_time)
    after = f"after {time_text(receipt.open_time)}"
    yield from _when(early, "closeTime", after, time_text(receipt.close_time))


def _last_counted(fixing: Fixing) -> Tick | None:
    """Return the last tick of the evidence that is not late: a late one fixes nothing."""
    counted = [tick for tick in fixing.ticks_before if not tick.late]
    return counted[-1] if counted else None


def _said(what: str, expected: str, found: str) -> Iterator[Difference]:
    if expected != found:
        yield Difference(what, expected, found)


def _when(wrong: bool, what: str, expected: str, found: str) -> Iterator[Difference]:
    if wrong:
        yield Difference(what, expected, found)


def _ns(time: Timestamp) -> int:
    return time.seconds * _SECOND + time.nanos
