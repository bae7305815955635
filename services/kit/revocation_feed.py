"""Hears from identity what was taken back, and remembers it in `Revocations`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import structlog

from services.kit.channels import Channels, failure_of
from services.kit.clock import Clock
from services.kit.revocations import Revocations
from services.kit.settings import ServiceSettings
from services.kit.wire import to_datetime
from veritick.identity.v1.revocation_service_pb2 import (
    Revocation,
    WatchRevocationsRequest,
    WatchRevocationsResponse,
)
from veritick.identity.v1.revocation_service_pb2_grpc import RevocationServiceStub

_PAUSE_SECONDS = 0.2
# Identity says something every second.
_SILENCE_SECONDS_MAX = 5.0
_log = structlog.stdlib.get_logger()


class RevocationFeed:
    """Keeps revocations up to date, over a channel to identity."""

    def __init__(self, channel: grpc.aio.Channel, revocations: Revocations) -> None:
        self._stub = RevocationServiceStub(channel)
        self.revocations = revocations
        self._complete = False

    async def run(self) -> None:
        """Listen for ever; each time anew from a full account, so that nothing is missed."""
        reason = ""
        while True:
            try:
                await self._listen()
                now = "it ended the stream"
            except grpc.aio.AioRpcError as error:
                now = str(failure_of(error))
            except TimeoutError:
                now = "it is silent"
            if now != reason or self._complete:
                _log.warning("identity is away", reason=now)
            reason, self._complete = now, False
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _listen(self) -> None:
        call = self._stub.WatchRevocations(WatchRevocationsRequest())
        try:
            while True:
                async with asyncio.timeout(_SILENCE_SECONDS_MAX):
                    response = await call.read()
                if not isinstance(response, WatchRevocationsResponse):
                    return
                self._take(response)
        finally:
            call.cancel()

    def _take(self, response: WatchRevocationsResponse) -> None:
        for revocation in response.revocations:
            apply(revocation, self.revocations)
        self._complete |= response.snapshot_complete
        if self._complete:
            self.revocations.heard()


@asynccontextmanager
async def revocation_feed(
    settings: ServiceSettings, channels: Channels, clock: Clock
) -> AsyncIterator[RevocationFeed | None]:
    """Yield the feed of a process, to be run as one of its tasks.

    None without an identity to hear from, where tokens count until they expire; production does
    not start so.
    """
    address = settings.identity_address
    if address is None and settings.mode == "development":
        yield None
        return
    async with channels.to("identity", address or settings.required("identity_address")) as channel:
        yield RevocationFeed(channel, Revocations(clock))


def apply(revocation: Revocation, revocations: Revocations) -> None:
    """Remember one thing that was taken back."""
    until = to_datetime(revocation.until_time)
    match revocation.WhichOneof("what"):
        case "grant_id":
            revocations.end(revocation.grant_id, until)
        case "authority":
            authority = revocation.authority
            revocations.outdate(authority.user_id, authority.version, until)
