"""Streams that outlive their connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, TypeVar

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message

from veritick.errors import VeritickError
from veritick.event.v1.event_pb2 import Event
from veritick.journal.v1.account_event_service_pb2 import (
    ListAccountEventsRequest,
    ListAccountEventsResponse,
)
from veritick.journal.v1.journal_service_pb2 import JournalEntry
from veritick.pace import Pace
from veritick.quotes.v1.instrument_pb2 import Tick
from veritick.quotes.v1.market_data_service_pb2 import TickBatch
from veritick.socket import Door, Frame, frames

R = TypeVar("R", bound=Message)
T = TypeVar("T")

_PAGE_SIZE = 500


class Call(Protocol):
    """How a stream asks for what it missed."""

    async def __call__(self, request: Message, response: type[R], /) -> R:
        """Make one call."""


class Streams:
    """Makes streams that reconnect by themselves, for as long as somebody reads them.

    A stream ends only by an error that another attempt would not cure, such as SESSION_ENDED.
    """

    def __init__(
        self,
        call: Call,
        door: Callable[[], Awaitable[Door]],
        pace: Pace,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Open sockets at `door`, with a fresh ticket each time."""
        self._call = call
        self._door = door
        self._pace = pace
        self._sleep = sleep

    def account_events(self, account_id: str, after: int) -> AsyncGenerator[JournalEntry, None]:
        """Yield what happened to an account after a sequence: each event once, in order."""
        place = _Place(account_id, after)
        return self._resuming(lambda: self._missed_then_live(place))

    def ticks(self, instruments: Sequence[str]) -> AsyncGenerator[Tick, None]:
        """Yield ticks as they come, beginning with the last one; none twice."""
        last = dict.fromkeys(instruments, 0)
        return self._resuming(lambda: self._new_ticks(last))

    async def _resuming(
        self, connected: Callable[[], AsyncGenerator[T, None]]
    ) -> AsyncGenerator[T, None]:
        """Yield what one connection after the other yields."""
        attempt = 0
        while True:
            try:
                async with aclosing(connected()) as items:
                    async for item in items:
                        attempt = 0
                        yield item
            except VeritickError as error:
                if not error.retryable:
                    raise
            attempt += 1
            await self._sleep(self._pace.wait_seconds(attempt))

    async def _missed_then_live(self, place: _Place) -> AsyncGenerator[JournalEntry, None]:
        """Yield entries in order until the connection is lost or tells less than there is."""
        async for missed in self._missed(place):
            yield missed
        subscription = {"channel": place.channel, "after": str(place.after)}
        async with aclosing(frames(await self._door(), [subscription])) as received:
            async for frame in received:
                entry = _entry(frame, place.channel)
                if _tells_of_more(frame, place, entry):
                    return
                if entry is not None and entry.sequence == place.after + 1:
                    place.after = entry.sequence
                    yield entry

    async def _missed(self, place: _Place) -> AsyncGenerator[JournalEntry, None]:
        while True:
            request = ListAccountEventsRequest(
                account_id=place.account_id, after=place.after, page_size=_PAGE_SIZE
            )
            page = await self._call(request, ListAccountEventsResponse)
            for entry in page.events:
                place.after = entry.sequence
                yield entry
            if place.after > page.last_sequence:
                raise _ahead(place, page.last_sequence)
            if not page.events or place.after >= page.last_sequence:
                return

    async def _new_ticks(self, last: dict[str, int]) -> AsyncGenerator[Tick, None]:
        subscriptions = [{"channel": f"ticks:{instrument}"} for instrument in last]
        async with aclosing(frames(await self._door(), subscriptions)) as received:
            async for frame in received:
                for tick in _ticks(frame):
                    if tick.number > last.get(tick.instrument, 0):
                        last[tick.instrument] = tick.number
                        yield tick


@dataclass(slots=True)
class _Place:
    """How far a reader of an account's events has come."""

    account_id: str
    after: int

    @property
    def channel(self) -> str:
        return f"account:{self.account_id}"


def _ahead(place: _Place, last: int) -> VeritickError:
    text = f"{place.channel} ends at {last}: the {place.after} events heard of are not its own."
    return VeritickError("SEQUENCE_AHEAD", text, metadata={"last_sequence": str(last)})


def _entry(frame: Frame, channel: str) -> JournalEntry | None:
    """Return the event of a frame of this channel, or None if it is another kind of frame."""
    kind, data = str(frame.get("type")), frame.get("data")
    if frame.get("channel") != channel or "." not in kind or not isinstance(data, dict):
        return None
    entry = JournalEntry(subject=channel, sequence=_sequence(frame), type=kind)
    field = kind.rpartition(".v")[0].replace(".", "_")
    # An event that is newer than this client is still told, by its type and sequence.
    if field in Event.DESCRIPTOR.fields_by_name:
        _parse({field: data}, entry.event)
    return entry


def _tells_of_more(frame: Frame, place: _Place, entry: JournalEntry | None) -> bool:
    """Tell whether a frame shows that something before it was not delivered."""
    if frame.get("channel") != place.channel:
        return False
    if frame.get("type") in {"gap", "snapshot"}:
        return True
    if frame.get("type") == "heartbeat":
        return _sequence(frame) > place.after
    return entry is not None and entry.sequence > place.after + 1


def _sequence(frame: Frame) -> int:
    text = str(frame.get("sequence", 0))
    return int(text) if text.isdecimal() else 0


def _ticks(frame: Frame) -> list[Tick]:
    data = frame.get("data")
    if not str(frame.get("channel", "")).startswith("ticks:") or not isinstance(data, dict):
        return []
    if "ticks" in data:
        return list(_parse(data, TickBatch()).ticks)
    if "number" in data:
        return [_parse(data, Tick())]
    return []


def _parse(data: Frame, message: R) -> R:
    """Read what a frame says into a message; fields that this version lacks are skipped."""
    try:
        ParseDict(data, message, ignore_unknown_fields=True)
    except ParseError as error:
        text = f"The server sent what is no {type(message).__name__}: {error}"
        raise VeritickError("MALFORMED_FRAME", text) from error
    return message
