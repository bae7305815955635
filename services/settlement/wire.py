"""Settlement's values and the contract's messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.kit.ids import scoped
from services.kit.wire import to_datetime, to_timestamp
from services.settlement.checkpoint import Checkpoint
from services.settlement.fixing import Fixing, Point, Tick, VoidReason
from services.settlement.receipt import Receipt
from services.settlement.verification import Check, Verdict
from veritick.quotes.v1 import fixing_service_pb2 as fixing_pb
from veritick.quotes.v1 import instrument_pb2
from veritick.settlement.v1 import receipt_service_pb2 as receipt_pb
from veritick.trading.v1 import order_pb2
from veritick.type.v1.money_pb2 import Money
from veritick.type.v1.price_pb2 import Price

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from google.protobuf.timestamp_pb2 import Timestamp


def to_point(point: Point) -> fixing_pb.FixingPoint:
    """Return a point as a message."""
    return fixing_pb.FixingPoint(instrument=point.instrument, time=to_timestamp(point.time))


def to_fixing(message: fixing_pb.Fixing) -> Fixing | None:
    """Return a fixing, or None while it is pending."""
    if message.state not in {fixing_pb.Fixing.FINAL, fixing_pb.Fixing.VOID}:
        return None
    final = message.state == fixing_pb.Fixing.FINAL
    return Fixing(
        point=Point(message.instrument, to_datetime(message.time)),
        tick=_to_tick(message.tick) if final else None,
        void_reason=None if final else VoidReason(message.void_reason),
        ticks_before=tuple(_to_tick(tick) for tick in message.ticks_before),
        ticks_after=tuple(_to_tick(tick) for tick in message.ticks_after),
        watermark=to_datetime(message.watermark),
        feed_time=to_datetime(message.feed_time) if message.HasField("feed_time") else None,
        rule_version=message.rule_version,
    )


def to_evidence(fixing: Fixing) -> bytes:
    """Return a fixing as it is stored."""
    return fixing_message(fixing).SerializeToString()


def from_evidence(evidence: bytes) -> Fixing:
    """Return a fixing that was stored."""
    fixing = to_fixing(fixing_pb.Fixing.FromString(evidence))
    assert fixing is not None  # noqa: S101  only decided ones are stored
    return fixing


def fixing_message(fixing: Fixing) -> fixing_pb.Fixing:
    """Return a fixing as a message."""
    symbol = fixing.point.instrument
    return fixing_pb.Fixing(
        instrument=symbol,
        time=to_timestamp(fixing.point.time),
        state=fixing_pb.Fixing.FINAL if fixing.tick else fixing_pb.Fixing.VOID,
        tick=tick_message(symbol, fixing.tick) if fixing.tick else None,
        void_reason=_void_reason(fixing.void_reason),
        ticks_before=[tick_message(symbol, tick) for tick in fixing.ticks_before],
        ticks_after=[tick_message(symbol, tick) for tick in fixing.ticks_after],
        watermark=to_timestamp(fixing.watermark),
        feed_time=_timestamp(fixing.feed_time),
        rule_version=fixing.rule_version,
    )


def receipt_message(book: str, receipt: Receipt, fixing: Fixing) -> receipt_pb.Receipt:
    """Return a receipt as a message."""
    closed = receipt.closed
    transfers = (closed.stake_transfer_id, closed.close_transfer_id)
    return receipt_pb.Receipt(
        order_id=scoped(book, closed.order_id),
        instrument=closed.instrument,
        direction=order_pb2.Direction.ValueType(closed.direction),
        stake=Money(currency_code=closed.currency, minor_units=closed.stake),
        payout_bp=closed.payout_bp,
        terms_version=closed.terms_version,
        open_time=to_timestamp(closed.opened_at),
        expire_time=to_timestamp(closed.expires_at),
        entry_tick=tick_message(closed.instrument, closed.entry_tick),
        fixing=fixing_message(fixing),
        outcome=order_pb2.Order.Outcome.ValueType(closed.outcome),
        returned=Money(currency_code=closed.currency, minor_units=closed.returned),
        close_time=to_timestamp(closed.closed_at),
        transfer_ids=[scoped(book, transfer) for transfer in transfers],
        rule_version=receipt.rule_version,
        sequence=receipt.sequence,
        previous_hash=receipt.previous_hash,
        hash=receipt.hash,
    )


def checkpoint_message(checkpoint: Checkpoint) -> receipt_pb.Checkpoint:
    """Return a signed head as a message."""
    return receipt_pb.Checkpoint(
        book=checkpoint.book,
        sequence=checkpoint.sequence,
        hash=checkpoint.hash,
        sign_time=to_timestamp(checkpoint.signed_at),
        key_id=checkpoint.key_id,
        public_key=checkpoint.public_key,
        signature=checkpoint.signature,
    )


def verification_message(
    checks: Sequence[Check], checkpoint: Checkpoint | None
) -> receipt_pb.VerifyReceiptResponse:
    """Return what the checks of a receipt came to."""
    verdicts = {check.verdict for check in checks}
    worst = next(
        (v for v in (Verdict.FAILED, Verdict.NOT_CHECKED) if v in verdicts), Verdict.PASSED
    )
    return receipt_pb.VerifyReceiptResponse(
        verdict=receipt_pb.ReceiptCheck.Verdict.ValueType(worst),
        checks=[
            receipt_pb.ReceiptCheck(
                part=receipt_pb.ReceiptCheck.Part.ValueType(check.part),
                verdict=receipt_pb.ReceiptCheck.Verdict.ValueType(check.verdict),
                expected=check.expected,
                found=check.found,
            )
            for check in checks
        ],
        checkpoint=checkpoint_message(checkpoint) if checkpoint else None,
    )


def tick_message(symbol: str, tick: Tick) -> instrument_pb2.Tick:
    """Return a tick as a message."""
    return instrument_pb2.Tick(
        instrument=symbol,
        number=tick.number,
        price=Price(mantissa=tick.price, scale=tick.scale),
        time=to_timestamp(tick.time),
        source_time=_timestamp(tick.source_time),
        late=tick.late,
    )


def _to_tick(message: instrument_pb2.Tick) -> Tick:
    return Tick(
        number=message.number,
        price=message.price.mantissa,
        scale=message.price.scale,
        time=to_datetime(message.time),
        source_time=to_datetime(message.source_time) if message.HasField("source_time") else None,
        late=message.late,
    )


def _void_reason(reason: VoidReason | None) -> fixing_pb.VoidReason.ValueType | None:
    return None if reason is None else fixing_pb.VoidReason.ValueType(reason)


def _timestamp(moment: datetime | None) -> Timestamp | None:
    return None if moment is None else to_timestamp(moment)
