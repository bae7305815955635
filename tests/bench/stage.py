"""Where the socket is measured: `edge stream` as a process of its own, and what it stands on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hiredis

from services.kit.stream import entry_id, heading, stream_key
from services.kit.wire import to_timestamp
from services.local.keys import ensure_keys
from tests.bench.crowd import Crowd, Reader
from tests.bench.processes import Running, running
from tests.service.edge_stream_world import World, running_world
from veritick.event.v1.event_pb2 import BalanceChanged, Event, OrderSettled
from veritick.journal.v1.journal_service_pb2 import JournalEntry
from veritick.quotes.v1.instrument_pb2 import Tick
from veritick.trading.v1.account_pb2 import Account
from veritick.trading.v1.order_pb2 import UP, Order
from veritick.type.v1.money_pb2 import Money
from veritick.type.v1.price_pb2 import Price

SYMBOL = "BTCUSD"
_SOCKETS_MAX = "10000"
_AT_ONCE = 100
"""Readers that sign in together; the services that keep lists share a process with them all."""


@dataclass
class Stage:
    """A running edge, and readers who follow accounts and prices on it."""

    world: World
    edge: Running
    channels: list[str] = field(default_factory=list)
    """The account that each reader follows."""

    @property
    def redis_url(self) -> str:
        """Where Redis is."""
        return self.world.store.valkey.url

    async def seat(self, crowd: Crowd, readers: Iterable[Reader]) -> None:
        """Sign readers in, each as a user of its own who follows an account and a price."""
        aim = crowd.words
        for number, reader in enumerate(readers, start=1):
            user = self.world.user()
            channel = self.world.account(user)
            reader.say(op="authenticate", ticket=self.world.ticket(user))
            reader.say(op="subscribe", channel=channel)
            reader.say(op="subscribe", channel=f"ticks:{SYMBOL}")
            self.channels.append(channel)
            aim += 3
            if number % _AT_ONCE == 0:
                await crowd.until_answered(aim)
        await crowd.until_answered(aim)

    def settlements(self, rounds: int, channels: Sequence[str] = ()) -> bytes:
        """Commit a settlement and the balance after it, so often on each account or on these.

        Returns the commands that publish them as the relay does.
        """
        return b"".join(
            _xadd(self.world.trading.append("demo", channel, event))
            for _ in range(rounds)
            for channel in channels or self.channels
            for event in (settled(channel), balance(channel))
        )

    async def command(self, commands: bytes) -> None:
        """Send commands to Redis, whatever it answers."""
        reader, writer = await asyncio.open_unix_connection(str(self.world.store.valkey.socket))
        answers = asyncio.create_task(reader.read(-1))
        writer.write(commands)
        await writer.drain()
        writer.write_eof()
        await answers
        writer.close()


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    """Run `edge stream` among services that keep lists."""
    keys, run = folder / "keys", folder / "valkey"
    ensure_keys(keys)
    run.mkdir(mode=0o700, exist_ok=True)
    async with running_world(keys, run) as world:
        world.tick(SYMBOL, 10_000)
        async with running("edge", "stream", environment=_environment(world)) as edge:
            yield Stage(world, edge)


def settled(channel: str) -> Event:
    """Return the settlement of an order, with all that it says."""
    now = to_timestamp(datetime.now(UTC))
    tick = Tick(instrument=SYMBOL, number=1_000, price=Price(mantissa=6_512_345, scale=2), time=now)
    order = Order(
        order_id="demo_0199f5a0-0000-7000-8000-000000000001",
        account_id=channel.partition(":")[2],
        request_id="7d3f4c6e-3a52-4d7e-9f0c-1f2e3d4c5b6a",
        instrument=SYMBOL,
        direction=UP,
        stake=_money(100),
        payout_bp=8_500,
        state=Order.CLOSED,
        outcome=Order.WIN,
        returned=_money(185),
        entry_tick=tick,
        close_tick=tick,
        open_time=now,
        expire_time=now,
        close_time=now,
        terms_version=1,
    )
    return Event(order_settled=OrderSettled(order=order))


def balance(channel: str) -> Event:
    """Return a balance, with all that it says."""
    account = Account(
        account_id=channel.partition(":")[2],
        currency_code="USD",
        posted=_money(1_000_000),
        held=_money(0),
        available=_money(1_000_000),
        state=Account.OPEN,
        open_orders=1,
    )
    return Event(balance_changed=BalanceChanged(account=account))


def _environment(world: World) -> dict[str, str]:
    return {
        "VERITICK_MODE": "development",
        "VERITICK_KEYS": str(world.keys),
        "VERITICK_REDIS_URL": world.store.valkey.url,
        "VERITICK_STREAM_LISTEN": "127.0.0.1:0",
        "VERITICK_ADDRESS_SOCKETS_MAX": _SOCKETS_MAX,
        "VERITICK_HEARTBEAT_SECONDS": "5",
        **{f"VERITICK_{name.upper()}_ADDRESS": where for name, where in world.addresses.items()},
    }


def _money(minor_units: int) -> Money:
    return Money(currency_code="USD", minor_units=minor_units)


def _xadd(entry: JournalEntry) -> bytes:
    head = heading(entry.subject, entry.sequence, entry.type)
    event = entry.event.SerializeToString()
    command: Any = ("XADD", stream_key("demo"), entry_id(entry.position), head, event)
    return bytes(hiredis.pack_command(command))
