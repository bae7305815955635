"""The REST edge over HTTP, in front of services that answer over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from edge.rest.app import build
from edge.rest.server import serving as serving_http
from edge.settings import RestSettings
from services.kit.clock import SystemClock
from services.kit.process import Application, Face, serving
from services.kit.settings import ServiceSettings
from services.kit.tokens import Keyring
from tests.revoked import Revoked
from tests.service.edge_rest_rpc import ApiKeys, Identity, Kyc, Quotes, Switch, Trading
from tests.waiting import PATIENCE_SECONDS, eventually
from veritick.identity.v1.api_key_service_pb2_grpc import add_ApiKeyServiceServicer_to_server
from veritick.identity.v1.auth_service_pb2_grpc import add_AuthServiceServicer_to_server
from veritick.identity.v1.kyc_service_pb2_grpc import add_KycServiceServicer_to_server
from veritick.identity.v1.maintenance_service_pb2_grpc import (
    add_MaintenanceServiceServicer_to_server,
)
from veritick.identity.v1.profile_service_pb2_grpc import add_ProfileServiceServicer_to_server
from veritick.identity.v1.revocation_service_pb2_grpc import (
    add_RevocationServiceServicer_to_server,
)
from veritick.quotes.v1.instrument_service_pb2_grpc import add_InstrumentServiceServicer_to_server
from veritick.trading.v1.account_service_pb2_grpc import add_AccountServiceServicer_to_server
from veritick.trading.v1.order_service_pb2_grpc import add_OrderServiceServicer_to_server
from veritick.trading.v1.report_service_pb2_grpc import add_ReportServiceServicer_to_server

USER = "0199a1b2-0000-7000-8000-000000000001"
ACCOUNT = "demo_0199a1b2-0000-7000-8000-00000000000a"
NOWHERE = "127.0.0.1:1"
COOKIES = {"Veritick-Session": "cookie", "Sec-Fetch-Site": "same-origin"}
"""What our own pages send."""


@dataclass
class World:
    """Services, and where they and the keys are."""

    keys: Path
    address: str
    identity: Identity
    kyc: Kyc
    quotes: Quotes
    trading: Trading
    revoked: Revoked
    api_keys: ApiKeys
    switch: Switch

    def bearer(self, *permissions: str, user: str = USER) -> dict[str, str]:
        """Return the header of a signed-in program."""
        return {"Authorization": f"Bearer {self.identity.token(user, *permissions)}"}

    def settings(self, **changes: Any) -> RestSettings:
        """Return settings of an edge in front of these services."""
        values: dict[str, Any] = {
            "mode": "development",
            "http_listen": "127.0.0.1:0",
            "keys": self.keys,
            "drain_seconds": 1,
            **{f"{name}_address": self.address for name in ("identity", "quotes", "trading")},
            "settlement_address": self.address,
        }
        return RestSettings(**(values | changes))


@asynccontextmanager
async def running_world(keys: Path, others: Sequence[Face] | None = None) -> AsyncIterator[World]:
    """Run services of one's own: those below, or others in their place."""
    keyring = Keyring.load(keys, "identity")
    identity = Identity(keyring, SystemClock())  # type: ignore[abstract]
    kyc = Kyc()  # type: ignore[abstract]
    quotes, trading = Quotes(), Trading()  # type: ignore[abstract]
    revoked = Revoked()
    api_keys = ApiKeys(identity)  # type: ignore[abstract]
    switch = Switch()  # type: ignore[abstract]
    faces: list[Face] = [
        (add_AuthServiceServicer_to_server, identity),
        (add_ProfileServiceServicer_to_server, identity),
        (add_KycServiceServicer_to_server, kyc),
        (add_InstrumentServiceServicer_to_server, quotes),
        (add_AccountServiceServicer_to_server, trading),
        (add_OrderServiceServicer_to_server, trading),
        (add_ReportServiceServicer_to_server, trading),
        (add_RevocationServiceServicer_to_server, revoked),
        (add_ApiKeyServiceServicer_to_server, api_keys),
        (add_MaintenanceServiceServicer_to_server, switch),
    ]
    settings = ServiceSettings(mode="development", drain_seconds=0)
    async with serving("identity", settings, Application(keyring, others or faces)) as running:
        yield World(
            keys, running.address, identity, kyc, quotes, trading, revoked, api_keys, switch
        )


@asynccontextmanager
async def running_edge(settings: RestSettings) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an edge on a real port, and yield a client of it once it has found its services."""
    async with (
        build(settings) as app,
        serving_http(settings, app) as address,
        httpx.AsyncClient(base_url=f"http://{address}", timeout=PATIENCE_SECONDS) as client,
    ):
        if NOWHERE not in settings.addresses.values():
            await eventually(lambda: _is_ready(client))
        yield client


async def _is_ready(client: httpx.AsyncClient) -> bool:
    return (await client.get("/readyz")).status_code == HTTPStatus.OK


def order(**changes: Any) -> dict[str, Any]:
    """Return an order as JSON."""
    return {
        "requestId": str(uuid4()),
        "instrument": "BTCUSD",
        "direction": "UP",
        "stake": {"currencyCode": "USD", "minorUnits": "1000"},
        "durationSeconds": 10,
    } | changes
