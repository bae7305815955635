"""LimitService: identity tells what protects users, users see what it leaves them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.kit.values import Period
from services.kit.wire import to_timestamp
from services.trading.protection import Guard, Kind
from services.trading.protection_wire import to_protect
from services.trading.rpc import Desks, own_account
from services.trading.wire import money
from veritick.identity.v1.protection_pb2 import ProtectionLimit
from veritick.trading.v1 import limit_service_pb2 as limits_pb
from veritick.trading.v1.limit_service_pb2_grpc import LimitServiceServicer


class LimitFace(LimitServiceServicer):
    """Takes over what protects users, and shows what is left."""

    def __init__(self, desks: Desks) -> None:
        self._desks = desks

    async def ApplyProtection(
        self, request: limits_pb.ApplyProtectionRequest, context: Any
    ) -> limits_pb.ApplyProtectionResponse:
        command = to_protect(request.protection)
        for desk in self._desks.values():
            await desk.protect(command)
        return limits_pb.ApplyProtectionResponse()

    async def GetAccountLimits(
        self, request: limits_pb.GetAccountLimitsRequest, context: Any
    ) -> limits_pb.GetAccountLimitsResponse:
        desk, account = await own_account(self._desks, request.account_id)
        protection = await desk.protections.of(account.user_id)
        if protection is None:
            return limits_pb.GetAccountLimitsResponse()
        return _left(protection.guard(desk.market.now()), account.currency)


def _left(guard: Guard, currency: str) -> limits_pb.GetAccountLimitsResponse:
    until: datetime | None = guard.closed_until
    return limits_pb.GetAccountLimitsResponse(
        limits=[_limit(guard, currency, *limit) for limit in guard.limits],
        closed_until_time=to_timestamp(until) if until else None,
    )


def _limit(
    guard: Guard, currency: str, kind: Kind, period: Period, allowed: int
) -> limits_pb.AccountLimit:
    return limits_pb.AccountLimit(
        kind=ProtectionLimit.Kind.Value(kind),
        period=ProtectionLimit.Period.Value(period.name),
        limit=money(allowed, currency),
        used=money(guard.used.of(kind, period), currency),
        end_time=to_timestamp(period.end(guard.used.day)),
    )
