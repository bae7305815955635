"""Saying something twice: it happens once, and an altered request under a used id is refused."""

import asyncio
from uuid import uuid4

import pytest

from tests.end_to_end.traders import UNENDING, Trader
from veritick import VeritickError
from veritick.trading.v1.account_service_pb2 import (
    RefillDemoAccountRequest,
    RefillDemoAccountResponse,
)
from veritick.trading.v1.order_service_pb2 import ListOrdersRequest, ListOrdersResponse

pytestmark = [pytest.mark.platform, pytest.mark.timeout(240)]


async def orders_under(trader: Trader, request_id: str) -> int:
    request = ListOrdersRequest(account_id=trader.account.account_id, request_id=request_id)
    return len((await trader.veritick.call(request, ListOrdersResponse)).orders)


async def test_the_same_request_again_answers_the_first_order(trader: Trader) -> None:
    request = await trader.order_request(seconds=UNENDING)
    before = await trader.balance()

    first = await trader.veritick.submit(request)
    again = await trader.veritick.submit(request)

    assert (first.replay, again.replay) == (False, True)
    assert again.order.order_id == first.order.order_id
    after = await trader.balance()
    assert before.available.minor_units - after.available.minor_units == 1_000


async def test_many_at_the_same_time_open_one_order(trader: Trader) -> None:
    request = await trader.order_request(seconds=UNENDING)

    answers = await asyncio.gather(*(trader.veritick.submit(request) for _ in range(16)))

    assert len({answer.order.order_id for answer in answers}) == 1
    assert [answer.replay for answer in answers].count(False) == 1
    assert await orders_under(trader, request.request_id) == 1


async def test_an_altered_request_under_a_used_id_is_refused(trader: Trader) -> None:
    request = await trader.order_request(seconds=UNENDING)
    await trader.veritick.submit(request)
    before = await trader.balance()
    request.stake.minor_units += 1

    with pytest.raises(VeritickError) as caught:
        await trader.veritick.submit(request)

    assert (caught.value.reason, caught.value.status) == ("REQUEST_ID_REUSED", 409)
    assert await trader.balance() == before


async def test_a_refused_id_is_still_unused(trader: Trader) -> None:
    request = await trader.order_request(seconds=UNENDING, stake=1)
    with pytest.raises(VeritickError, match="STAKE_BELOW_MINIMUM"):
        await trader.veritick.submit(request)
    request.stake.minor_units = 1_000

    placed = await trader.veritick.submit(request)

    assert not placed.replay


async def test_a_late_first_delivery_opens_nothing(trader: Trader) -> None:
    request = await trader.order_request()
    request.valid_until.FromSeconds(request.valid_until.seconds - 3_600)

    with pytest.raises(VeritickError, match="VALID_UNTIL_PASSED"):
        await trader.veritick.submit(request)

    assert await orders_under(trader, request.request_id) == 0


async def test_a_refill_happens_once(stranger: Trader) -> None:
    await stranger.buy(stake=5_000, seconds=UNENDING)
    request = RefillDemoAccountRequest(
        account_id=stranger.account.account_id, request_id=str(uuid4())
    )

    first = await stranger.veritick.call(request, RefillDemoAccountResponse)
    again = await stranger.veritick.call(request, RefillDemoAccountResponse)

    assert first.account.available.minor_units == again.account.available.minor_units == 1_000_000
    with pytest.raises(VeritickError, match="REFILL_NOT_ALLOWED"):
        request.request_id = str(uuid4())
        await stranger.veritick.call(request, RefillDemoAccountResponse)
