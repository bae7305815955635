"""The AsyncAPI 3 document of the socket, made of the same descriptors as its frames."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import orjson
from google.protobuf.descriptor import Descriptor

from edge.comments import comment
from edge.rest.schema import Schema, Schemas
from edge.stream import frame
from edge.stream.admission import PATH
from edge.stream.channel import CANDLE_INTERVALS_SECONDS
from services.kit.reason import Reason
from veritick.event.v1.event_pb2 import Event
from veritick.quotes.v1.market_data_service_pb2 import ListCandlesResponse, TickBatch

Document = dict[str, Any]

_INTERVALS = ", ".join(f"`{seconds}s`" for seconds in sorted(CANDLE_INTERVALS_SECONDS))
_CHANNELS = f"""\
| channel | whose | shows |
|---|---|---|
| `account:<id>` | its owner's | orders and balance of an account |
| `user:<id>` | that user's | sessions, profile and protection |
| `instruments` | everybody's | instruments and their markets |
| `payouts:<book>` | everybody's | terms of a book |
| `ticks:<symbol>` | everybody's | prices; a slow reader gets the latest |
| `candles:<symbol>:<interval>` | everybody's | candles, at most five frames a second; \
intervals {_INTERVALS} |
"""
_INTRODUCTION = f"""\
What happens, delivered as it happens. One JSON object in each text frame.

A private channel needs a ticket first: `POST /v1/streamTickets`. It shows every event of its
subject once and in order of `sequence`, from `after` on; a client that reconnects with the last
sequence it has seen misses nothing. Where that cannot be, the server says `gap`.

{_CHANNELS}
Closing codes: 1008 misbehaved, 1012 restarting (come back after a random pause), 1013 full, 4001
session ended, 4008 reads too slowly.
"""
_SEQUENCE: Schema = {"type": "string", "pattern": "^(0|[1-9][0-9]{0,18})$"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_TEXT: Schema = {"type": "string"}


def document() -> Document:
    """Return the document."""
    return orjson.loads(_document())  # type: ignore[no-any-return]


def main() -> None:
    """Print the document."""
    sys.stdout.write(orjson.dumps(document(), option=orjson.OPT_INDENT_2).decode() + "\n")


@cache
def _document() -> bytes:
    schemas = Schemas([*_reached(Event.DESCRIPTOR, TickBatch.DESCRIPTOR, _CANDLES)])
    requests = _messages(_requests())
    frames = _messages({**_words(), **_events(schemas)})
    messages = {**requests, **frames}
    return orjson.dumps(
        {
            "asyncapi": "3.0.0",
            "info": {"title": "Veritick stream", "version": "1", "description": _INTRODUCTION},
            "defaultContentType": "application/json",
            "channels": {
                "stream": {
                    "address": PATH,
                    "bindings": {"ws": {"method": "GET"}},
                    "messages": {
                        name: {"$ref": f"#/components/messages/{name}"} for name in messages
                    },
                }
            },
            "operations": {
                "ask": _operation("receive", "What a client may say.", requests),
                "deliver": _operation("send", "What the server says.", frames),
            },
            "components": {"messages": messages, "schemas": schemas.components},
        }
    )


_CANDLES = ListCandlesResponse.DESCRIPTOR


def _requests() -> dict[str, tuple[str, Schema]]:
    channel = {"channel": _TEXT}
    return {
        "authenticate": (
            frame.Authenticate.__doc__ or "",
            _frame({"op": {"const": "authenticate"}, "ticket": _TEXT}),
        ),
        "subscribe": (
            frame.Subscribe.__doc__ or "",
            _frame({"op": {"const": "subscribe"}, **channel}, {"after": _SEQUENCE}),
        ),
        "unsubscribe": (
            frame.Unsubscribe.__doc__ or "",
            _frame({"op": {"const": "unsubscribe"}, **channel}),
        ),
        "ping": (frame.Ping.__doc__ or "", _frame({"op": {"const": "ping"}})),
    }


def _words() -> dict[str, tuple[str, Schema]]:
    """Return the frames that are no events."""
    error = _frame(
        {
            "reason": {"enum": [reason.value for reason in Reason]},
            "message": _TEXT,
            "metadata": {"type": "object", "additionalProperties": _TEXT},
        }
    )
    beat = _frame({"time": _TIME}, {"feedTime": _TIME})
    snapshot: Schema = {"type": "object"}
    return {
        "authenticated": ("The ticket is good.", _said(data=_frame({"userId": _TEXT}))),
        "subscribed": (
            "The channel is followed; what lies after `after` comes next.",
            _said("channel", "sequence"),
        ),
        "unsubscribed": ("The channel is followed no more.", _said("channel")),
        "snapshot": (
            "The present state of prices, in the shape of the channel's events.",
            _said("channel", "sequence", data=snapshot),
        ),
        "gap": (
            "Events after `after`, up to this sequence, are not to be had: fetch the state anew.",
            _said("channel", "sequence", data=_frame({"after": _SEQUENCE})),
        ),
        "heartbeat": (
            "The channel is alive; where it stands, and when the feed was last heard.",
            _said("channel", "sequence", data=beat),
        ),
        "pong": (
            "The answer to a ping, with the server's time.",
            _said(data=_frame({"time": _TIME})),
        ),
        "error": (
            "Something was refused; told UNAVAILABLE, a subscription goes on when that is over.",
            _said(data=error, optional="channel"),
        ),
    }


def _events(schemas: Schemas) -> dict[str, tuple[str, Schema]]:
    shapes = {f"{field.name.replace('_', '.')}.v1": field.message_type for field in _kinds()}
    shapes |= {"ticks.v1": TickBatch.DESCRIPTOR, "candles.v1": _CANDLES}
    return {
        kind: (comment(shape), _said("channel", "sequence", data=schemas.message(shape, "output")))
        for kind, shape in shapes.items()
        if shape is not None
    }


def _kinds() -> Iterator[Any]:
    yield from Event.DESCRIPTOR.oneofs_by_name["data"].fields


def _said(*keys: str, data: Schema | None = None, optional: str = "") -> Schema:
    """Return the schema of a server's frame, but for its type."""
    shapes = {"channel": _TEXT, "sequence": _SEQUENCE}
    required = {key: shapes[key] for key in keys} | ({"data": data} if data else {})
    return _frame(required, {optional: shapes[optional]} if optional else {})


def _frame(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": [*required],
    }


def _messages(described: dict[str, tuple[str, Schema]]) -> dict[str, Document]:
    return {name: _message(name, *parts) for name, parts in described.items()}


def _message(name: str, summary: str, payload: Schema) -> Document:
    if "op" not in payload["properties"]:
        payload["properties"]["type"] = {"const": name}
        payload["required"].append("type")
    return {"name": name, "summary": summary, "payload": payload}


def _operation(action: str, summary: str, messages: dict[str, Document]) -> Document:
    refs = [{"$ref": f"#/channels/stream/messages/{name}"} for name in messages]
    channel = {"$ref": "#/channels/stream"}
    return {"action": action, "summary": summary, "channel": channel, "messages": refs}


def _reached(*roots: Descriptor) -> list[Descriptor]:
    """Return the messages that these contain, at any depth, each once."""
    found: dict[str, Descriptor] = {}
    waiting = [*roots]
    while waiting:
        message = waiting.pop()
        if message.full_name not in found:
            found[message.full_name] = message
            waiting += [field.message_type for field in message.fields if field.message_type]
    return [*found.values()]
