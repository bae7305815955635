"""The composition root of `edge stream`."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TypeVar
from uuid import uuid4

import grpc
import structlog
import uvloop
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from edge.address import Addresses
from edge.occupancy import Occupancy
from edge.stream.connection import Patience
from edge.stream.health import serving_health
from edge.stream.journals import Journals
from edge.stream.market import Market
from edge.stream.neighbours import GrpcJournals, GrpcMarket
from edge.stream.prices import PriceReader
from edge.stream.relay import JournalReader, Readers
from edge.stream.server import Door, SocketServer
from edge.stream.session import Hubs, Limits
from edge.stream.settings import StreamSettings
from edge.stream.tickets import Tickets
from services.kit.channels import Channels
from services.kit.clock import Clock, SystemClock
from services.kit.logs import configure_logs
from services.kit.revocation_feed import RevocationFeed
from services.kit.revocations import Revocations
from services.kit.settings import load_settings
from services.kit.tasks import end_tasks
from services.kit.tokens import Keyring

_NAME = "edge"
_REDIS_SECONDS = 2.0
T = TypeVar("T")
_log = structlog.stdlib.get_logger()


@dataclass(frozen=True)
class Running:
    """A process that serves sockets."""

    address: str
    tasks: Sequence[asyncio.Task[None]]
    """End only when something went wrong."""


def main() -> None:
    """Serve until SIGTERM or SIGINT; the exit code is 1 when something failed."""
    settings = load_settings(StreamSettings)
    configure_logs(f"{_NAME}-stream", settings.log_format)
    if not uvloop.run(_serve(settings)):
        raise SystemExit(1)


@asynccontextmanager
async def running(
    settings: StreamSettings,
    clock: Clock | None = None,
    random: Random | None = None,
) -> AsyncIterator[Running]:
    """Serve sockets within the block; neither Redis nor any service need be there."""
    clock, random = clock or SystemClock(), random or Random()  # noqa: S311  only to spread load
    keyring = Keyring.load(_required(settings.keys, "keys"), own=_NAME)
    async with AsyncExitStack() as stack:
        redis = _redis(settings)
        stack.push_async_callback(redis.aclose)
        channels = _channels(settings, keyring, clock)
        for channel in channels.values():
            stack.push_async_callback(channel.close)

        def reader(journal: str) -> JournalReader:
            return JournalReader(journal, redis, journals, clock, random, mark, poll)

        mark, poll = f"stream:mark:{uuid4()}", settings.poll_seconds
        readers = Readers(reader)
        stack.push_async_callback(readers.close)
        journals = Journals(GrpcJournals(channels), readers.read, random)
        stack.push_async_callback(journals.close)
        market = Market(GrpcMarket(channels["quotes"]), asyncio.get_running_loop().call_later)
        stack.push_async_callback(market.close)

        revoked = RevocationFeed(channels["identity"], Revocations(clock))
        tickets = Tickets(keyring, redis, clock)
        hubs = Hubs(journals, market, tickets, clock, random, revoked.revocations)
        server = SocketServer(_door(settings), hubs)
        prices = PriceReader(redis, market, random, poll)
        beat = partial(server.beat, settings.heartbeat_seconds)
        tasks = _tasks(stack, prices.run, beat, revoked.run)
        address = await stack.enter_async_context(server.serving())
        yield Running(address, tasks)


async def _serve(settings: StreamSettings) -> bool:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        if settings.metrics_listen:
            host, port = _host_port(settings.metrics_listen)
            ready = lambda: not stopping.is_set()  # noqa: E731
            await stack.enter_async_context(serving_health(host, port, ready))
        process = await stack.enter_async_context(running(settings))
        _log.info("serving", address=process.address)
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait([stop, *process.tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in process.tasks:
            if task.done():
                _log.error("a task failed", exc_info=task.exception())
        _log.info("stopping")
        failed = not stopping.is_set()
        stopping.set()
        return not failed


def _tasks(
    stack: AsyncExitStack, *works: Callable[[], Awaitable[None]]
) -> Sequence[asyncio.Task[None]]:
    async def run(work: Callable[[], Awaitable[None]]) -> None:
        await work()

    tasks = [asyncio.create_task(run(work)) for work in works]
    stack.push_async_callback(end_tasks, tasks)
    return tasks


def _redis(settings: StreamSettings) -> Redis:
    url = _required(settings.redis_url, "redis_url").get_secret_value()
    return Redis.from_url(
        url,
        socket_timeout=_REDIS_SECONDS,
        socket_connect_timeout=_REDIS_SECONDS,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )


def _channels(
    settings: StreamSettings, keyring: Keyring, clock: Clock
) -> dict[str, grpc.aio.Channel]:
    channels = Channels(keyring, clock, settings.tls)
    addresses = {
        "identity": settings.identity_address,
        "quotes": settings.quotes_address,
        "trading": settings.trading_address,
    }
    return {
        name: channels.to(name, _required(address, f"{name}_address"))
        for name, address in addresses.items()
    }


def _door(settings: StreamSettings) -> Door:
    host, port = _host_port(settings.stream_listen)
    return Door(
        host,
        port,
        Occupancy(settings.sockets_max, settings.address_sockets_max),
        Addresses(settings.trusted_proxies),
        frozenset((*settings.origins, *settings.cors_origins)),
        Limits(settings.subscriptions_max, user_sockets_max=settings.user_sockets_max),
        Patience(settings.queue_frames_max, settings.queue_bytes_max, settings.slow_reader_seconds),
        settings.drain_seconds,
        settings.http_tls,
    )


def _host_port(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def _required(value: T | None, name: str) -> T:
    if value is None:
        raise SystemExit(f"settings: VERITICK_{name.upper()}: is needed")
    return value
