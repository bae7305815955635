"""Whatever becomes of the process that writes a book, an order opens once or not at all."""

import asyncio
from uuid import UUID, uuid4

import grpc
import pytest

from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.status import failure_of
from tests.faults import checks
from tests.faults.experiment import Experiment
from tests.faults.load import Load, trading
from tests.faults.world import World, until, until_true
from veritick.trading.v1.account_service_pb2 import OpenAccountsRequest
from veritick.trading.v1.account_service_pb2_grpc import AccountServiceStub

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

KILLS = 4


async def test_trading_is_killed_at_random_moments(world: World, experiment: Experiment) -> None:
    async with experiment.under_load() as (load, _):
        for _ in range(KILLS):
            await asyncio.sleep(experiment.random.uniform(0.2, 2))
            world.part("trading").kill()
            await load.acknowledged_more(20)


@pytest.mark.parametrize("place", ["writer.before_write", "writer.after_write"])
async def test_the_writer_dies_at(world: World, experiment: Experiment, place: str) -> None:
    part = world.part("trading")
    async with experiment.under_load() as (load, _):
        part.restart(VERITICK_FAILPOINTS=f"{place}=kill@0.03")
        deaths = part.deaths
        try:
            await until_true(lambda: part.deaths >= deaths + KILLS, "the writer has died")
        finally:
            part.restart(VERITICK_FAILPOINTS=None)
        await load.acknowledged_more(20)


async def test_a_standby_takes_over_from_a_writer_that_is_killed(
    world: World, experiment: Experiment
) -> None:
    first, second = world.part("trading"), world.part("trading", 1)
    second.start()
    try:
        async with experiment.under_load() as (load, _):
            await asyncio.sleep(experiment.random.uniform(2, 4))
            first.end()
            await _lead_to_whoever_is_well(world)
            await load.acknowledged_more(20)
            first.start()
            second.end()
            await _lead_to_whoever_is_well(world)
            await load.acknowledged_more(20)
    finally:
        second.stop()


async def test_a_writer_that_slept_through_a_takeover_commits_nothing(
    world: World, experiment: Experiment
) -> None:
    """It wakes with orders in its hands that were promised to nobody."""
    first, second = world.part("trading"), world.part("trading", 1)
    second.start()
    sleeper = world.address("trading", 0)
    try:
        async with experiment.under_load() as (load, _):
            async with trading(world, 0, traders=1, address=sleeper) as direct:
                first.pause()
                request = direct.request(direct.traders[0], seconds=30)
                stranger = uuid4()
                ordering = asyncio.ensure_future(direct.attempt(direct.traders[0], request, 120))
                opening = asyncio.ensure_future(_open_account(direct, stranger))
                await _lead_to_whoever_is_well(world)
                await load.acknowledged_more(20)
                first.resume()
                with pytest.raises(Failure) as refused:
                    await ordering
                assert refused.value.reason in {Reason.UNAVAILABLE, Reason.MARKET_VIEW_STALE}
                direct.tally.refused[request.request_id] = refused.value.reason
                checks.assert_refused_moved_nothing(world, direct.tally)
                # What asks nothing of the market comes as far as the fence.
                with pytest.raises(Failure) as fenced:
                    await opening
                # Where its statement was under way, not even it knows that the fence refused it.
                assert fenced.value.reason in {Reason.UNAVAILABLE, Reason.OUTCOME_UNKNOWN}
                assert not world.book("SELECT 1 FROM account WHERE user_id = %s", [stranger])
            second.stop()
            await _lead_to_whoever_is_well(world)
    finally:
        first.resume()
        second.stop()
        world.fronts["trading"].lead_to(world.address("trading"))


async def test_the_deadline_passes_after_the_commit(world: World, experiment: Experiment) -> None:
    """The caller gave up, the order exists; the same id tells."""
    async with experiment.under_load() as (load, _):
        with world.database.slowed(0.1):
            load.deadline_seconds = 0.35
            await asyncio.sleep(6)
            load.deadline_seconds = 3
            await until_true(lambda: load.tally.replays > 0, "an order was there all along")
        assert load.tally.attempts > load.tally.orders


async def test_many_traders_on_two_accounts(world: World, experiment: Experiment) -> None:
    async with experiment.under_load(traders=2, at_once=64) as (load, _):
        world.part("trading").kill()
        await load.acknowledged_more(100)
    assert set(load.tally.refused.values()) <= {Reason.OPEN_ORDERS_LIMIT, *_MARKET}


async def test_a_clock_that_is_wrong_opens_nothing(world: World, experiment: Experiment) -> None:
    """Trading's clock jumps ahead by 5 s, or starts behind by them."""
    part = world.part("trading")
    async with experiment.under_load() as (load, _):
        try:
            for seconds in (5, -5):
                part.restart(VERITICK_FAILPOINTS=f"clock=offset:{seconds}")
                await world.well("trading")
                await load.opens_nothing(Reason.CLOCK_SKEWED, seconds=2)
        finally:
            part.restart(VERITICK_FAILPOINTS=None)
            experiment.cure()


_MARKET = {Reason.MARKET_VIEW_STALE, Reason.FEED_SILENT, Reason.TICK_TOO_OLD, Reason.CLOCK_SKEWED}


async def _open_account(direct: Load, user_id: UUID) -> None:
    request = OpenAccountsRequest(user_id=str(user_id))
    try:
        await AccountServiceStub(direct.channel).OpenAccounts(request, timeout=120)
    except grpc.aio.AioRpcError as error:
        raise failure_of(error) from error


async def _lead_to_whoever_is_well(world: World) -> None:
    """Do what a load balancer does."""

    async def found() -> bool:
        for replica in (0, 1):
            if await world.probe("trading", replica)():
                world.fronts["trading"].lead_to(world.address("trading", replica))
                return True
        return False

    await until(found, "one of the writers leads")
