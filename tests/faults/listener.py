"""Somebody who listens at the socket all the while, and keeps what he heard, as it came."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.faults.load import Trader
from tests.faults.world import WELL_SECONDS, World

_AGAIN_SECONDS = 0.2
_PAGE = 500
_PASSING = {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
"""The subscription goes on by itself once this is over."""


@dataclass
class Heard:
    """What one listener heard of one account, in the order in which it came."""

    trader: Trader
    sequences: list[int] = field(default_factory=list)
    sockets: int = 0
    lost: list[str] = field(default_factory=list)
    """What the socket said instead of an event: that there is a gap."""

    @property
    def last(self) -> int:
        """The last sequence heard."""
        return self.sequences[-1] if self.sequences else 0


@asynccontextmanager
async def listening(world: World, trader: Trader) -> AsyncIterator[Heard]:
    """Listen to an account's events for as long as the block lasts, over as many sockets as needed.

    A new socket goes on after the last event heard, as the contract offers.
    """
    heard = Heard(trader)
    task = asyncio.create_task(_listen(world, heard))
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()


async def told_on_rest(world: World, trader: Trader) -> list[int]:
    """Return the sequences of an account's events as REST lists them."""
    sequences: list[int] = []
    headers = {"authorization": f"Bearer {trader.token}"}
    async with httpx.AsyncClient(
        base_url=world.machine.url, headers=headers, timeout=WELL_SECONDS
    ) as client:
        while True:
            parameters = {"after": sequences[-1] if sequences else 0, "pageSize": _PAGE}
            path = f"/v1/accounts/{trader.account_id}/events"
            answer = await client.get(path, params=parameters)
            answer.raise_for_status()
            events = answer.json()["events"]
            if not events:
                return sequences
            sequences += [int(event["sequence"]) for event in events]


async def _listen(world: World, heard: Heard) -> None:
    while True:
        with suppress(WebSocketException, OSError):
            async with connect(world.machine.stream_url, open_timeout=10) as socket:
                heard.sockets += 1
                await _hear(socket, world.stream_ticket(heard.trader.user_id), heard)
        await asyncio.sleep(_AGAIN_SECONDS)


async def _hear(socket: ClientConnection, ticket: str, heard: Heard) -> None:
    channel = f"account:{heard.trader.account_id}"
    wish = {"op": "subscribe", "channel": channel, "after": str(heard.last)}
    await socket.send(json.dumps({"op": "authenticate", "ticket": ticket}))
    answer = json.loads(await socket.recv())
    if answer["type"] == "error":
        if answer["data"]["reason"] not in _PASSING:
            heard.lost.append(str(answer["data"]))
        return  # he comes again: nobody else's socket would tell him of his account
    await socket.send(json.dumps(wish))
    async for text in socket:
        frame = json.loads(text)
        kind = frame["type"]
        if kind == "error" and frame["data"]["reason"] not in _PASSING:
            heard.lost.append(str(frame["data"]))
        elif frame.get("channel") == channel and kind in {"gap", "snapshot"}:
            heard.lost.append(kind)
        elif frame.get("channel") == channel and "." in kind:
            heard.sequences.append(int(frame["sequence"]))
