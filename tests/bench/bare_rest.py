"""The other side of E1: a bare Starlette handler that calls trading by hand.

`python -m tests.bench.bare_rest TRADING_ADDRESS` serves orders as somebody writes it who needs that
one route: JSON in, the same gRPC call with the caller's token, JSON out.
"""

from __future__ import annotations

import socket
import sys

import grpc
import orjson
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.bench.processes import say_address
from veritick.quotes.v1.instrument_pb2 import Tick
from veritick.trading.v1.order_pb2 import Direction, Order
from veritick.trading.v1.order_service_pb2 import PlaceOrderRequest
from veritick.trading.v1.order_service_pb2_grpc import OrderServiceStub
from veritick.type.v1.money_pb2 import Money


async def main(trading: str) -> None:
    """Serve until killed."""
    async with grpc.aio.insecure_channel(trading) as channel:
        stub = OrderServiceStub(channel)

        async def place(request: Request) -> Response:
            body = orjson.loads(await request.body())
            message = PlaceOrderRequest(
                account_id=request.path_params["account_id"],
                request_id=body["requestId"],
                instrument=body["instrument"],
                direction=Direction.Value(body["direction"]),
                stake=_money(body["stake"]),
                duration_seconds=body["durationSeconds"],
            )
            metadata = (("authorization", request.headers["authorization"]),)
            try:
                answer = await stub.PlaceOrder(message, metadata=metadata, timeout=10)
            except grpc.aio.AioRpcError as error:
                return Response(str(error.details()), status_code=503)
            shown = {"order": _order(answer.order), "replay": answer.replay}
            return Response(orjson.dumps(shown), media_type="application/json")

        route = Route("/v1/accounts/{account_id}/orders", place, methods=["POST"])
        with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
            say_address(f"127.0.0.1:{listening.getsockname()[1]}")
            application = Starlette(routes=[route])
            config = uvicorn.Config(application, log_level="warning", access_log=False)
            await uvicorn.Server(config).serve(sockets=[listening])


def _order(order: Order) -> dict[str, object]:
    return {
        "orderId": order.order_id,
        "accountId": order.account_id,
        "requestId": order.request_id,
        "instrument": order.instrument,
        "direction": Direction.Name(order.direction),
        "stake": _shown(order.stake),
        "payoutBp": order.payout_bp,
        "state": Order.State.Name(order.state),
        "entryTick": _tick(order.entry_tick),
        "openTime": order.open_time.ToJsonString(),
        "expireTime": order.expire_time.ToJsonString(),
        "termsVersion": str(order.terms_version),
    }


def _tick(tick: Tick) -> dict[str, object]:
    return {
        "instrument": tick.instrument,
        "number": str(tick.number),
        "price": {"mantissa": str(tick.price.mantissa), "scale": tick.price.scale},
        "time": tick.time.ToJsonString(),
        "sourceTime": tick.source_time.ToJsonString(),
        "late": tick.late,
    }


def _money(value: dict[str, str]) -> Money:
    return Money(currency_code=value["currencyCode"], minor_units=int(value["minorUnits"]))


def _shown(money: Money) -> dict[str, str]:
    return {"currencyCode": money.currency_code, "minorUnits": str(money.minor_units)}


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
