"""The socket of the edge: frames as they come, from subscribing to the lost connection."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from veritick.errors import VeritickError

Frame = dict[str, Any]

_OPEN_SECONDS = 10
_FRAME_BYTES_MAX = 4 * 1024 * 1024
_QUEUED_FRAMES_MAX = 256


@dataclass(frozen=True, slots=True)
class Door:
    """Where the socket is, and what opens the private channels."""

    url: str
    ticket: str | None = None


async def frames(door: Door, subscriptions: Sequence[Frame]) -> AsyncGenerator[Frame, None]:
    """Connect, subscribe, and yield every frame that the server sends.

    Raises VeritickError: with the server's reason when it refuses a frame of ours, UNAVAILABLE
    when the connection cannot be made or is lost. Reading slowly slows the server down; it closes
    the connection of a reader that stops.
    """
    try:
        async with connect(
            door.url,
            open_timeout=_OPEN_SECONDS,
            max_size=_FRAME_BYTES_MAX,
            max_queue=_QUEUED_FRAMES_MAX,
        ) as connection:
            await _introduce(connection, door.ticket, subscriptions)
            async for text in connection:
                yield _understood(text)
    except (WebSocketException, OSError) as error:
        text = f"The socket {door.url} is lost: {error or type(error).__name__}"
        raise VeritickError("UNAVAILABLE", text) from error
    raise VeritickError("UNAVAILABLE", f"The socket {door.url} was closed by the server.")


async def _introduce(
    connection: ClientConnection, ticket: str | None, subscriptions: Sequence[Frame]
) -> None:
    if ticket is not None:
        await connection.send(json.dumps({"op": "authenticate", "ticket": ticket}))
    for subscription in subscriptions:
        await connection.send(json.dumps({"op": "subscribe", **subscription}))


def _understood(text: str | bytes) -> Frame:
    try:
        frame = json.loads(text)
    except ValueError:
        frame = None
    if not isinstance(frame, dict):
        raise VeritickError("MALFORMED_FRAME", "The server sent a frame that is no JSON object.")
    if frame.get("type") == "error":
        problem = frame.get("data") or {}
        raise VeritickError(
            str(problem.get("reason", "INTERNAL")),
            str(problem.get("message", "The socket refused a frame.")),
            metadata=problem.get("metadata"),
        )
    return frame
