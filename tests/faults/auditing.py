"""The platform's own auditor, asked while everything is hurt and when it is well again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import grpc

from services.kit.channels import Channels
from services.kit.clock import SystemClock
from tests.faults.world import WELL_SECONDS, World
from veritick.trading.v1.audit_service_pb2 import AuditBookRequest, AuditReport
from veritick.trading.v1.audit_service_pb2_grpc import AuditServiceStub

_EVERY_SECONDS = 2.0
_AUDIT_SECONDS = 60.0


@asynccontextmanager
async def auditing(world: World) -> AsyncIterator[None]:
    """Audit what is new again and again while the block runs; whatever is found, is wrong.

    That an audit cannot be made at the moment is no wonder; that none could be made, would be.
    """
    reports: list[AuditReport] = []
    task = asyncio.create_task(_go_on(world, reports))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled():
        task.result()
    # It is well again by now, or will be.
    reports.append(await _audit_in_the_end(world))
    assert [said for report in reports for said in _said(report)] == []


async def assert_in_order(world: World) -> None:
    """The whole book keeps every invariant, and nothing was left unchecked.

    The command tells: it may take its time, where a call may not, and stands beside the service.
    """
    code, said = await asyncio.to_thread(world.audit)
    assert code == 0, said


async def _go_on(world: World, reports: list[AuditReport]) -> None:
    while True:
        with suppress(grpc.aio.AioRpcError):
            reports.append(await _audit(world))
        await asyncio.sleep(_EVERY_SECONDS)


async def _audit_in_the_end(world: World) -> AuditReport:
    deadline = time.monotonic() + WELL_SECONDS
    while True:
        try:
            return await _audit(world)
        except grpc.aio.AioRpcError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(_EVERY_SECONDS)


async def _audit(world: World) -> AuditReport:
    channels = Channels(world.operator_keys, SystemClock())
    report = AuditReport()
    async with channels.to("trading", world.ports.address("trading")) as channel:
        request = AuditBookRequest(book="demo")
        async for step in AuditServiceStub(channel).AuditBook(request, timeout=_AUDIT_SECONDS):
            report = step.report
    assert report.HasField("time")
    return report


def _said(report: AuditReport) -> list[str]:
    return [f"{f.invariant} {f.table} {f.row}: {f.problem}" for f in report.findings]
