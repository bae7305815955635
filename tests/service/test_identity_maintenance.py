"""The switch of the whole platform: who turns it, and what is told of it."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from services.kit.reason import Reason
from services.kit.tokens import USER_AUDIENCE
from services.kit.wire import to_timestamp
from tests.service.identity_server import Identity, bearer, refused
from tests.waiting import PATIENCE_SECONDS
from veritick.identity.v1.audit_service_pb2 import ListAuditRecordsRequest
from veritick.identity.v1.maintenance_service_pb2 import (
    GetMaintenanceRequest,
    Maintenance,
    SetMaintenanceRequest,
)
from veritick.identity.v1.maintenance_service_pb2_grpc import MaintenanceServiceStub

if TYPE_CHECKING:
    from veritick.identity.v1.maintenance_service_pb2_grpc import MaintenanceServiceAsyncStub

pytest_plugins = ["tests.service.identity_fixtures"]

STAFF = "0199a1b2-0000-7000-8000-000000000001"
NOW = SetMaintenanceRequest(active=True, note="Back at noon.")


def staff(
    identity: Identity, *permissions: str, minutes_ago: int = 0
) -> tuple[tuple[str, str], ...]:
    now = identity.clock.now()
    proven = int((now - timedelta(minutes=minutes_ago)).timestamp())
    claims = {"aud": USER_AUDIENCE, "sub": STAFF, "sid": STAFF, "auth_time": proven}
    return bearer(
        identity.keyring.sign({**claims, "perm": [*permissions]}, timedelta(minutes=5), now)
    )


@pytest.fixture
def switch(identity: Identity) -> MaintenanceServiceAsyncStub:
    stub: MaintenanceServiceAsyncStub = MaintenanceServiceStub(identity.anybody())
    return stub


async def present(switch: MaintenanceServiceAsyncStub) -> Maintenance:
    return (await switch.GetMaintenance(GetMaintenanceRequest())).maintenance


async def test_staff_turn_it_on_and_off_and_everybody_is_told(
    identity: Identity, switch: MaintenanceServiceAsyncStub
) -> None:
    assert await present(switch) == Maintenance()
    metadata = staff(identity, "maintenance.write")
    end = to_timestamp(identity.clock.now() + timedelta(hours=1))
    wanted = SetMaintenanceRequest(active=True, note="Back at noon.", end_time=end)
    set_ = (await switch.SetMaintenance(wanted, metadata=metadata)).maintenance
    assert (set_.active, set_.note, set_.end_time) == (True, "Back at noon.", end)
    assert await present(switch) == set_
    await switch.SetMaintenance(SetMaintenanceRequest(), metadata=metadata)
    assert not (await present(switch)).active


async def test_who_turned_it_is_on_record(
    identity: Identity, switch: MaintenanceServiceAsyncStub
) -> None:
    await switch.SetMaintenance(NOW, metadata=staff(identity, "maintenance.write"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while identity.rows("SELECT count(*) FROM audit_record") < [(1,)]:
            await asyncio.sleep(0.02)
    request = ListAuditRecordsRequest(filter="action=maintenance.set")
    found = await identity.audit.ListAuditRecords(request, metadata=staff(identity, "audit.read"))
    (record,) = found.records
    assert record.actor == f"user:{STAFF}"
    assert json.loads(record.before)["active"] is False
    assert json.loads(record.after)["note"] == "Back at noon."


async def test_nobody_else_turns_it(
    identity: Identity, switch: MaintenanceServiceAsyncStub
) -> None:
    for metadata, reason in (
        ((), Reason.UNAUTHENTICATED),
        (staff(identity, "instruments.write"), Reason.PERMISSION_DENIED),
        (staff(identity, "maintenance.write", minutes_ago=11), Reason.CONFIRMATION_REQUIRED),
    ):
        with refused(reason):
            await switch.SetMaintenance(NOW, metadata=metadata)
    assert not (await present(switch)).active


async def test_an_end_lies_in_the_future(
    identity: Identity, switch: MaintenanceServiceAsyncStub
) -> None:
    wanted = SetMaintenanceRequest(active=True, end_time=to_timestamp(identity.clock.now()))
    with refused(Reason.INVALID_REQUEST) as caught:
        await switch.SetMaintenance(wanted, metadata=staff(identity, "maintenance.write"))
    assert caught.fields == ["end_time"]
