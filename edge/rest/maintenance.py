"""Maintenance: what identity says of it, asked every second, and which calls it stops."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
import structlog

from edge.rest.routes import Route
from services.kit.channels import failure_of
from services.kit.clock import Clock
from services.kit.errors import Failure
from services.kit.principal import Principal
from services.kit.reason import Reason
from services.kit.wire import to_datetime
from veritick.identity.v1.maintenance_service_pb2 import GetMaintenanceRequest, Maintenance
from veritick.identity.v1.maintenance_service_pb2_grpc import MaintenanceServiceStub

MONEY = frozenset({"trading"})
"""The services whose changes are stopped: those that move money."""

_ASK_EVERY_SECONDS = 1.0
_WAIT_MIN, _WAIT_MAX = timedelta(seconds=60), timedelta(hours=1)
_log = structlog.stdlib.get_logger()


def is_stopped(route: Route) -> bool:
    """Tell whether maintenance stops a call: one that may change what somebody has."""
    return route.binding.target in MONEY and not route.rpc.reads


class MaintenanceWatch:
    """Knows whether the platform is under maintenance.

    While identity is away, what it said last counts; before it has said anything, nothing is
    stopped: who asks for maintenance asks identity.
    """

    def __init__(self, channel: grpc.aio.Channel, clock: Clock) -> None:
        """Ask over this channel."""
        self._stub = MaintenanceServiceStub(channel)
        self._clock = clock
        self._told = Maintenance()

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            await self.ask()
            await asyncio.sleep(_ASK_EVERY_SECONDS)

    async def ask(self) -> None:
        """Ask once."""
        request = GetMaintenanceRequest()
        try:
            answer = await self._stub.GetMaintenance(request, timeout=_ASK_EVERY_SECONDS)
        except grpc.aio.AioRpcError as error:
            _log.debug("identity is away", reason=failure_of(error).reason)
            return
        if answer.maintenance.active != self._told.active:
            _log.warning("maintenance", active=answer.maintenance.active)
        self._told = answer.maintenance

    def require_none(self, principal: Principal) -> None:
        """Raise MAINTENANCE while there is one; staff, who look whether all is well, pass."""
        if not self._told.active or principal.permissions:
            return
        wait, metadata = _WAIT_MIN, {"note": self._told.note} if self._told.note else {}
        if self._told.HasField("end_time"):
            end = to_datetime(self._told.end_time)
            metadata["end_time"] = self._told.end_time.ToJsonString()
            wait = min(max(end - self._clock.now(), _WAIT_MIN), _WAIT_MAX)
        message = "The platform is under maintenance."
        raise Failure(Reason.MAINTENANCE, message, metadata=metadata, retry_after=wait)
