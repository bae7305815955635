"""The texts that are hashed and signed, as `services.settlement.receipt` publishes them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from veritick.quotes.v1.fixing_service_pb2 import Fixing, VoidReason
from veritick.quotes.v1.instrument_pb2 import Tick
from veritick.settlement.v1.receipt_service_pb2 import Checkpoint, Receipt
from veritick.trading.v1.order_pb2 import Direction, Order

GENESIS = "0" * 64
"""The previous hash of the first receipt of a book."""


def receipt_hash(receipt: Receipt) -> str:
    """Return the hash that a receipt should have: SHA-256 of its text, hexadecimal."""
    return sha256(_text(receipt_lines(receipt)).encode()).hexdigest()


def receipt_lines(receipt: Receipt) -> Iterator[str]:
    """Yield the lines of a receipt's text (rule version 1)."""
    stake, returned = receipt.stake, receipt.returned
    yield f"veritick receipt {receipt.rule_version}"
    yield f"previous {receipt.previous_hash}"
    yield f"sequence {receipt.sequence}"
    yield f"order {receipt.order_id}"
    yield f"instrument {receipt.instrument}"
    yield f"direction {name_of(Direction.DESCRIPTOR, receipt.direction)}"
    yield f"stake {stake.minor_units} {stake.currency_code}"
    yield f"payout_bp {receipt.payout_bp}"
    yield f"terms_version {receipt.terms_version}"
    yield f"open_time {time_in(receipt, 'open_time')}"
    yield f"expire_time {time_in(receipt, 'expire_time')}"
    yield f"entry {tick_in(receipt, 'entry_tick')}"
    yield f"outcome {name_of(Order.Outcome.DESCRIPTOR, receipt.outcome)}"
    yield f"returned {returned.minor_units} {returned.currency_code}"
    yield f"close_time {time_in(receipt, 'close_time')}"
    for transfer in receipt.transfer_ids:
        yield f"transfer {transfer}"
    yield from fixing_lines(receipt.fixing)


def fixing_lines(fixing: Fixing) -> Iterator[str]:
    """Yield the lines of a receipt's text that are about its fixing."""
    state = name_of(Fixing.State.DESCRIPTOR, fixing.state)
    reason = (
        name_of(VoidReason.DESCRIPTOR, fixing.void_reason)
        if fixing.HasField("void_reason")
        else "-"
    )
    yield f"fixing {fixing.instrument} {time_in(fixing, 'time')} {state} {reason}"
    yield f"fixing_rule_version {fixing.rule_version}"
    yield f"fixing_tick {tick_in(fixing, 'tick')}"
    for tick in fixing.ticks_before:
        yield f"fixing_before {tick_text(tick)}"
    for tick in fixing.ticks_after:
        yield f"fixing_after {tick_text(tick)}"
    yield f"fixing_watermark {time_in(fixing, 'watermark')}"
    yield f"fixing_feed_time {time_in(fixing, 'feed_time')}"


def checkpoint_text(checkpoint: Checkpoint) -> str:
    """Return what the signature of a checkpoint is over."""
    return _text(
        [
            "veritick checkpoint 1",
            f"book {checkpoint.book}",
            f"sequence {checkpoint.sequence}",
            f"hash {checkpoint.hash}",
            f"time {time_in(checkpoint, 'sign_time')}",
        ]
    )


def is_id_of(book: str, text: str) -> bool:
    """Tell whether this is an id of the book, written as the platform writes it.

    The same number can be written in other ways, which no hash of a seal would tell apart.
    """
    name, _, number = text.rpartition("_")
    try:
        return name == book and str(UUID(number)) == number
    except ValueError:
        return False


def name_of(enum: EnumDescriptor, number: int) -> str:
    """Return the name of an enum's value; the number itself where it has none."""
    value = enum.values_by_number.get(number)
    return value.name if value else str(number)


def tick_in(message: Message, field: str) -> str:
    """Return the tick in a field as text, or `-` for none."""
    return tick_text(getattr(message, field)) if message.HasField(field) else "-"


def tick_text(tick: Tick) -> str:
    """Return a tick as text."""
    price = f"{tick.price.mantissa} {tick.price.scale}"
    times = f"{time_in(tick, 'time')} {time_in(tick, 'source_time')}"
    return f"{tick.instrument} {tick.number} {price} {times} {int(tick.late)}"


def time_in(message: Message, field: str) -> str:
    """Return the time in a field as text, or `-` for none."""
    return time_text(getattr(message, field)) if message.HasField(field) else "-"


def time_text(time: Timestamp) -> str:
    """Return a time as text: six digits of the second, and all nine where the platform has none."""
    second = datetime.fromtimestamp(time.seconds, UTC).replace(tzinfo=None).isoformat()
    digits = f"{time.nanos:09d}"
    return f"{second}.{digits.removesuffix('000')}Z"


def _text(lines: Iterator[str] | list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
