"""MaintenanceService: the switch of the whole platform."""

from typing import Any

from services.identity.maintenance import Maintenance, MaintenanceSwitch
from services.kit.wire import to_datetime, to_timestamp
from veritick.identity.v1 import maintenance_service_pb2 as maintenance_pb
from veritick.identity.v1.maintenance_service_pb2_grpc import (
    MaintenanceServiceServicer,
    add_MaintenanceServiceServicer_to_server,
)

add_maintenance_face = add_MaintenanceServiceServicer_to_server


class MaintenanceFace(MaintenanceServiceServicer):
    """Tells how it is, and turns it."""

    def __init__(self, switch: MaintenanceSwitch) -> None:
        self._switch = switch

    async def GetMaintenance(
        self, request: maintenance_pb.GetMaintenanceRequest, context: Any
    ) -> maintenance_pb.GetMaintenanceResponse:
        return maintenance_pb.GetMaintenanceResponse(maintenance=_shown(await self._switch.now()))

    async def SetMaintenance(
        self, request: maintenance_pb.SetMaintenanceRequest, context: Any
    ) -> maintenance_pb.SetMaintenanceResponse:
        ends_at = to_datetime(request.end_time) if request.HasField("end_time") else None
        now = await self._switch.set(active=request.active, note=request.note, ends_at=ends_at)
        return maintenance_pb.SetMaintenanceResponse(maintenance=_shown(now))


def _shown(now: Maintenance) -> maintenance_pb.Maintenance:
    return maintenance_pb.Maintenance(
        active=now.active,
        note=now.note,
        end_time=to_timestamp(now.ends_at) if now.ends_at else None,
        change_time=to_timestamp(now.changed_at) if now.changed_at else None,
    )
