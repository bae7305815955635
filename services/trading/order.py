"""What an order is, and what asking for one says."""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import IntEnum
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from services.kit.values import Money, Price

REQUEST_HASH_VERSION = 1
_OPTIONAL = (
    "duration_seconds",
    "expire_time",
    "min_payout_bp",
    "entry_price_limit",
    "last_seen_tick_number",
)
_optional_of = attrgetter(*_OPTIONAL)


class Direction(IntEnum):
    """What an order bets on. The numbers are the contract's and the database's."""

    UP = 1
    DOWN = 2


class Outcome(IntEnum):
    """How an order closed."""

    WIN = 1
    LOSS = 2
    DRAW = 3
    VOID = 4


class VoidReason(IntEnum):
    """Why there was no trustworthy price."""

    NONE = 0
    NOT_COVERED = 1
    FEED_SILENT = 2
    NO_TICK = 3
    MARKET_CLOSED = 4
    INSTRUMENT_HALTED = 5
    VOIDED_BY_STAFF = 6


class Tick(NamedTuple):
    """A price with its authoritative time, as quotes numbered it."""

    number: int
    price: int
    """The mantissa at the instrument's scale."""

    time: datetime
    source_time: datetime | None


class OrderRequest(NamedTuple):
    """What a caller asks for. Exactly one of `duration_seconds` and `expire_time` is set."""

    account_id: UUID
    user_id: UUID
    request_id: UUID
    instrument: str
    direction: Direction
    stake: Money
    duration_seconds: int | None = None
    expire_time: datetime | None = None
    valid_until: datetime | None = None
    min_payout_bp: int | None = None
    entry_price_limit: Price | None = None
    last_seen_tick_number: int | None = None

    def digest(self) -> bytes:
        """Return a hash of what was asked for.

        It covers the fields by name, and so survives changes of the wire format; a field added
        later takes part only when it is set. `valid_until` stands for one attempt, which a client
        that lost it may extend: it does not make another request.
        """
        text = (
            f"order.{REQUEST_HASH_VERSION}\ninstrument={self.instrument}\n"
            f"direction={int(self.direction)}\n"
            f"stake={self.stake.minor_units} {self.stake.currency}"
        )
        for name, value in zip(_OPTIONAL, _optional_of(self), strict=True):
            if value is not None:
                text += f"\n{name}={value}"
        return hashlib.sha256(text.encode()).digest()


class Order(NamedTuple):
    """An order that is open: it has been paid for and waits for its expiry.

    The fields are the columns of `open_order`, in their order.
    """

    order_id: UUID
    """Also the id of the transfer that paid the stake."""

    account_id: UUID
    request_id: UUID
    request_hash: bytes
    instrument: str
    direction: int
    stake: int
    currency: str
    payout_bp: int
    terms_version: int
    price_scale: int
    entry_number: int
    entry_price: int
    entry_time: datetime
    entry_source_time: datetime | None
    opened_at: datetime
    expires_at: datetime


class Close(NamedTuple):
    """How an order closed. The fields are what `closed_order` has beyond `open_order`."""

    outcome: int
    void_reason: int
    returned: int
    close_number: int | None
    close_price: int | None
    close_time: datetime | None
    close_source_time: datetime | None
    closed_at: datetime
    transfer_id: UUID
    """The transfer that closed it."""
