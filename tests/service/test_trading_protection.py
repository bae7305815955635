"""Orders are held to what users have set to protect themselves, however they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from services.kit.clock import utc
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.values import Money, Period
from services.trading.book import Account
from services.trading.order import Outcome
from services.trading.protecting import Protect
from services.trading.protection import Kind, Limit, Used
from tests.service.statements import watched
from tests.service.trading_fixtures import Bench, bench, request
from tests.stores import Postgres

LOSS, STAKE = Kind.LOSS, Kind.STAKE
DAY, WEEK, MONTH = Period
TODAY, TOMORROW = utc(2026, 11, 23), utc(2026, 11, 24)
OPEN_MAX = 1_000


@pytest_asyncio.fixture
async def demo(postgres: Postgres) -> AsyncIterator[Bench]:
    async with bench(postgres, open_orders_max=OPEN_MAX, exposure_max=10**12) as lent:
        yield lent


async def protect(
    demo: Bench,
    account: Account,
    *limits: Limit,
    version: int = 1,
    break_until: datetime | None = None,
    excluded_until: datetime | None = None,
) -> None:
    """Tell the book what protects a user."""
    await demo.desk.protect(Protect(account.user_id, version, limits, break_until, excluded_until))


async def refusal(demo: Bench, account: Account, **changes: Any) -> Failure:
    """Place an order of 10.00 that is refused, and return why."""
    with pytest.raises(Failure) as caught:
        await demo.place(account, **changes)
    return caught.value


async def used(demo: Bench, account: Account) -> Used:
    """Return what a user has used up."""
    protection = await demo.desk.protections.of(account.user_id)
    assert protection is not None
    return protection.used


@pytest.mark.parametrize("kind", [LOSS, STAKE])
async def test_orders_placed_together_pass_no_limit_together(demo: Bench, kind: Kind) -> None:
    account = await demo.account()
    await protect(demo, account, Limit(kind, DAY, 5_500))

    together = [demo.desk.writer.submit(request(account)) for _ in range(300)]
    answers = await asyncio.gather(*together, return_exceptions=True)

    refused = [answer for answer in answers if isinstance(answer, Failure)]
    assert len(answers) - len(refused) == 5
    assert {failure.reason.value for failure in refused} == {f"{kind}_LIMIT"}
    assert refused[0].metadata == {
        "period": "DAY",
        "limit_minor_units": "5500",
        "used_minor_units": "5000",
        "until": TOMORROW.isoformat(),
    }
    assert (await demo.now(account)).open_orders == 5


async def test_placing_and_closing_at_once_count_as_if_one_after_the_other(demo: Bench) -> None:
    """Batches are decided on what is under way: what closes is counted by what follows it."""
    account = await demo.account()
    await protect(demo, account, Limit(LOSS, DAY, 10_000))
    first = [await demo.place(account) for _ in range(10)]
    assert (await refusal(demo, account)).reason is Reason.LOSS_LIMIT

    closing = [
        demo.settle(placed.booked.order.order_id, outcome)
        for placed, outcome in zip(first, [Outcome.DRAW, Outcome.LOSS] * 5, strict=True)
    ]
    placing = [demo.desk.writer.submit(request(account)) for _ in range(20)]
    answers = await asyncio.gather(*closing, *placing, return_exceptions=True)

    placed = [answer for answer in answers[10:] if not isinstance(answer, BaseException)]
    assert len(placed) == 5
    assert await used(demo, account) == Used(
        TODAY.date(), 5_000, (10_000, 10_000, 10_000), (5_000, 5_000, 5_000)
    )


async def test_what_is_won_leaves_more_to_lose_and_no_more_to_stake(demo: Bench) -> None:
    account = await demo.account()
    await protect(demo, account, Limit(LOSS, DAY, 1_000), Limit(STAKE, WEEK, 2_000))
    won = await demo.place(account)
    await demo.settle(won.booked.order.order_id, Outcome.WIN)

    bound = await refusal(demo, account, stake=Money(1_001, "USD"))
    await demo.place(account)

    assert bound.reason is Reason.STAKE_LIMIT
    assert bound.metadata["until"] == utc(2026, 11, 30).isoformat()
    assert (await used(demo, account)).of(LOSS, DAY) == 1_000 - 850


async def test_a_limit_begins_anew_with_its_period_and_carries_what_is_open(demo: Bench) -> None:
    account = await demo.account()
    await protect(demo, account, Limit(LOSS, DAY, 2_000))
    lost = await demo.place(account)
    await demo.settle(lost.booked.order.order_id, Outcome.LOSS)
    await demo.place(account, duration_seconds=86_400)
    assert (await refusal(demo, account)).reason is Reason.LOSS_LIMIT

    demo.market.advance(12 * 3_600, 10_000)
    await demo.place(account)
    still = await refusal(demo, account)

    assert still.metadata["used_minor_units"] == "2000"
    assert await used(demo, account) == Used(
        TOMORROW.date(), 2_000, (0, 1_000, 1_000), (0, 1_000, 1_000)
    )


async def test_what_was_lost_before_anybody_counted_counts(demo: Bench) -> None:
    account = await demo.account()
    for outcome in (Outcome.LOSS, Outcome.LOSS, Outcome.DRAW):
        placed = await demo.place(account)
        await demo.settle(placed.booked.order.order_id, outcome)
    await demo.place(account)

    await protect(demo, account, Limit(LOSS, MONTH, 3_999))

    assert (await used(demo, account)).of(STAKE, MONTH) == 4_000
    assert (await refusal(demo, account)).metadata["used_minor_units"] == "3000"


async def test_a_looser_limit_counts_when_its_time_has_come(demo: Bench) -> None:
    account = await demo.account()
    later = demo.market.clock.now() + timedelta(seconds=60)
    await protect(demo, account, Limit(LOSS, DAY, 0, next_at=later, next_value=1_000))
    assert (await refusal(demo, account)).reason is Reason.LOSS_LIMIT

    demo.market.advance(60, 10_000)

    await demo.place(account)


@pytest.mark.parametrize(
    ("until", "reason"),
    [("break_until", Reason.USER_IN_BREAK), ("excluded_until", Reason.USER_EXCLUDED)],
)
async def test_who_is_away_opens_no_order_until_he_is_back(
    demo: Bench, until: str, reason: Reason
) -> None:
    account = await demo.account()
    before = await demo.place(account)
    back = demo.market.clock.now() + timedelta(hours=1)
    await protect(demo, account, **{until: back})  # type: ignore[arg-type]

    refused = await refusal(demo, account)
    again = await demo.place(account, request_id=before.booked.order.request_id)
    await demo.settle(before.booked.order.order_id, Outcome.LOSS)
    demo.market.advance(3_600, 10_000)

    assert (refused.reason, refused.metadata) == (reason, {"until": back.isoformat()})
    assert again.replay
    await demo.place(account)


async def test_an_older_version_changes_nothing(demo: Bench) -> None:
    account = await demo.account()
    await protect(demo, account, Limit(LOSS, DAY, 0), version=2)
    await protect(demo, account, version=1)
    assert (await refusal(demo, account)).reason is Reason.LOSS_LIMIT

    await protect(demo, account, version=3)

    await demo.place(account)


async def test_protection_takes_no_further_statement(
    demo: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await demo.account()
    await protect(demo, account, Limit(LOSS, DAY, 100_000))
    with watched(monkeypatch) as placing:
        await demo.desk.writer.submit_all([request(account) for _ in range(10)])
    last = await demo.place(account)
    with watched(monkeypatch) as closing:
        await demo.settle(last.booked.order.order_id, Outcome.LOSS)

    assert (len(placing.texts), len(closing.texts)) == (2, 3)
