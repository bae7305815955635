"""The market misbehaves: what is not known refuses orders and voids fixings, and passes."""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from websockets.asyncio.client import connect

from services.kit.reason import Reason
from tests.faults.experiment import Experiment
from tests.faults.load import INSTRUMENT
from tests.faults.world import World, until_true

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

VOID = 4
_OUTCOMES = "SELECT outcome, count(*) FROM closed_order WHERE opened_at > %s GROUP BY outcome"


async def command(world: World, verb: str, **details: object) -> None:
    """Tell the simulated market to misbehave."""
    request = {"op": "control", "command": verb, **details}
    async with connect(f"ws://{world.ports.address('simulator')}") as socket:
        await socket.send(json.dumps(request))
        async for text in socket:
            answer = json.loads(text)
            if answer["type"] != "welcome":
                assert answer["type"] == "controlled", answer
                return


@pytest.mark.parametrize("verb", ["gap", "freeze"])
async def test_no_order_opens_on_a_market_that_says_nothing(
    world: World, experiment: Experiment, verb: str
) -> None:
    """A gap is a silent feed, a freeze a feed that lives and a price that does not."""
    reason = Reason.FEED_SILENT if verb == "gap" else Reason.TICK_TOO_OLD
    began = datetime.now(UTC)
    async with experiment.under_load(pause_seconds=0.2) as (load, _):
        await command(world, verb)
        try:
            await load.opens_nothing(reason, seconds=8)
        finally:
            await command(world, "resume")
            experiment.cure()
    assert outcomes(world, began)[VOID] > 0


async def test_prices_that_jump_settle_as_they_are(world: World, experiment: Experiment) -> None:
    began = datetime.now(UTC)
    async with experiment.under_load(pause_seconds=0.2) as (load, _):
        for basis_points in (900, -900, 900):
            await command(world, "spike", symbols=[INSTRUMENT], basis_points=basis_points)
            await load.acknowledged_more(20)
    assert outcomes(world, began)[VOID] == 0


async def test_ticks_from_the_past_and_the_future_and_nonsense(
    world: World, experiment: Experiment
) -> None:
    """A tick's own time is only evidence: a late one opens and fixes nothing."""
    late_price = 1234567
    began = datetime.now(UTC)
    async with experiment.under_load(pause_seconds=0.2) as (load, _):
        for seconds in (-3600, -30, -6, -2, 2, 3600):
            time = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
            price = str(late_price) if seconds < -5 else "60000.00"
            await command(world, "tick", symbols=[INSTRUMENT], price=price, time=time)
            await command(world, "garble", symbols=[INSTRUMENT])
            await load.acknowledged_more(10)
    assert outcomes(world, began)[VOID] == 0
    query = """
        SELECT order_id FROM closed_order WHERE opened_at > %s
        AND (entry_price = %s * 10 ^ price_scale OR close_price = %s * 10 ^ price_scale)
    """
    assert world.book(query, [began, late_price, late_price]) == []


async def test_the_feed_drops_the_connection(world: World, experiment: Experiment) -> None:
    async with experiment.under_load() as (load, _):
        for _ in range(5):
            await command(world, "drop")
            await asyncio.sleep(experiment.random.uniform(0.2, 1.5))
        await load.acknowledged_more(20)


@pytest.mark.parametrize("place", ["ingest.before_store", "ingest.after_store"])
async def test_quotes_dies_at(world: World, experiment: Experiment, place: str) -> None:
    part = world.part("quotes")
    async with experiment.under_load(pause_seconds=0.2) as (load, _):
        deaths = part.deaths
        part.restart(VERITICK_FAILPOINTS=f"{place}=kill@0.02")
        try:
            await until_true(lambda: part.deaths >= deaths + 2, "quotes has died")
        finally:
            part.restart(VERITICK_FAILPOINTS=None)
        await load.acknowledged_more(20)


async def test_market_time_that_is_wrong_opens_nothing(
    world: World, experiment: Experiment
) -> None:
    """The clock of quotes jumps ahead by 5 s, then is behind by them, then is right again.

    What was recorded ahead of time stays; until the clock has caught up with it, nothing is added.
    """
    part = world.part("quotes")
    async with experiment.under_load(pause_seconds=0.2) as (load, _):
        try:
            for seconds in (5, -5):
                part.restart(VERITICK_FAILPOINTS=f"clock=offset:{seconds}")
                await load.opens_nothing(Reason.CLOCK_SKEWED, seconds=2)
        finally:
            part.restart(VERITICK_FAILPOINTS=None)
            experiment.cure()
        await load.acknowledged_more(20)


async def test_two_ingestors_take_turns(world: World, experiment: Experiment) -> None:
    """One sleeps, the other takes over; it wakes and may store nothing of what it holds."""
    first, second = world.part("quotes"), world.part("quotes", 1)
    second.start()
    try:
        async with experiment.under_load(pause_seconds=0.2) as (load, _):
            first.pause()
            await world.well("quotes", replica=1)
            world.fronts["quotes"].lead_to(world.address("quotes", 1))
            await load.acknowledged_more(40)
            first.resume()
            await asyncio.sleep(3)
            await load.acknowledged_more(20)
            second.stop()
            await world.well("quotes")
            world.fronts["quotes"].lead_to(world.address("quotes"))
            await load.acknowledged_more(20)
    finally:
        first.resume()
        second.stop()
        world.fronts["quotes"].lead_to(world.address("quotes"))


def outcomes(world: World, since: datetime) -> Counter[int]:
    """Count the orders opened since a moment by outcome."""
    return Counter(dict(world.book(_OUTCOMES, [since])))
