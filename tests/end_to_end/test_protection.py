"""A trader who protects himself is held to it by the very next order."""

from __future__ import annotations

import pytest

from tests.end_to_end.traders import STAKE, Trader, newcomer, trading
from tests.platform import Platform
from veritick import VeritickError
from veritick.identity.v1.protection_pb2 import LimitValue, ProtectionLimit
from veritick.identity.v1.protection_service_pb2 import (
    SetLimitRequest,
    SetLimitResponse,
    TakeBreakRequest,
    TakeBreakResponse,
)
from veritick.trading.v1.limit_service_pb2 import (
    GetAccountLimitsRequest,
    GetAccountLimitsResponse,
)
from veritick.type.v1.money_pb2 import Money

pytestmark = [pytest.mark.platform, pytest.mark.timeout(240)]

LOSS, MONTH = ProtectionLimit.LOSS, ProtectionLimit.MONTH


async def refusal(trader: Trader) -> VeritickError:
    with pytest.raises(VeritickError) as caught:
        await trader.buy()
    return caught.value


async def test_limits_and_breaks_count_as_soon_as_they_are_answered(platform: Platform) -> None:
    async with trading(platform, await newcomer(platform)) as trader:
        await trader.buy(seconds=3_600)
        allowed = LimitValue(amount=Money(currency_code="USD", minor_units=STAKE + 1))
        limit = SetLimitRequest(kind=LOSS, period=MONTH, value=allowed)
        await trader.veritick.call(limit, SetLimitResponse)
        beyond = await refusal(trader)
        left = await trader.veritick.call(
            GetAccountLimitsRequest(account_id=trader.account.account_id),
            GetAccountLimitsResponse,
        )
        await trader.veritick.call(TakeBreakRequest(hours=1), TakeBreakResponse)
        away = await refusal(trader)

    assert (beyond.reason, beyond.metadata["used_minor_units"]) == ("LOSS_LIMIT", str(STAKE))
    assert [(item.limit, item.used.minor_units) for item in left.limits] == [
        (allowed.amount, STAKE)
    ]
    assert away.reason == "USER_IN_BREAK"
