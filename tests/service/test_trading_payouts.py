"""Payouts that follow what was won, on a real book."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from services.kit.database import DatabaseUnavailable
from services.kit.tasks import end_tasks
from services.trading import payouts
from services.trading.order import Outcome
from tests.service.trading_fixtures import SYMBOL, Bench, bench
from tests.stores import Postgres
from tests.waiting import PATIENCE_SECONDS


@pytest_asyncio.fixture
async def real(postgres: Postgres) -> AsyncIterator[Bench]:
    async with bench(postgres, policy="win-rate") as lent:
        yield lent


async def close(desk: Bench, outcomes: list[Outcome]) -> None:
    """Place as many orders and close them so."""
    account = await desk.account()
    orders = [(await desk.place(account)).booked.order for _ in outcomes]
    tick = desk.market.advance(11, 10_100)
    for order, outcome in zip(orders, outcomes, strict=True):
        await desk.settle(order.order_id, outcome, tick if outcome is not Outcome.VOID else None)


async def payout(desk: Bench) -> tuple[int, int]:
    """Return the version and the payout of the terms, as a trader sees them."""
    terms = (await desk.desk.terms.current(SYMBOL, "", 1))[0]
    return terms.version, terms.payout_bp


async def test_a_payout_follows_the_share_of_winners(real: Bench) -> None:
    assert await payout(real) == (1, 8_500)
    wins = [Outcome.WIN] * 3
    await close(real, wins + [Outcome.LOSS] * 7 + [Outcome.VOID, Outcome.DRAW])
    assert await real.desk.payouts.recalculate() == [SYMBOL]
    assert await payout(real) == (2, 7_000)
    order = (await real.place(await real.account())).booked.order
    assert (order.payout_bp, order.terms_version) == (7_000, 2)


async def test_nothing_new_changes_nothing(real: Bench) -> None:
    await close(real, [Outcome.WIN] * 9)
    assert await real.desk.payouts.recalculate() == []
    assert await payout(real) == (1, 8_500)


async def test_after_half_an_hour_the_fixed_payout_returns(real: Bench) -> None:
    await close(real, [Outcome.WIN] * 10)
    await real.desk.payouts.recalculate()
    assert await payout(real) == (2, 6_500)
    real.market.advance(31 * 60, 10_100)
    await real.desk.payouts.recalculate()
    assert await payout(real) == (3, 8_500)


async def test_an_outage_of_the_database_only_delays_a_payout(
    real: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    outages, done = [DatabaseUnavailable("gone")], asyncio.Event()
    recalculate = real.desk.payouts.recalculate

    async def hindered() -> list[str]:
        if outages:
            raise outages.pop()
        changed = await recalculate()
        done.set()
        return changed

    monkeypatch.setattr(payouts, "RECALCULATE_EVERY", timedelta(0))
    monkeypatch.setattr(real.desk.payouts, "recalculate", hindered)
    await close(real, [Outcome.WIN] * 10)
    running = asyncio.create_task(real.desk.payouts.run())
    async with asyncio.timeout(PATIENCE_SECONDS):
        await done.wait()
    await end_tasks([running])
    assert await payout(real) == (2, 6_500)


async def test_a_change_is_kept_with_its_inputs_and_published(real: Bench) -> None:
    await close(real, [Outcome.WIN] * 2 + [Outcome.LOSS] * 8)
    await real.desk.payouts.recalculate()
    async with real.desk.book.database.raw() as connection:
        cursor = await connection.execute(
            "SELECT changed_by, inputs::text FROM terms WHERE version = 2"
        )
        row = await cursor.fetchone()
    assert row is not None
    assert row[0] == "policy:win-rate"
    assert json.loads(row[1]) == {"policy": "win-rate", "orders": 10, "winners": 2}
    entries = await real.desk.journal.read_subject("payouts", 0, 10)
    assert [entry.type for entry in entries] == ["payout.changed.v1"] * 2


async def test_an_open_order_keeps_the_payout_it_was_bought_at(real: Bench) -> None:
    account = await real.account()
    order = (await real.place(account)).booked.order
    await close(real, [Outcome.WIN] * 10)
    await real.desk.payouts.recalculate()
    settled = await real.settle(order.order_id, Outcome.WIN, real.market.advance(11, 10_200))
    assert settled.booked is not None
    assert settled.booked.close is not None
    assert settled.booked.close.returned == 1_850
