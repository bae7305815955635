"""Somebody who comes again and again as people do: by REST and the socket, with a password.

Each time he signs in like from a new place, buys, sees how it ended and gets the receipt. All the
while he stays signed in elsewhere as well, with tokens that are renewed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar
from uuid import uuid4

from tests.faults.load import INSTRUMENT, STAKE
from tests.faults.world import WELL_SECONDS, World, until_true
from veritick import Veritick, VeritickError
from veritick.identity.v1.auth_service_pb2 import RefreshSessionRequest, RefreshSessionResponse
from veritick.identity.v1.user_pb2 import Session

_PASSWORD = "a long passphrase of a visitor"
_SECONDS = 5
_AGAIN_SECONDS = 0.2
_VALID_FOR = timedelta(seconds=WELL_SECONDS)
T = TypeVar("T")


@dataclass
class Visitor:
    """Who comes, and how often he has."""

    world: World
    email: str
    visits: int = 0

    async def came_again(self) -> None:
        """Wait until a visit that begins from now on is over."""
        wanted = self.visits + 2
        await until_true(lambda: self.visits >= wanted, "a visitor comes again", 2 * WELL_SECONDS)

    async def come(self, stay: Session) -> None:
        """Come until cancelled; `stay` is the session elsewhere."""
        async with self._edge() as elsewhere:
            while True:
                await self._visit()
                stay = await _renewed(elsewhere, stay)
                self.visits += 1

    async def begin(self) -> Session:
        """Register, and sign in for the session that stays."""
        async with self._edge() as edge:
            return await patiently(lambda: edge.log_in(self.email, _PASSWORD, register=True))

    async def _visit(self) -> None:
        async with self._edge() as edge:
            await patiently(lambda: edge.log_in(self.email, _PASSWORD))
            account = await patiently(edge.account)
            order = await patiently(
                lambda: edge.place(
                    account,
                    INSTRUMENT,
                    "UP",
                    stake_minor_units=STAKE,
                    duration_seconds=_SECONDS,
                    valid_for=_VALID_FOR,
                )
            )
            closed = await patiently(lambda: edge.settled(order))
            receipt = await patiently(lambda: edge.receipt(closed))
            assert receipt.order_id == order.order_id
            await patiently(edge.log_out)

    def _edge(self) -> Veritick:
        machine = self.world.machine
        return Veritick.connect(machine.url, stream_url=machine.stream_url)


@asynccontextmanager
async def visiting(world: World) -> AsyncIterator[Visitor]:
    """Let somebody come for as long as the block lasts; whatever is refused to him, is wrong."""
    visitor = Visitor(world, f"visitor-{uuid4().hex}@example.com")
    stay = await visitor.begin()
    async with asyncio.TaskGroup() as group:
        coming = group.create_task(visitor.come(stay))
        yield visitor
        coming.cancel()


async def _renewed(edge: Veritick, session: Session) -> Session:
    request = RefreshSessionRequest(refresh_token=session.refresh_token)
    answer = await patiently(lambda: edge.call(request, RefreshSessionResponse))
    return answer.session


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Make a call again for as long as the contract says that this may help."""
    deadline = time.monotonic() + WELL_SECONDS
    while True:
        try:
            return await call()
        except VeritickError as error:
            if time.monotonic() > deadline or not (error.retryable or _is_late(error)):
                raise
        await asyncio.sleep(_AGAIN_SECONDS)


def _is_late(error: VeritickError) -> bool:
    """Whether it tells only that something else has not happened yet."""
    return error.reason in {"RECEIPT_NOT_FOUND", "ACCOUNT_NOT_FOUND"}
