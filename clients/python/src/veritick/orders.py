"""Orders as requests: made once, so that every attempt is the same request."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import uuid4

from veritick.trading.v1.account_pb2 import Account
from veritick.trading.v1.order_pb2 import Direction
from veritick.trading.v1.order_service_pb2 import PlaceOrderRequest

DirectionName = Literal["UP", "DOWN"]


def order_request(
    account: Account,
    instrument: str,
    direction: DirectionName,
    *,
    stake_minor_units: int,
    valid_until: datetime,
    duration_seconds: int | None = None,
    expire_time: datetime | None = None,
    min_payout_bp: int | None = None,
) -> PlaceOrderRequest:
    """Return a request with a fresh `request_id`, in the currency of the account.

    Exactly one of `duration_seconds` and `expire_time` says when the order expires. Times are
    aware. Other protections (`entry_price_limit`, `last_seen_tick_number`) are fields to set on
    what is returned. Keep the request to repeat it, even from another process: under one
    `request_id` an order is opened at most once.
    """
    if (duration_seconds is None) == (expire_time is None):
        raise ValueError("give either duration_seconds or expire_time")
    request = PlaceOrderRequest(
        account_id=account.account_id,
        request_id=str(uuid4()),
        instrument=instrument,
        direction=Direction.Value(direction),
    )
    request.stake.currency_code = account.currency_code
    request.stake.minor_units = stake_minor_units
    request.valid_until.FromDatetime(valid_until)
    if duration_seconds is not None:
        request.duration_seconds = duration_seconds
    if expire_time is not None:
        request.expire_time.FromDatetime(expire_time)
    if min_payout_bp is not None:
        request.min_payout_bp = min_payout_bp
    return request
