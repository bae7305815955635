"""A server takes so many calls at once and no more, and goes on answering."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from services.kit.channels import failure_of
from services.kit.process import Application, serving
from services.kit.reason import Reason
from services.kit.settings import ServiceSettings
from services.kit.tokens import Keyring
from services.local.keys import ensure_keys
from tests.waiting import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.security

CALLS_MAX = 3


@pytest.fixture
async def health(tmp_path: Path) -> AsyncIterator[Any]:
    """A server of few calls, and what asks it how it is: once, or for as long as one listens."""
    ensure_keys(tmp_path)
    settings = ServiceSettings(mode="development", drain_seconds=0, calls_max=CALLS_MAX)
    application = Application(Keyring.load(tmp_path, "trading"))
    async with (
        serving("trading", settings, application) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        yield HealthStub(channel)


async def test_streams_without_end_are_bounded(health: Any) -> None:
    request = HealthCheckRequest()
    streams = [health.Watch(request) for _ in range(CALLS_MAX)]
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*(stream.read() for stream in streams))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await health.Check(request)
    assert failure_of(refused.value).reason is Reason.UNAVAILABLE
    streams[0].cancel()

    async def answered() -> bool:
        try:
            await health.Check(request)
        except grpc.aio.AioRpcError:
            return False
        return True

    await eventually(answered)
