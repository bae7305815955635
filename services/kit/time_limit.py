"""A limit on how long each of many tasks may take, kept by one timer instead of one for each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any, TypeVar

Result = TypeVar("Result")


class TimeLimit:
    """Lets work take so many seconds, for as many tasks at once as there are."""

    def __init__(self, seconds: float) -> None:
        """Allow so many seconds."""
        self._seconds = seconds
        self._begun: dict[asyncio.Task[Any], float] = {}
        """When each began: all may take as long, so the first is the first due."""

        self._timer: asyncio.TimerHandle | None = None

    async def within(self, work: Awaitable[Result]) -> Result:
        """Return what the work does; one that takes longer is cancelled and raises TimeoutError.

        A task waits for one at a time.
        """
        task: Any = asyncio.current_task()
        self._begun[task] = time.monotonic()
        if self._timer is None:
            self._wake_after(self._seconds)
        try:
            return await work
        except asyncio.CancelledError as error:
            if task in self._begun or task.cancelling() > 1:
                raise  # somebody else wants it to end
            raise TimeoutError from error
        finally:
            if self._begun.pop(task, None) is None:
                task.uncancel()

    def _end_those_due(self) -> None:
        self._timer = None
        now = time.monotonic()
        for task, begun in list(self._begun.items()):
            if (left := begun + self._seconds - now) > 0:
                self._wake_after(left)
                return
            del self._begun[task]
            task.cancel()

    def _wake_after(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, self._end_those_due)
