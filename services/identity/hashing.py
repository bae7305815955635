"""Password hashing with argon2id, in a few threads of its own so that the event loop goes on.

A hash takes tens of milliseconds and megabytes on purpose. The threads bound how many are made at
a time, `waiting_max` bounds how many callers may wait for them; beyond that they are told to come
back, since an answer in a minute would help nobody.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from threading import BoundedSemaphore
from typing import Self, TypeVar

import argon2
from argon2.exceptions import VerifyMismatchError

from services.identity.password import normalised
from services.kit.errors import Failure
from services.kit.reason import Reason

_RETRY_AFTER = timedelta(seconds=1)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one hash costs: argon2id's parameters."""

    memory_kib: int
    iterations: int
    lanes: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password fits, and the hash to store instead when the cost has changed."""

    fits: bool
    new_hash: str | None = None


class PasswordHasher:
    """Makes and checks password hashes; open it with `opened`."""

    def __init__(self, cost: Cost, *, threads: int, waiting_max: int) -> None:
        """Prepare at most `threads` threads; `waiting_max` more callers may wait."""
        self._argon2 = argon2.PasswordHasher(
            time_cost=cost.iterations, memory_cost=cost.memory_kib, parallelism=cost.lanes
        )
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._places = BoundedSemaphore(threads + waiting_max)
        # What the password of nobody is checked against, so that it takes as long as anybody's.
        self._nobodys = self._argon2.hash("the password of nobody")

    @classmethod
    @asynccontextmanager
    async def opened(cls, cost: Cost, *, threads: int, waiting_max: int) -> AsyncIterator[Self]:
        """Yield a hasher and stop its threads afterwards."""
        hasher = cls(cost, threads=threads, waiting_max=waiting_max)
        try:
            yield hasher
        finally:
            hasher._threads.shutdown(cancel_futures=True)

    async def hash(self, password: str) -> str:
        """Return a new hash of a password. Failure UNAVAILABLE when too many wait."""
        return await self._run(lambda: self._argon2.hash(normalised(password)))

    async def check(self, password: str, stored: str | None) -> Verdict:
        """Check a password against a stored hash; None, for an unknown user, fits never.

        Both take the same time. Failure UNAVAILABLE when too many wait.
        """
        return await self._run(lambda: self._check(normalised(password), stored))

    def _check(self, password: str, stored: str | None) -> Verdict:
        try:
            self._argon2.verify(stored or self._nobodys, password)
        except VerifyMismatchError:
            return Verdict(fits=False)
        if stored is None:
            return Verdict(fits=False)
        if self._argon2.check_needs_rehash(stored):
            return Verdict(fits=True, new_hash=self._argon2.hash(password))
        return Verdict(fits=True)

    async def _run(self, work: Callable[[], Result]) -> Result:
        if not self._places.acquire(blocking=False):
            raise Failure(
                Reason.UNAVAILABLE,
                "Too many people sign in at this moment.",
                metadata={"part": "password hashing"},
                retry_after=_RETRY_AFTER,
            )
        future = self._threads.submit(work)
        # The place of a caller who gave up is free when his thread is, not before.
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)
