"""E1: orders over REST, through the edge and through a bare handler, to the same book."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import cast
from uuid import uuid4

import orjson

from tests.bench.processes import running
from tests.bench.rows import Row, side_by_side
from tests.bench.traders import UNLIMITED, Trader, open_traders
from tests.platform import running_platform
from tests.stores import Postgres

TRADERS = 100
CALLERS = 32
SECONDS = 4
_LENGTH = b"content-length: "
_END = b"\r\n\r\n"
_REFUSED_MAX = 500
"""Orders that a caller may be refused in a round: on a busy machine prices come too late."""


async def e1(_: Postgres, __: Path) -> Row:
    """Measure orders a second through the edge, beside a bare Starlette handler."""
    with running_platform(environment=UNLIMITED) as platform:
        traders = await open_traders(platform, TRADERS)
        edge = platform.ports.address("rest")
        async with running("tests.bench.bare_rest", platform.ports.address("trading")) as bare:
            left, right = await side_by_side(
                lambda: _orders_per_second(edge, traders),
                lambda: _orders_per_second(bare.address, traders),
            )
    title = "POST …/orders through the edge, 32 in flight, beside a bare Starlette handler"
    return Row("E1", title, "orders/s", left, right, goal=0.65, stretch=0.8)


async def _orders_per_second(address: str, traders: Sequence[Trader]) -> float:
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    began = perf_counter()
    callers = []
    for number in range(CALLERS):
        _, caller = await loop.create_connection(
            lambda number=number: Caller(traders[number::CALLERS], began + SECONDS),  # type: ignore[misc]
            *(host, int(port)),
        )
        callers.append(caller.done)
    orders = sum(await asyncio.wait_for(asyncio.gather(*callers), SECONDS * 5))
    return orders / (perf_counter() - began)


class Caller(asyncio.Protocol):
    """One connection that places an order as soon as the last is answered, until it is time."""

    def __init__(self, traders: Sequence[Trader], ends: float) -> None:
        self.done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._traders = traders
        self._ends = ends
        self._orders = 0
        self._refused = 0
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Place the first order."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self._place()

    def data_received(self, data: bytes) -> None:
        """Take an answer, and place the next order."""
        self._data += data
        head, end, body = self._data.partition(_END)
        if not end or len(body) < _length(head):
            return
        self._data = b""
        if b" 200 " in head.partition(b"\r\n")[0]:
            self._orders += 1
        else:
            self._refused += 1
            if self._refused > _REFUSED_MAX:
                self.done.set_exception(RuntimeError((head + body).decode()))
                return
        if perf_counter() < self._ends:
            self._place()
        else:
            self.done.set_result(self._orders)

    def connection_lost(self, exc: Exception | None) -> None:
        """A server that hangs up has failed."""
        if not self.done.done():
            self.done.set_exception(ConnectionError("the server hung up"))

    def _place(self) -> None:
        trader = self._traders[self._orders % len(self._traders)]
        order = {
            "requestId": str(uuid4()),
            "instrument": "BTCUSD",
            "direction": "UP",
            "stake": {"currencyCode": "USD", "minorUnits": "100"},
            "durationSeconds": 3_600,
        }
        body = orjson.dumps(order)
        head = (
            f"POST /v1/accounts/{trader.account_id}/orders HTTP/1.1\r\nHost: bench\r\n"
            f"Authorization: Bearer {trader.token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        assert self._transport is not None
        self._transport.write(head.encode() + body)


def _length(head: bytes) -> int:
    place = head.lower().index(_LENGTH) + len(_LENGTH)
    return int(head[place:].partition(b"\r\n")[0])
