"""A process that serves one book over gRPC, or what is measured beside it; for P2, P3 and P4.

`python -m tests.bench.trading_server book DSN KEYS`, `… answer KEYS` or `… echo`; prints the
address it serves on.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import grpc
import uvloop

from services.kit.database import Database
from services.kit.garbage import collect_seldom
from services.kit.ids import uuid7
from services.kit.process import Application, serving
from services.kit.settings import ServiceSettings
from services.kit.tokens import Keyring
from services.trading.app import faces
from services.trading.desk import BookRules, Desk
from services.trading.rpc import OrderFace
from tests.bench.market import UNLIMITED, LiveMarket
from tests.service.trading_fixtures import leading
from veritick.trading.v1.order_service_pb2 import PlaceOrderRequest, PlaceOrderResponse
from veritick.trading.v1.order_service_pb2_grpc import add_OrderServiceServicer_to_server

ECHO = "/bench.Echo/Call"
ANSWER_BYTES = 420
"""The size of a PlaceOrderResponse."""

_ANSWER = PlaceOrderResponse()
_ANSWER.order.order_id = "x" * (ANSWER_BYTES - 8)


async def book(dsn: str, keys: str) -> None:
    """Serve the whole of trading on one book until killed."""
    market = LiveMarket()
    ticking = asyncio.create_task(market.run())
    async with Database(dsn, name="demo") as database:
        rules = BookRules("DEMO", "USD", 0, UNLIMITED)
        desk = Desk("demo", rules, database, market.view, market.clock, uuid7)
        keyring = Keyring.load(Path(keys), "trading")
        application = Application(
            keyring=keyring,
            faces=faces({"demo": desk}, keyring, {}),
            tasks={"origins": desk.origins.run},
        )
        settings = ServiceSettings(mode="development")
        async with leading(desk), serving("trading", settings, application) as running:
            print(running.address, flush=True)
            await ticking


class Answer(OrderFace):
    """Answers every order without looking at it."""

    async def PlaceOrder(  # noqa: N802  the contract's name
        self, request: PlaceOrderRequest, context: Any
    ) -> PlaceOrderResponse:
        return _ANSWER


async def answer(keys: str) -> None:
    """Serve PlaceOrder as a service does, with nothing behind it, until killed."""
    face = (add_OrderServiceServicer_to_server, Answer({}))
    application = Application(keyring=Keyring.load(Path(keys), "trading"), faces=[face])
    settings = ServiceSettings(mode="development")
    async with serving("trading", settings, application) as running:
        print(running.address, flush=True)
        await asyncio.Event().wait()


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
    collect_seldom()
    match sys.argv[1:]:
        case ["book", dsn, keys]:
            uvloop.run(book(dsn, keys))
        case ["answer", keys]:
            uvloop.run(answer(keys))
        case ["echo"]:
            uvloop.run(echo())
