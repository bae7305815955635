"""An edge that says what a test tells it to, for the Python client."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx

from veritick import Veritick
from veritick.pace import Pace
from veritick.trading.v1.account_pb2 import Account

ACCOUNT_ID = "demo_01990000-0000-7000-8000-000000000001"
ACCOUNT = Account(account_id=ACCOUNT_ID, currency_code="USD")
IMPATIENT = Pace(first_seconds=0.001, longest_seconds=0.001)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

Reply = Callable[[httpx.Request], httpx.Response]


def answer(body: Any, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: httpx.Response(status, json=body, headers=named)


def refusal(reason: str, status: int, **headers: str) -> Reply:
    return answer({"reason": reason, "status": status, "detail": "No."}, status, **headers)


def lost(error: type[httpx.TransportError]) -> Reply:
    def reply(request: httpx.Request) -> httpx.Response:
        raise error("the line went dead", request=request)

    return reply


class Edge(httpx.AsyncBaseTransport):
    """Gives the replies it was told to, in order, the last one for ever."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await asyncio.sleep(0)
        return (self.replies.pop(0) if len(self.replies) > 1 else self.replies[0])(request)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests]


def client(edge: Edge) -> Veritick:
    return Veritick("http://edge.test:8080", transport=edge, pace=IMPATIENT)
