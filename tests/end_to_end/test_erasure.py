"""Somebody who traded takes his data home and is erased: nothing is left of him but what counts."""

from __future__ import annotations

import asyncio
import csv
import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.kit.channels import Channels
from services.kit.clock import SystemClock
from services.kit.tokens import Keyring
from tests.end_to_end.test_proof import command, covering
from tests.end_to_end.traders import PASSWORD, Credentials, Trader, newcomer, trading
from tests.platform import Platform
from tests.waiting import PATIENCE_SECONDS
from veritick import Veritick, VeritickError
from veritick.identity.v1.audit_service_pb2 import (
    CheckAuditTrailRequest,
    ListAuditRecordsRequest,
)
from veritick.identity.v1.audit_service_pb2_grpc import AuditServiceStub as TrailStub
from veritick.identity.v1.erasure_pb2 import Erasure
from veritick.identity.v1.erasure_service_pb2 import (
    RequestErasureRequest,
    RequestErasureResponse,
)
from veritick.identity.v1.privacy_service_pb2 import ExportPersonalDataRequest
from veritick.trading.v1.audit_service_pb2 import AuditBookRequest
from veritick.trading.v1.audit_service_pb2_grpc import AuditServiceStub as BookStub
from veritick.trading.v1.order_pb2 import Order

if TYPE_CHECKING:
    from veritick.identity.v1.audit_service_pb2_grpc import AuditServiceAsyncStub as TrailAsyncStub
    from veritick.trading.v1.audit_service_pb2_grpc import AuditServiceAsyncStub as BookAsyncStub

pytestmark = [pytest.mark.platform, pytest.mark.timeout(240)]


async def archive(trader: Trader) -> dict[str, bytes]:
    data = [piece async for piece in trader.veritick.download(ExportPersonalDataRequest())]
    with zipfile.ZipFile(io.BytesIO(b"".join(data))) as files:
        return {name: files.read(name) for name in files.namelist()}


async def ask(trader: Trader) -> Erasure:
    return (await trader.veritick.call(RequestErasureRequest(), RequestErasureResponse)).erasure


async def erased(trail: TrailAsyncStub, user_id: str) -> None:
    """Wait until it is on record that a user was erased."""
    request = ListAuditRecordsRequest(filter=f"action=user.erase AND subject=user:{user_id}")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (await trail.ListAuditRecords(request)).records:
            await asyncio.sleep(0.5)


async def trade(platform: Platform, who: Credentials) -> Order:
    """Buy, be refused to be erased meanwhile, take everything home, and ask again."""
    async with trading(platform, who) as trader:
        order = await trader.buy()
        with pytest.raises(VeritickError) as refused:
            await ask(trader)
        assert refused.value.reason == "ERASURE_OBSTRUCTED"
        assert refused.value.metadata == {"obstacles": "OPEN_ORDERS"}
        closed = await trader.settled(order)
        files = await archive(trader)
        await ask(trader)
    exported = files[f"trading/demo/{trader.account.account_id}-orders.csv"].decode()
    assert [row["order_id"] for row in csv.DictReader(io.StringIO(exported))] == [order.order_id]
    assert who.email.encode() in files["profile.jsonl"]
    assert b"profile.jsonl" in files["README.txt"]
    return closed


async def test_who_is_erased_leaves_a_book_and_a_trail_in_order(
    platform: Platform, tmp_path: Path
) -> None:
    who = await newcomer(platform)
    order = await trade(platform, who)
    channels = Channels(
        Keyring.load(platform.home / "keys", "operator"),
        SystemClock(),
        deadline_seconds=PATIENCE_SECONDS,
    )
    async with (
        channels.to("identity", platform.ports.address("identity")) as identity,
        channels.to("trading", platform.ports.address("trading")) as books,
    ):
        trail: TrailAsyncStub = TrailStub(identity)
        book: BookAsyncStub = BookStub(books)
        await erased(trail, who.session.user_id)
        checked = await trail.CheckAuditTrail(CheckAuditTrailRequest())
        steps = [step async for step in book.AuditBook(AuditBookRequest(book="demo", full=True))]

    assert not checked.breaks
    assert steps[-1].HasField("report")
    assert steps[-1].report.findings_count == 0
    async with Veritick.connect(platform.url) as veritick:
        with pytest.raises(VeritickError) as refused:
            await veritick.log_in(who.email, PASSWORD)
        assert refused.value.reason == "INVALID_CREDENTIALS"
        sequence = (await veritick.receipt(order)).sequence
        await covering(veritick, sequence)
    part, wanted = str(tmp_path / "part.jsonl"), str(sequence)
    export = ("export", "--url", platform.url, "--from", wanted, "--to", wanted, part)
    written = await asyncio.to_thread(command, *export)
    assert written.returncode == 0, written.stderr
    verified = await asyncio.to_thread(command, "verify", part)
    assert verified.returncode == 0, verified.stderr
