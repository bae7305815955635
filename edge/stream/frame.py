"""What is said on the socket: JSON objects, one a text frame.

A client says `{"op": …}`. The server says `{"channel", "sequence", "type", "data"}`; keys that do
not apply are left out, and `type` is either the type of an event (`order.settled.v1`, `ticks.v1`,
`candles.v1`) or one of the words below. Sequences are strings, as all 64-bit numbers are.

```
authenticated  data: {userId}
subscribed     channel, sequence: the current one; what follows `after` comes next
unsubscribed   channel
snapshot       channel, sequence, data: the present state, in the shape of the channel's events
gap            channel, sequence, data: {after}: events in between are not to be had: fetch anew
heartbeat      channel, sequence, data: {time, feedTime}
pong           data: {time}
error          channel where it applies, data: {reason, message, metadata}; a subscription that
               is told UNAVAILABLE or DEADLINE_EXCEEDED goes on by itself once that is over
```
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from services.kit.errors import Failure
from services.kit.reason import Reason

_SEQUENCE = re.compile(r"0|[1-9][0-9]{0,18}")
_SEQUENCE_MAX = 2**63 - 1
_TICKET_LENGTH_MAX = 4096


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Say who this is, once."""

    ticket: str


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Follow a channel, from after a sequence or from now on."""

    channel: str
    after: int | None


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Follow a channel no more."""

    channel: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Ask whether anybody is there, and what time it is."""


Request = Authenticate | Subscribe | Unsubscribe | Ping


def parse_request(text: str | bytes) -> Request:
    """Return what a client asks; Failure MALFORMED_FRAME when it is not one of the four."""
    if isinstance(text, bytes):
        raise _malformed("Frames are text.")
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _malformed("The frame is not JSON.") from error
    if not isinstance(frame, dict):
        raise _malformed("The frame is not an object.")
    match frame:
        case {"op": "authenticate", "ticket": str(ticket), **rest} if not rest:
            return Authenticate(_bounded(ticket))
        case {"op": "subscribe", "channel": str(channel), **rest} if rest.keys() <= {"after"}:
            return Subscribe(channel, _sequence(rest.get("after")))
        case {"op": "unsubscribe", "channel": str(channel), **rest} if not rest:
            return Unsubscribe(channel)
        case {"op": "ping", **rest} if not rest:
            return Ping()
    raise _malformed("The frame is no known operation with its own fields.")


def event(prefix: bytes, sequence: int, kind: str, data: bytes) -> bytes:
    """Return an event's frame: `prefix` of its channel, and `data` already in JSON."""
    return b'%b%d","type":"%b","data":%b}' % (prefix, sequence, kind.encode(), data)


def event_prefix(channel: str) -> bytes:
    """Return how all event frames of a channel begin."""
    return b'{"channel":%b,"sequence":"' % orjson.dumps(channel)


def authenticated(user_id: str) -> bytes:
    """Return the answer to a good ticket."""
    return orjson.dumps({"type": "authenticated", "data": {"userId": user_id}})


def subscribed(channel: str, sequence: int) -> bytes:
    """Return the answer to a subscription."""
    return orjson.dumps({"channel": channel, "sequence": str(sequence), "type": "subscribed"})


def unsubscribed(channel: str) -> bytes:
    """Return the answer to the end of a subscription."""
    return orjson.dumps({"channel": channel, "type": "unsubscribed"})


def gap(channel: str, after: int, sequence: int) -> bytes:
    """Say that what lies after one sequence, up to and including another, is not to be had."""
    frame = {"channel": channel, "sequence": str(sequence), "type": "gap"}
    return orjson.dumps({**frame, "data": {"after": str(after)}})


def heartbeat(channel: str, sequence: int, time: datetime, feed_time: datetime | None) -> bytes:
    """Say that a channel is alive, where it stands, and when the feed was last heard."""
    data = {"time": _rfc3339(time)}
    if feed_time is not None:
        data["feedTime"] = _rfc3339(feed_time)
    frame = {"channel": channel, "sequence": str(sequence), "type": "heartbeat"}
    return orjson.dumps({**frame, "data": data})


def pong(time: datetime) -> bytes:
    """Return the answer to a ping."""
    return orjson.dumps({"type": "pong", "data": {"time": _rfc3339(time)}})


def error(failure: Failure, channel: str | None = None) -> bytes:
    """Say why something was refused."""
    data: Mapping[str, object] = {
        "reason": failure.reason.value,
        "message": failure.message,
        "metadata": failure.metadata,
    }
    about = {} if channel is None else {"channel": channel}
    return orjson.dumps({**about, "type": "error", "data": data})


def _sequence(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and _SEQUENCE.fullmatch(value) and int(value) <= _SEQUENCE_MAX:
        return int(value)
    raise _malformed("`after` is a sequence: a whole number, as a string.")


def _bounded(ticket: str) -> str:
    if len(ticket) > _TICKET_LENGTH_MAX:
        raise _malformed("The ticket is too long.")
    return ticket


def _rfc3339(time: datetime) -> str:
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _malformed(message: str) -> Failure:
    return Failure(Reason.MALFORMED_FRAME, message)
