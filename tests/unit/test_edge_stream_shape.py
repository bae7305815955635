"""How the cost of delivery grows: a tick with its own subscribers, an event with its own, encoded
once, and nothing with how many others there are."""

import importlib
from collections.abc import Callable
from random import Random

import pytest

from edge.stream.candle import Candle
from edge.stream.channel import JournalChannel, TickChannel
from edge.stream.event import JournalEvent
from edge.stream.journals import Journals
from edge.stream.listener import Conflated
from edge.stream.market import Market
from edge.stream.neighbours import Page
from services.kit.clock import utc
from services.kit.wire import to_timestamp
from veritick.quotes.v1.instrument_pb2 import Market as MarketMessage
from veritick.quotes.v1.instrument_pb2 import Tick
from veritick.type.v1.price_pb2 import Price

SUBSCRIBERS = 3
OTHERS = [0, 200]


class Counting:
    """A socket that counts what it is sent, and keeps the frames."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def deliver(self, *frames: bytes) -> None:
        self.frames += frames

    def refresh(self, source: Conflated, frame: bytes) -> None:
        self.frames.append(frame)

    def forget(self, source: Conflated) -> None: ...

    def hint(self, frame: bytes) -> None:
        self.frames.append(frame)

    async def writable(self) -> None: ...


class Quotes:
    """Knows every instrument, and nothing of its past."""

    async def market(self, symbol: str) -> MarketMessage:
        return MarketMessage(instrument=symbol)

    async def candles(self, symbol: str, interval_seconds: int, count: int) -> tuple[Candle, ...]:
        return ()


class NoPast:
    """A journal in which nothing has happened yet."""

    async def list_events(self, channel: JournalChannel, after: int | None, user_id: str) -> Page:
        return Page([], 0)


def tick(symbol: str) -> Tick:
    time = to_timestamp(utc(2026, 11, 23, 12))
    return Tick(instrument=symbol, number=1, price=Price(mantissa=1, scale=0), time=time)


@pytest.mark.parametrize("others", OTHERS)
async def test_a_tick_costs_its_subscribers(others: int, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Market(Quotes(), lambda *_: pytest.fail("no candles are followed"))
    mine = [Counting() for _ in range(SUBSCRIBERS)]
    theirs = [Counting() for _ in range(others)]
    for listener in mine:
        await hub.follow(TickChannel("ticks:A", "A"), listener)
    for number, listener in enumerate(theirs):
        await hub.follow(TickChannel(f"ticks:B{number}", f"B{number}"), listener)
    for listener in (*mine, *theirs):
        listener.frames.clear()
    encoded = counted(monkeypatch, "edge.stream.instrument.to_json")

    assert not hub.wants("C"), "a tick that nobody follows is not even decoded"
    hub.receive("A", [tick("A")])

    assert encoded == [1]
    assert [len(listener.frames) for listener in mine] == [1] * SUBSCRIBERS
    assert len({id(listener.frames[0]) for listener in mine}) == 1
    assert sum(len(listener.frames) for listener in theirs) == 0


@pytest.mark.parametrize("others", OTHERS)
async def test_an_event_costs_its_subscribers(others: int, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Journals(NoPast(), lambda _: None, Random(1))
    mine = [Counting() for _ in range(SUBSCRIBERS)]
    theirs = [Counting() for _ in range(others)]
    for listener in mine:
        await hub.follow(channel("account:demo_a"), "u", None, listener)
    for number, listener in enumerate(theirs):
        await hub.follow(channel(f"account:demo_{number}"), "u", None, listener)
    for listener in (*mine, *theirs):
        listener.frames.clear()
    encoded = counted(monkeypatch, "edge.stream.frame.event")

    event = JournalEvent(1, "balance.changed.v1", b"{}")
    assert "account:demo_nobody" not in hub.followed("demo")
    hub.receive("demo", "account:demo_a", [event])

    assert encoded == [1]
    assert [len(listener.frames) for listener in mine] == [1] * SUBSCRIBERS
    assert sum(len(listener.frames) for listener in theirs) == 0
    await hub.close()


def channel(name: str) -> JournalChannel:
    return JournalChannel(name, "demo", name, private=True)


def counted(monkeypatch: pytest.MonkeyPatch, place: str) -> list[int]:
    """Count the calls of a function from here on."""
    module_name, _, name = place.rpartition(".")
    module = importlib.import_module(module_name)
    real: Callable[..., object] = getattr(module, name)
    calls = [0]

    def counting(*arguments: object) -> object:
        calls[0] += 1
        return real(*arguments)

    monkeypatch.setattr(module, name, counting)
    return calls
