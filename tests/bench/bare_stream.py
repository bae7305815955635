"""The other side of W1, W2 and W3: a bare `websockets` server, told by Redis what to send.

`python -m tests.bench.bare_stream REDIS_URL`. What is published on `bench:broadcast` goes to every
socket at once; the lines of what is published on `bench:loop` go to one socket after the other.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvloop
from redis.asyncio import Redis
from websockets.asyncio.server import Server, ServerConnection, broadcast, serve

from tests.bench.processes import say_address

BROADCAST, LOOP = "bench:broadcast", "bench:loop"


async def main(redis_url: str) -> None:
    """Serve until killed."""
    async with (
        serve(_listen, "127.0.0.1", 0, compression=None) as server,
        Redis.from_url(redis_url) as redis,
        redis.pubsub() as published,
    ):
        await published.subscribe(BROADCAST, LOOP)
        say_address(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        async for message in published.listen():
            if message["type"] == "message":
                await _send(server, message)


async def _listen(connection: ServerConnection) -> None:
    async for _ in connection:
        pass


async def _send(server: Server, message: dict[str, Any]) -> None:
    text: bytes = message["data"]
    if message["channel"] == BROADCAST.encode():
        broadcast(server.connections, text, text=True)
    else:
        texts = text.split(b"\n")
        for connection in list(server.connections):
            for each in texts:
                await connection.send(each, text=True)
    # What follows is another message: it is not written together with this one.
    await asyncio.sleep(0)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
