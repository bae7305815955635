"""In production a server tells of itself on a port apart, and there to operators only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_channelz.v1.channelz_pb2 import GetServersRequest
from grpc_channelz.v1.channelz_pb2_grpc import ChannelzStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from services.kit.channels import failure_of
from services.kit.clock import ManualClock, SystemClock, utc
from services.kit.process import Application, Running, serving
from services.kit.reason import Reason
from services.kit.revocations import Revocations
from services.kit.settings import ServiceSettings
from services.kit.tokens import USER_AUDIENCE, Keyring
from services.local.keys import ensure_keys
from tests.service.kit_rpc import HeardElsewhere

pytestmark = pytest.mark.security

NOON = utc(2026, 11, 23, 12)
MINUTE = timedelta(minutes=1)
USER = "0199a1b2-0000-7000-8000-000000000001"
STAFF, TRADER = ["instruments.write"], list[str]()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    ensure_keys(folder)
    return folder


@asynccontextmanager
async def production(keys: Path, **changes: Any) -> AsyncIterator[tuple[Running, Revocations]]:
    settings = ServiceSettings(mode="production", drain_seconds=0, **changes)
    revocations = Revocations(SystemClock())
    revocations.heard()
    keyring = Keyring.load(keys, "trading")
    application = Application(keyring, revocations=HeardElsewhere(revocations))
    async with serving("trading", settings, application, ManualClock(NOON)) as running:
        yield running, revocations


def user(keys: Path, permissions: list[str]) -> str:
    claims = {"aud": USER_AUDIENCE, "sub": USER, "sid": USER, "perm": permissions}
    return Keyring.load(keys, "identity").sign(claims, MINUTE, NOON)


def bearer(token: str | None) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),) if token else ()


async def reflected(channel: Any, token: str | None) -> list[str]:
    stub: Any = ServerReflectionStub(channel)
    requests: Iterator[ServerReflectionRequest] = iter([ServerReflectionRequest(list_services="")])
    async for answer in stub.ServerReflectionInfo(requests, metadata=bearer(token)):
        return [service.name for service in answer.list_services_response.service]
    return []


async def connected(channel: Any, token: str | None) -> int:
    stub: Any = ChannelzStub(channel)
    return len((await stub.GetServers(GetServersRequest(), metadata=bearer(token))).server)


async def reason(call: Any) -> Reason:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return failure_of(caught.value).reason


async def test_operators_are_told(keys: Path) -> None:
    async with (
        production(keys, admin_listen="127.0.0.1:0") as (running, _),
        grpc.aio.insecure_channel(str(running.admin_address)) as admin,
    ):
        service = Keyring.load(keys, "operator").service_token("trading", NOON)
        for token in (service, user(keys, STAFF)):
            assert "grpc.channelz.v1.Channelz" in await reflected(admin, token)
            assert await connected(admin, token) > 0


async def test_others_are_not(keys: Path) -> None:
    async with (
        production(keys, admin_listen="127.0.0.1:0") as (running, revocations),
        grpc.aio.insecure_channel(str(running.admin_address)) as admin,
    ):
        elsewhere = Keyring.load(keys, "operator").service_token("quotes", NOON)
        for token, expected in (
            (None, Reason.UNAUTHENTICATED),
            ("forged", Reason.UNAUTHENTICATED),
            (elsewhere, Reason.UNAUTHENTICATED),
            (user(keys, TRADER), Reason.PERMISSION_DENIED),
        ):
            assert await reason(reflected(admin, token)) is expected
            assert await reason(connected(admin, token)) is expected
        revocations.end(USER, NOON + MINUTE)
        assert await reason(reflected(admin, user(keys, STAFF))) is Reason.SESSION_ENDED


@pytest.mark.parametrize("changes", [{}, {"admin_listen": "127.0.0.1:0"}])
async def test_the_port_that_everybody_reaches_says_nothing(
    keys: Path, changes: dict[str, str]
) -> None:
    async with (
        production(keys, **changes) as (running, _),
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        for token in (None, user(keys, STAFF)):
            assert await reason(reflected(channel, token)) is Reason.UNIMPLEMENTED
            assert await reason(connected(channel, token)) is Reason.UNIMPLEMENTED


async def test_in_development_everybody_is_told(keys: Path) -> None:
    settings = ServiceSettings(mode="development", drain_seconds=0)
    application = Application(Keyring.load(keys, "trading"))
    async with (
        serving("trading", settings, application) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        assert "grpc.health.v1.Health" in await reflected(channel, None)
        assert await connected(channel, None) > 0
