"""What protects users, as identity tells it, in the words of the book."""

from __future__ import annotations

from uuid import UUID

from services.kit.values import Period
from services.kit.wire import to_datetime
from services.trading.protecting import Protect
from services.trading.protection import Kind, Limit
from veritick.identity.v1.protection_pb2 import LimitValue, Protection, ProtectionLimit

_COUNTED = {ProtectionLimit.LOSS: Kind.LOSS, ProtectionLimit.STAKE: Kind.STAKE}
"""What a book counts. Deposits are payments' to limit, time is identity's."""


def to_protect(message: Protection) -> Protect:
    """Return the command to protect a user as a message says."""
    given = message.HasField
    return Protect(
        user_id=UUID(message.user_id),
        version=message.version,
        limits=tuple(_limit(limit) for limit in message.limits if limit.kind in _COUNTED),
        break_until=to_datetime(message.break_until_time) if given("break_until_time") else None,
        excluded_until=(
            to_datetime(message.exclusion_until_time) if given("exclusion_until_time") else None
        ),
    )


def _limit(message: ProtectionLimit) -> Limit:
    given = message.HasField
    return Limit(
        kind=_COUNTED[message.kind],
        period=Period[ProtectionLimit.Period.Name(message.period)],
        value=_amount(message.value) if given("value") else None,
        next_at=to_datetime(message.next_time) if given("next_time") else None,
        next_value=_amount(message.next_value) if given("next_value") else None,
    )


def _amount(value: LimitValue) -> int:
    return value.amount.minor_units
