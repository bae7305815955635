"""Thousands of orders expire at the same second: work grows by the chunk, not by the order."""

import asyncio
from collections import Counter
from typing import Any

import psycopg
import pytest

from services.settlement import worker
from services.settlement.pace import CHUNK_MAX, CHUNK_MIN
from services.trading.order import Direction
from tests.service.settlement_world import ENTRY, World
from tests.service.trading_fixtures import request
from tests.settlement_receipt import hash_of
from tests.waiting import PATIENCE_SECONDS

pytest_plugins = ["tests.service.settlement_fixtures"]

ORDERS = 5_000
SYMBOLS = ("BTCUSD", "ETHUSD")
FEW = 12
"""Statements of a round by itself: what is outstanding, fixings, where the chain ends."""


async def test_a_burst_settles_in_chunks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # No rounds for nothing, however long the machine takes to hear of the watermark.
    monkeypatch.setattr(worker, "_PATIENCE_SECONDS", PATIENCE_SECONDS)
    await place(world)
    expiry = world.expiry()
    for symbol in SYMBOLS:
        world.fix(ENTRY + 1, expiry, symbol)
    statements = counted_statements(monkeypatch)
    world.pass_to(expiry)
    async with world.settlement() as settlement:
        await world.receipts(ORDERS)
        last = world.rows("SELECT 'demo_' || order_id FROM receipt ORDER BY sequence DESC LIMIT 1")
        receipt = await settlement.receipt(last[0][0])
    assert (receipt["sequence"], receipt["hash"]) == (str(ORDERS), hash_of(receipt))
    assert Counter((await world.outcomes()).values()) == {"WIN": ORDERS / 2, "LOSS": ORDERS / 2}
    # One distinct point per instrument, asked for once; each chunk told once.
    chunks = world.book.calls["SettleOrders"]
    assert world.script.calls["BatchGetFixings"] == 1
    assert ORDERS / CHUNK_MAX <= chunks <= ORDERS / CHUNK_MIN + 1
    # Of each chunk one statement stores the decisions, and one the receipts.
    assert len(statements) <= 2 * chunks + FEW
    chain = world.rows("SELECT sequence, previous_hash, hash FROM receipt ORDER BY sequence")
    assert [row[0] for row in chain] == list(range(1, ORDERS + 1))
    assert [row[1] for row in chain[1:]] == [row[2] for row in chain[:-1]]


async def place(world: World) -> None:
    """Place the orders of a few accounts, at the same moment."""
    accounts = [await world.bench.account() for _ in range(ORDERS // 500)]
    requests = [
        request(
            accounts[number % len(accounts)],
            instrument=SYMBOLS[number % 2],
            direction=Direction(1 + number // 2 % 2),
        )
        for number in range(ORDERS)
    ]
    await asyncio.gather(*map(world.bench.desk.writer.submit, requests))


def counted_statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note, from now on, the statements on settlement's tables."""
    seen: list[str] = []
    execute = psycopg.AsyncConnection.execute

    async def counting(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        words = " ".join(str(query).split())
        if any(table in words for table in ("decision", "outstanding", "receipt", "fixing")):
            seen.append(words)
        return await execute(self, query, *arguments, **options)

    monkeypatch.setattr(psycopg.AsyncConnection, "execute", counting)
    return seen
