"""What an event of the journal told of an order, read again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from services.kit.ids import parse_scoped
from services.kit.journal import event_type
from services.trading.order import Close, Order
from services.trading.wire import BookWire
from veritick.event.v1.event_pb2 import Event
from veritick.trading.v1 import order_pb2
from veritick.type.v1.money_pb2 import Money
from veritick.type.v1.price_pb2 import Price

_WHOLE = (Money, Price, Timestamp)
"""Values that are told whole or not at all: in one of them, what is missing is a zero."""


class ToldOrder(NamedTuple):
    """An order as it was told."""

    order_id: UUID
    message: order_pb2.Order

    def other_than(self, wire: BookWire, order: Order, close: Close | None) -> list[str]:
        """Return the fields that were told to be other than they are.

        What was not told at all is none of them: a build from before had less to tell.
        """
        return list(_differing(self.message, wire.order(order, close)))


def told_order(kind: str, payload: bytes) -> ToldOrder | None:
    """Return the order that an event of this type tells of; None if it does not tell of any."""
    try:
        event = Event.FromString(payload)
    except DecodeError:
        return None
    data = event.WhichOneof("data")
    if data is None or event_type(data) != kind:
        return None
    message = getattr(event, data).order
    parsed = parse_scoped(message.order_id)
    return ToldOrder(parsed[1], message) if parsed else None


def _differing(told: Message, actual: Message) -> Iterator[str]:
    if told == actual:
        return
    for field, value in told.ListFields():
        known = getattr(actual, field.name)
        part = isinstance(value, Message) and not isinstance(value, _WHOLE)
        if any(_differing(value, known)) if part else value != known:
            yield field.name
