"""A process that serves one book over gRPC, or the bare echo beside it; for P2.

`python -m tests.bench.trading_server book DSN KEYS` or `… echo`; prints the address it serves on.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import grpc
import uvloop

from services.kit.database import Database
from services.kit.ids import uuid7
from services.kit.process import Application, serving
from services.kit.settings import ServiceSettings
from services.kit.tokens import Keyring
from services.trading.app import faces
from services.trading.desk import BookRules, Desk
from tests.bench.market import UNLIMITED, LiveMarket
from tests.service.trading_fixtures import leading

ECHO = "/bench.Echo/Call"
ANSWER_BYTES = 420
"""The size of a PlaceOrderResponse."""


async def book(dsn: str, keys: str) -> None:
    """Serve the whole of trading on one book until killed."""
    market = LiveMarket()
    ticking = asyncio.create_task(market.run())
    async with Database(dsn, name="demo") as database:
        rules = BookRules("DEMO", "USD", 0, UNLIMITED)
        desk = Desk("demo", rules, database, market.view, market.clock, uuid7)
        keyring = Keyring.load(Path(keys), "trading")
        application = Application(keyring=keyring, faces=faces({"demo": desk}, keyring, {}))
        settings = ServiceSettings(mode="development")
        async with leading(desk), serving("trading", settings, application) as running:
            print(running.address, flush=True)
            await ticking


async def echo() -> None:
    """Serve one method that answers so many bytes, with nothing around it, until killed."""
    answer = bytes(ANSWER_BYTES)

    async def call(_: bytes, __: Any) -> bytes:
        return answer

    server = grpc.aio.server()
    handler: Any = grpc.unary_unary_rpc_method_handler(call)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("bench.Echo", {"Call": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(book(*sys.argv[2:]) if sys.argv[1] == "book" else echo())
