"""How tasks are brought to their end."""

import asyncio
from collections.abc import Iterable

_AGAIN_SECONDS = 0.2


async def end_tasks(tasks: Iterable[asyncio.Task[None]], again: float = _AGAIN_SECONDS) -> None:
    """Cancel tasks until they have ended, again after so many seconds.

    Once is not enough: a client library may take a cancellation for a timeout of its own and go
    on, and before Python 3.12 `asyncio.wait_for`, through which the driver waits for the database,
    loses one that arrives together with its result. What a task failed with was its own affair.
    """
    all_tasks = list(tasks)
    waiting = {task for task in all_tasks if not task.done()}
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=again)
    # Also of those that had failed before: nobody else asks them what with.
    await asyncio.gather(*all_tasks, return_exceptions=True)
