"""Protection as the messages of the contract."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.identity.protection import Kind, Limit, Protection
from services.identity.protections import Change
from services.identity.wire import subject_of
from services.kit.errors import Failure, Violation
from services.kit.journal import NewEvent, new_event
from services.kit.reason import Reason
from services.kit.values import Period
from services.kit.wire import to_timestamp
from veritick.event.v1 import event_pb2
from veritick.identity.v1.protection_pb2 import LimitValue, ProtectionChange, ProtectionLimit
from veritick.identity.v1.protection_pb2 import Protection as ProtectionMessage
from veritick.identity.v1.protection_service_pb2 import SetLimitRequest
from veritick.type.v1.money_pb2 import Money


def to_protection(protection: Protection, currency: str) -> ProtectionMessage:
    """Return what protects a user as a message; amounts are in this currency."""
    rest, away = protection.break_until, protection.excluded_until
    return ProtectionMessage(
        user_id=str(protection.user_id),
        version=protection.version,
        limits=[_to_limit(limit, currency) for limit in protection.limits],
        break_until_time=to_timestamp(rest) if rest else None,
        exclusion_until_time=to_timestamp(away) if away else None,
        reality_check_minutes=protection.reality_check_minutes,
    )


def to_change(change: Change, currency: str) -> ProtectionChange:
    """Return a change as a message."""
    return ProtectionChange(
        action=ProtectionChange.Action.Value(change.action),
        protection=to_protection(change.protection, currency),
        create_time=to_timestamp(change.changed_at),
    )


def protection_changed(protection: ProtectionMessage) -> NewEvent:
    """Return the event that this protects a user now."""
    changed = event_pb2.ProtectionChanged(protection=protection)
    return new_event(subject_of(protection.user_id), event_pb2.Event(protection_changed=changed))


def reality_check_due(user_id: UUID, since: datetime, now: datetime) -> NewEvent:
    """Return the event that a user has been signed in for as long as he wanted to be told of."""
    due = event_pb2.RealityCheckDue(
        user_id=str(user_id), since_time=to_timestamp(since), time=to_timestamp(now)
    )
    return new_event(subject_of(user_id), event_pb2.Event(reality_check_due=due))


def to_kind(number: ProtectionLimit.Kind.ValueType) -> Kind:
    """Return what is limited."""
    return Kind(ProtectionLimit.Kind.Name(number))


def to_period(number: ProtectionLimit.Period.ValueType) -> Period:
    """Return over what it is counted."""
    return Period(ProtectionLimit.Period.Name(number))


def to_asked(request: SetLimitRequest, currency: str) -> Limit:
    """Return the limit that a request asks for.

    Failures: INVALID_REQUEST for a value that the kind does not take, CURRENCY_MISMATCH for an
    amount in another currency.
    """
    kind, period = to_kind(request.kind), to_period(request.period)
    if not request.HasField("value"):
        return Limit(kind, period)
    wanted = "minutes" if kind is Kind.SESSION_TIME else "amount"
    if request.value.WhichOneof("value") != wanted:
        raise _invalid(f"value.{wanted}", f"must be given for {kind}")
    if kind is Kind.SESSION_TIME:
        return Limit(kind, period, request.value.minutes)
    return Limit(kind, period, _minor_units(request.value.amount, currency))


def _minor_units(amount: Money, currency: str) -> int:
    if amount.currency_code != currency:
        message = f"Limits are in {currency} here."
        raise Failure(Reason.CURRENCY_MISMATCH, message, metadata={"currency_code": currency})
    if amount.minor_units < 0:
        raise _invalid("value.amount.minor_units", "must not be negative")
    return amount.minor_units


def _to_limit(limit: Limit, currency: str) -> ProtectionLimit:
    return ProtectionLimit(
        kind=ProtectionLimit.Kind.Value(limit.kind),
        period=ProtectionLimit.Period.Value(limit.period),
        value=_to_value(limit.kind, limit.value, currency),
        next_time=to_timestamp(limit.next_at) if limit.next_at else None,
        next_value=_to_value(limit.kind, limit.next_value, currency),
    )


def _to_value(kind: Kind, value: int | None, currency: str) -> LimitValue | None:
    if value is None:
        return None
    if kind is Kind.SESSION_TIME:
        return LimitValue(minutes=value)
    return LimitValue(amount=Money(currency_code=currency, minor_units=value))


def _invalid(field: str, complaint: str) -> Failure:
    message = f"{field} {complaint}."
    return Failure(Reason.INVALID_REQUEST, message, violations=[Violation(field, complaint)])
