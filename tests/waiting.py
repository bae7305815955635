"""Waiting for what happens: no test knows how long anything takes on a machine that may be slow."""

import asyncio
import time
from collections.abc import Awaitable, Callable

PATIENCE_SECONDS = 60.0
"""How long a test waits for what must happen. Nothing takes this long; what never comes fails."""

_LOOK_EVERY_SECONDS = 0.02


async def eventually(
    holds: Callable[[], Awaitable[bool]] | Callable[[], bool],
    patience_seconds: float = PATIENCE_SECONDS,
) -> None:
    """Wait until something holds; TimeoutError when it never does."""
    async with asyncio.timeout(patience_seconds):
        while not await _answer(holds()):
            await asyncio.sleep(_LOOK_EVERY_SECONDS)


def until(holds: Callable[[], bool], patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until something holds, where there is no event loop; TimeoutError as above."""
    deadline = time.monotonic() + patience_seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("it never came true")
        time.sleep(_LOOK_EVERY_SECONDS)


async def _answer(answer: Awaitable[bool] | bool) -> bool:
    return answer if isinstance(answer, bool) else await answer
