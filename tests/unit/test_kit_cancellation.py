"""A task that is told to stop stops, though the driver lost the word."""

import asyncio
from contextlib import suppress

import pytest

from services.kit.database import keeping_cancellation


async def _work(started: asyncio.Event) -> str:
    with keeping_cancellation():
        started.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
    return "went on"


async def test_a_cancellation_that_was_swallowed_within_is_raised_at_the_end() -> None:
    started = asyncio.Event()
    working = asyncio.create_task(_work(started))
    await started.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


async def test_a_limit_of_time_within_is_not_mistaken_for_a_cancellation() -> None:
    with keeping_cancellation(), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)


async def test_a_task_that_is_being_stopped_may_still_tidy_up() -> None:
    tidied = asyncio.Event()

    async def tidy() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            with keeping_cancellation():
                await asyncio.sleep(0)
            tidied.set()

    working = asyncio.create_task(tidy())
    await asyncio.sleep(0)
    working.cancel()
    await asyncio.wait({working})
    assert tidied.is_set()
    assert working.cancelled()
