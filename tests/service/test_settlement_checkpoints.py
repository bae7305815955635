"""The chain of a book is there for everybody, and its head is signed as it grows."""

import asyncio
import io
from typing import Any

import grpc
import psycopg
import pytest

from services.kit.channels import failure_of
from services.kit.clock import SystemClock
from services.kit.database import Database
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.tokens import Keyring
from services.settlement.checkpoints import Checkpoints, Signing
from tests.service.settlement_world import ENTRY, Settlement, World
from veritick.proof.file import Header, Writer
from veritick.proof.verify import verify
from veritick.settlement.v1.receipt_service_pb2 import (
    Checkpoint,
    GetCheckpointRequest,
    ListReceiptsRequest,
    ListReceiptsResponse,
)

pytest_plugins = ["tests.service.settlement_fixtures"]


async def settled(world: World, count: int) -> None:
    """Let so many more orders be settled by the settlement that runs."""
    before = world.rows("SELECT count(*) FROM receipt")[0][0]
    world.bench.market.tick(ENTRY)
    for _ in range(count):
        await world.order()
    expiry = world.expiry()
    world.fix(ENTRY + 1, expiry)
    world.pass_to(expiry)
    await world.receipts(before + count)


async def listed(settlement: Settlement, **request: Any) -> ListReceiptsResponse:
    return await settlement.stub.ListReceipts(ListReceiptsRequest(**request))


async def checkpoint(settlement: Settlement, sequence: int = 0, book: str = "demo") -> Checkpoint:
    request = GetCheckpointRequest(book=book, sequence=sequence)
    try:
        return (await settlement.stub.GetCheckpoint(request)).checkpoint
    except grpc.aio.AioRpcError as error:
        raise failure_of(error) from error


async def signed(world: World, settlement: Settlement, sequence: int) -> Checkpoint:
    """Wait until this receipt is the signed head."""
    await world.until("SELECT max(sequence) FROM checkpoint", sequence)
    return await checkpoint(settlement, sequence)


async def test_what_settlement_shows_of_a_book_can_be_verified(world: World) -> None:
    async with world.settlement(sign_every_seconds=1) as settlement:
        await settled(world, 3)
        head = await signed(world, settlement, 3)
        first = await listed(settlement, book="demo", page_size=2)
        second = await listed(settlement, book="demo", page_size=2, after=2)
        third = await listed(settlement, book="demo", after=3)
    assert [receipt.sequence for receipt in first.receipts] == [1, 2]
    assert [receipt.sequence for receipt in second.receipts] == [3]
    assert not third.receipts
    assert (first.last_sequence, third.last_sequence) == (3, 3)
    file = io.BytesIO()
    writer = Writer(file)
    writer.begin(Header("demo", "here", "now", 1))
    for receipt in (*first.receipts, *second.receipts):
        writer.receipt(receipt)
    writer.end(head)
    file.seek(0)
    seen = verify(file, head.key_id)
    assert (seen.receipts, seen.outcomes) == (3, {"WIN": 3})
    key = Keyring.load(world.keys, None).public_key("settlement")
    assert head.public_key == key.public_bytes_raw()


async def test_a_head_is_signed_once_and_again_when_it_has_grown(world: World) -> None:
    async with (
        world.settlement(sign_every_seconds=3_600) as settlement,
        Database(world.access.service, name="test") as database,
    ):
        signing = Signing(
            Checkpoints(database), Keyring.load(world.keys, "settlement"), SystemClock()
        )
        await signing.run()
        assert world.rows("SELECT count(*) FROM checkpoint") == [(0,)]
        with pytest.raises(Failure) as refused:
            await checkpoint(settlement)
        assert refused.value.reason is Reason.CHECKPOINT_NOT_FOUND
        await settled(world, 2)
        await asyncio.gather(signing.run(), signing.run())
        await signing.run()
        await settled(world, 1)
        await signing.run()
        assert world.rows("SELECT sequence FROM checkpoint ORDER BY sequence") == [(2,), (3,)]
        found = [(await checkpoint(settlement, n)).sequence for n in range(4)]
        assert found == [3, 2, 2, 3]
        for beyond in (checkpoint(settlement, 4), checkpoint(settlement, 1, "real")):
            with pytest.raises(Failure) as refused:
                await beyond
            assert refused.value.reason is Reason.CHECKPOINT_NOT_FOUND


async def test_a_book_of_which_nothing_is_known_has_no_receipts(world: World) -> None:
    async with world.settlement() as settlement:
        answer = await listed(settlement, book="real")
    assert (len(answer.receipts), answer.last_sequence) == (0, 0)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE checkpoint SET hash = ''", "DELETE FROM checkpoint", "TRUNCATE checkpoint"],
)
def test_the_service_cannot_change_what_was_signed(world: World, statement: str) -> None:
    with (
        psycopg.connect(world.access.service) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())
