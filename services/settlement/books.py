"""The books that trading serves, each with its worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from services.kit.errors import Failure
from services.settlement.neighbours import Trading
from services.settlement.worker import Worker

_ASK_EVERY_SECONDS = 10.0
_RETRY_SECONDS = 0.5
_log = structlog.stdlib.get_logger()


class Books:
    """Keeps one worker for each book; a book that appears later gets one then."""

    def __init__(self, trading: Trading, worker_of: Callable[[str], Worker]) -> None:
        """Make workers for the books that trading names."""
        self._trading = trading
        self._worker_of = worker_of
        self._known: set[str] = set()

    @property
    def known(self) -> bool:
        """Whether trading has named any book yet."""
        return bool(self._known)

    async def run(self) -> None:
        """Work for ever; an error of a worker that is no outage ends all."""
        async with asyncio.TaskGroup() as group:
            while True:
                pause = _RETRY_SECONDS
                try:
                    books = await self._trading.books()
                except Failure as failure:
                    _log.warning("trading is away", reason=failure.reason)
                else:
                    pause = _ASK_EVERY_SECONDS
                    for book in sorted(set(books) - self._known):
                        self._known.add(book)
                        group.create_task(self._worker_of(book).run(), name=f"worker:{book}")
                await asyncio.sleep(pause)
