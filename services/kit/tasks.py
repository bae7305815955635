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
    waiting = {task for task in tasks if not task.done()}
    while waiting:
        for task in waiting:
            task.cancel()
        ended, waiting = await asyncio.wait(waiting, timeout=again)
        await asyncio.gather(*ended, return_exceptions=True)
