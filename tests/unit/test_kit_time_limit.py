"""Work that takes too long ends, and only that: as `asyncio.timeout` has it."""

import asyncio
from contextlib import suppress

import pytest

from services.kit.time_limit import TimeLimit

LONG = 3_600.0
SHORT = 0.01


async def forever() -> None:
    await asyncio.Event().wait()


async def test_work_that_is_done_in_time_says_what_it_did() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    assert await TimeLimit(LONG).within(work()) == "done"


async def test_work_that_fails_fails_as_it_does() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await TimeLimit(LONG).within(fail())


async def test_work_that_takes_too_long_is_cancelled() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await forever()
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        await TimeLimit(SHORT).within(work())
    assert ended.is_set()


async def test_who_ran_out_of_time_is_not_cancelled_for_good() -> None:
    limit = TimeLimit(SHORT)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await limit.within(forever())
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_one_limit_ends_each_of_many_tasks_and_leaves_those_that_are_done() -> None:
    limit = TimeLimit(SHORT)
    tasks = [asyncio.create_task(limit.within(forever())) for _ in range(20)]
    tasks += [asyncio.create_task(limit.within(asyncio.sleep(0))) for _ in range(20)]
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [TimeoutError] * 20 + [type(None)] * 20


async def test_time_counts_from_when_each_began() -> None:
    limit = TimeLimit(SHORT)
    for _ in range(3):
        # The timer of the one before is still set, or has just found nothing due.
        await limit.within(asyncio.sleep(0))
        with pytest.raises(TimeoutError):
            await limit.within(forever())


async def test_what_somebody_else_cancels_is_cancelled() -> None:
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        await forever()

    task = asyncio.create_task(TimeLimit(LONG).within(work()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_somebody_else_cancels_when_its_time_is_over_too_is_cancelled() -> None:
    over = asyncio.Event()

    async def work() -> None:
        with suppress(asyncio.CancelledError):
            await forever()
        over.set()
        await forever()

    task = asyncio.create_task(TimeLimit(SHORT).within(work()))
    await over.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_work_that_will_not_be_cancelled_may_finish() -> None:
    async def work() -> str:
        with suppress(asyncio.CancelledError):
            await forever()
        return "done all the same"

    assert await TimeLimit(SHORT).within(work()) == "done all the same"
