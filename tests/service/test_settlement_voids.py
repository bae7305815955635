"""Staff voids: two people give up on a price that nobody can fix, for everybody alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest

from services.kit.channels import failure_of
from services.kit.clock import SystemClock
from services.kit.database import Database
from services.kit.errors import Failure
from services.kit.leader import Term
from services.kit.reason import Reason
from services.kit.tokens import Keyring
from services.kit.wire import to_timestamp
from services.settlement.decisions import Decisions
from services.settlement.fixing import Fixing, Point, Tick, VoidReason
from services.settlement.fixings import Fixings, store_fixings
from services.settlement.outcome import Direction, DueOrder, decide
from tests.service.settlement_world import ENTRY, Settlement, World
from tests.service.trading_fixtures import CHIPS, SYMBOL
from veritick.settlement.v1 import void_service_pb2 as void_pb
from veritick.settlement.v1.receipt_service_pb2 import ReceiptCheck, VerifyReceiptRequest
from veritick.settlement.v1.void_service_pb2_grpc import VoidServiceStub
from veritick.type.v1.staff_proposal_pb2 import StaffProposal

pytest_plugins = ["tests.service.settlement_fixtures"]

PROPOSE, APPROVE = "settlement.void.propose", "settlement.void.approve"
Metadata = tuple[tuple[str, str], ...]


@dataclass
class Staff:
    """Who may void, at a settlement that runs."""

    world: World
    settlement: Settlement
    stub: Any

    def signed_in(self, *permissions: str, person: str | None = None) -> Metadata:
        claims = {"sub": person or str(uuid4()), "aud": "veritick", "perm": permissions}
        keyring = Keyring.load(self.world.keys, "identity")
        token = keyring.sign(claims, timedelta(minutes=15), SystemClock().now())
        return (("authorization", f"Bearer {token}"),)

    async def propose(
        self, time: datetime, symbol: str = SYMBOL, who: Metadata | None = None
    ) -> void_pb.Void:
        request = void_pb.ProposeVoidRequest(
            request_id=str(uuid4()),
            instrument=symbol,
            time=to_timestamp(time),
            reason="quotes is lost with its data centre",
        )
        answer = await self.stub.ProposeVoid(request, metadata=who or self.signed_in(PROPOSE))
        assert isinstance(answer.void, void_pb.Void)
        return answer.void

    async def approve(self, void: void_pb.Void, who: Metadata | None = None) -> void_pb.Void:
        request = void_pb.ApproveVoidRequest(void_id=void.void_id)
        answer = await self.stub.ApproveVoid(request, metadata=who or self.signed_in(APPROVE))
        assert isinstance(answer.void, void_pb.Void)
        return answer.void


@asynccontextmanager
async def staff_of(world: World) -> AsyncIterator[Staff]:
    async with world.settlement() as settlement:
        channel = grpc.aio.insecure_channel(settlement.address)
        async with channel:
            yield Staff(world, settlement, VoidServiceStub(channel))


async def refusal(call: Awaitable[Any]) -> Reason:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return failure_of(refused.value).reason


async def stranded(world: World, symbol: str = SYMBOL, seconds: int = 10) -> tuple[str, datetime]:
    """Open an order, and let quotes be lost before it expires."""
    world.bench.market.tick(ENTRY, symbol)
    order = await world.order(instrument=symbol, duration_seconds=seconds)
    return order, world.expiry(seconds)


def lose_quotes(world: World) -> None:
    world.script.silent = world.script.away = True


async def test_what_two_people_void_closes_for_everybody_alike(world: World) -> None:
    async with staff_of(world) as staff:
        first, expiry = await stranded(world)
        second, _ = await stranded(world)
        later, _ = await stranded(world, seconds=30)
        other, _ = await stranded(world, "ETHUSD")
        lose_quotes(world)
        pending = await staff.propose(expiry)
        assert await world.outcomes() == {}
        done = await staff.approve(pending)
        assert done.proposal.state == StaffProposal.EXECUTED
        await world.receipts(2)
        assert await world.outcomes() == {first: "VOID", second: "VOID"}
        receipt = await staff.settlement.receipt(first)
        assert receipt["fixing"]["voidReason"] == "VOIDED_BY_STAFF"
        assert receipt["returned"] == receipt["stake"]
        answer = await staff.settlement.stub.VerifyReceipt(VerifyReceiptRequest(order_id=first))
        failed = [check for check in answer.checks if check.verdict == ReceiptCheck.FAILED]
        assert failed == []
    assert {later, other}.isdisjoint(await world.outcomes())
    lines = await world.bench.trial_balance()
    assert lines[0] == 4 * CHIPS - 2 * 1_000  # the stakes of the two that are still open


async def test_a_void_stands_when_quotes_comes_back_with_a_price(world: World) -> None:
    async with staff_of(world) as staff:
        order, expiry = await stranded(world)
        lose_quotes(world)
        await staff.approve(await staff.propose(expiry))
        await world.receipts(1)
        world.fix(ENTRY + 1, expiry)
        asked = asyncio.create_task(world.asked("ListDueOrders", 1))
        world.script.silent = world.script.away = False
        world.pass_to(expiry + timedelta(seconds=1))
        await asked
    assert await world.outcomes() == {order: "VOID"}


async def test_what_quotes_has_fixed_is_never_voided(world: World) -> None:
    async with staff_of(world) as staff:
        _, expiry = await stranded(world)
        pending = await staff.propose(expiry)
        world.fix(ENTRY + 1, expiry)
        world.script.watermark = expiry
        failed = await staff.approve(pending)
        assert failed.proposal.state == StaffProposal.FAILED
        assert failed.proposal.result.startswith("FIXING_DECIDED")
        assert await refusal(staff.propose(expiry)) is Reason.FIXING_DECIDED
        world.pass_to(expiry)
        await world.receipts(1)
        lose_quotes(world)
        assert await refusal(staff.propose(expiry)) is Reason.FIXING_DECIDED
    assert set((await world.outcomes()).values()) == {"WIN"}


async def test_a_price_that_is_not_overdue_is_waited_for(world: World) -> None:
    async with staff_of(world) as staff:
        soon = SystemClock().now() - timedelta(minutes=9)
        assert await refusal(staff.propose(soon)) is Reason.FIXING_NOT_OVERDUE


async def test_one_person_alone_voids_nothing(world: World) -> None:
    async with staff_of(world) as staff:
        _, expiry = await stranded(world)
        lose_quotes(world)
        ana = staff.signed_in(PROPOSE, APPROVE, person=str(uuid4()))
        pending = await staff.propose(expiry, who=ana)
        assert await refusal(staff.approve(pending, ana)) is Reason.SAME_PERSON
        nobody = staff.signed_in()
        assert await refusal(staff.approve(pending, nobody)) is Reason.PERMISSION_DENIED
        assert await refusal(staff.propose(expiry, who=nobody)) is Reason.PERMISSION_DENIED
        taken = void_pb.WithdrawVoidRequest(void_id=pending.void_id, note="quotes is back")
        other = staff.signed_in(PROPOSE)
        assert await refusal(staff.stub.WithdrawVoid(taken, metadata=other)) is Reason.NOT_PROPOSER
        back = await staff.stub.WithdrawVoid(taken, metadata=ana)
        assert back.void.proposal.state == StaffProposal.WITHDRAWN
        pending = await staff.propose(expiry, who=ana)
        no = void_pb.RejectVoidRequest(void_id=pending.void_id, note="wait for quotes")
        answer = await staff.stub.RejectVoid(no, metadata=staff.signed_in(APPROVE))
        assert answer.void.proposal.state == StaffProposal.REJECTED
        listed = await staff.stub.ListVoids(
            void_pb.ListVoidsRequest(filter="state=REJECTED"),
            metadata=staff.signed_in("audit.read"),
        )
        assert list(listed.voids) == [answer.void]
    assert await world.outcomes() == {}
    told = world.rows("SELECT type FROM journal WHERE type LIKE 'staff.%' ORDER BY position")
    assert told == [("staff.proposal.changed.v1",)] * 4


async def test_a_price_that_was_voided_meanwhile_is_not_the_one_decided_on(world: World) -> None:
    point = Point(SYMBOL, world.expiry())
    tick = Tick(7, ENTRY + 1, 2, point.time, None)
    fixed = Fixing(point, tick, None, (tick,), (), point.time, point.time, 1)
    void = fixed._replace(tick=None, void_reason=VoidReason.VOIDED_BY_STAFF, ticks_before=())
    async with led(world) as (database, term):
        fixings = Fixings(database)
        assert await fixings.of([point]) == {}
        async with database.raw() as connection, connection.transaction():
            await store_fixings(connection, [void])
        assert await fixings.keep(term, [fixed]) == {point: void}
        assert await fixings.of([point]) == {point: void}


async def test_nothing_is_decided_on_a_price_that_is_not_stored(world: World) -> None:
    point = Point(SYMBOL, world.expiry())
    tick = Tick(7, ENTRY + 1, 2, point.time, None)
    fixed = Fixing(point, tick, None, (tick,), (), point.time, point.time, 1)
    order = DueOrder(uuid4(), SYMBOL, Direction.UP, ENTRY, point.time)
    async with led(world) as (database, term):
        decisions = Decisions(database, "demo", Fixings(database))
        with pytest.raises(Failure) as refused:
            await decisions.store(term, [decide(order, fixed)], {point: fixed}, point.time)
        assert refused.value.reason is Reason.UNAVAILABLE
        assert await decisions.outstanding() is None
    assert world.rows("SELECT count(*) FROM decision") == [(0,)]


@asynccontextmanager
async def led(world: World) -> AsyncIterator[tuple[Database, Term]]:
    """Lend settlement's database, and the term of whoever leads the book."""
    async with Database(world.access.service, name="test") as database:
        async with database.raw() as connection, connection.transaction():
            await connection.execute(
                "INSERT INTO leader (name, epoch, expires_at) VALUES ('worker:demo', 1, 'infinity')"
            )
        yield database, Term("worker:demo", 1)
