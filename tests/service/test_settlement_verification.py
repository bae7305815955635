"""VerifyReceipt: what it says of a receipt as it was issued, and of one that was tampered with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import psycopg
import pytest

from services.kit.channels import failure_of
from services.kit.clock import SystemClock
from services.kit.database import Database
from services.kit.reason import Reason
from services.kit.tokens import Keyring
from services.settlement.checkpoints import Checkpoints, Signing
from tests.service.settlement_world import ENTRY, Settlement, World
from veritick.settlement.v1.receipt_service_pb2 import (
    ReceiptCheck,
    VerifyReceiptRequest,
    VerifyReceiptResponse,
)

pytest_plugins = ["tests.service.settlement_fixtures"]

MIDDLE = 2


async def settled(world: World, count: int) -> None:
    """Let so many orders be settled by the settlement that runs."""
    world.bench.market.tick(ENTRY)
    for _ in range(count):
        await world.order()
    expiry = world.expiry()
    world.fix(ENTRY + 1, expiry)
    world.pass_to(expiry)
    await world.receipts(count)


@asynccontextmanager
async def signed(world: World) -> AsyncIterator[tuple[Settlement, str]]:
    """Run a settlement with three receipts under a signed head; yield it and the order of one."""
    async with (
        world.settlement(sign_every_seconds=3_600) as settlement,
        Database(world.access.service, name="test") as database,
    ):
        await settled(world, 3)
        keyring = Keyring.load(world.keys, "settlement")
        await Signing(Checkpoints(database), keyring, SystemClock()).run()
        ((order_id,),) = world.rows(f"SELECT order_id FROM receipt WHERE sequence = {MIDDLE}")
        yield settlement, f"demo_{order_id}"


async def verified(settlement: Settlement, order_id: str) -> VerifyReceiptResponse:
    answer = await settlement.stub.VerifyReceipt(VerifyReceiptRequest(order_id=order_id))
    assert isinstance(answer, VerifyReceiptResponse)
    return answer


def parts(answer: VerifyReceiptResponse, verdict: ReceiptCheck.Verdict.ValueType) -> set[str]:
    return {
        ReceiptCheck.Part.Name(check.part) for check in answer.checks if check.verdict == verdict
    }


async def test_a_receipt_as_it_was_issued_passes_every_check(world: World) -> None:
    async with signed(world) as (settlement, order_id):
        answer = await verified(settlement, order_id)
    assert answer.verdict == ReceiptCheck.PASSED
    every = {"HASH", "CHAIN", "OUTCOME", "AMOUNT", "FIXING", "SIGNATURE"}
    assert parts(answer, ReceiptCheck.PASSED) == every
    assert answer.checkpoint.sequence == 3


@pytest.mark.parametrize(
    ("statement", "failed"),
    [
        ("UPDATE receipt SET stake = stake + 1 WHERE sequence = 2", {"HASH", "AMOUNT"}),
        ("UPDATE receipt SET returned = returned + 1 WHERE sequence = 2", {"HASH", "AMOUNT"}),
        ("UPDATE receipt SET outcome = 2 WHERE sequence = 2", {"HASH", "OUTCOME"}),
        ("UPDATE receipt SET direction = 2 WHERE sequence = 2", {"HASH", "OUTCOME", "AMOUNT"}),
        ("UPDATE receipt SET entry_price = 1 WHERE sequence = 2", {"HASH"}),
        ("UPDATE receipt SET hash = repeat('0', 64) WHERE sequence = 2", {"HASH", "CHAIN"}),
        (
            "UPDATE receipt SET previous_hash = repeat('0', 64) WHERE sequence = 2",
            {"HASH", "CHAIN"},
        ),
        ("UPDATE receipt SET hash = repeat('0', 64) WHERE sequence = 1", {"CHAIN"}),
        ("DELETE FROM receipt WHERE sequence = 1", {"CHAIN"}),
        ("UPDATE receipt SET hash = repeat('0', 64) WHERE sequence = 3", {"SIGNATURE"}),
        ("UPDATE receipt SET previous_hash = 'x' WHERE sequence = 3", {"CHAIN"}),
        ("UPDATE checkpoint SET signed_at = signed_at + interval '1 s'", {"SIGNATURE"}),
        ("UPDATE checkpoint SET signature = sha512('x')", {"SIGNATURE"}),
    ],
)
async def test_what_was_tampered_with_is_told(
    world: World, statement: str, failed: set[str]
) -> None:
    async with signed(world) as (settlement, order_id):
        with psycopg.connect(world.access.owner) as connection:
            connection.execute(statement.encode())
        answer = await verified(settlement, order_id)
    assert answer.verdict == ReceiptCheck.FAILED
    assert parts(answer, ReceiptCheck.FAILED) == failed
    assert all(
        check.expected != check.found
        for check in answer.checks
        if check.verdict == ReceiptCheck.FAILED
    )


async def test_a_fixing_that_quotes_knows_otherwise_is_told(world: World) -> None:
    async with signed(world) as (settlement, order_id):
        world.script.prices = dict.fromkeys(world.script.prices, ENTRY - 1)
        answer = await verified(settlement, order_id)
    assert parts(answer, ReceiptCheck.FAILED) == {"FIXING"}


async def test_what_cannot_be_checked_yet_is_told_apart(world: World) -> None:
    async with world.settlement(sign_every_seconds=3_600) as settlement:
        await settled(world, 1)
        ((order_id,),) = world.rows("SELECT order_id FROM receipt")
        answer = await verified(settlement, f"demo_{order_id}")
        assert answer.verdict == ReceiptCheck.NOT_CHECKED
        assert parts(answer, ReceiptCheck.NOT_CHECKED) == {"SIGNATURE"}
        assert not answer.HasField("checkpoint")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await verified(settlement, order_id := f"real_{order_id}")
        assert failure_of(refused.value).reason is Reason.RECEIPT_NOT_FOUND
