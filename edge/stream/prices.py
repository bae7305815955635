"""What quotes publishes: ticks and watermarks, by plain publish."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import structlog
from google.protobuf.message import DecodeError
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from edge.stream.market import Market
from veritick.quotes.v1.market_data_service_pb2 import TickBatch, Watermark

_TICKS = "ticks:"
_WATERMARK = "watermark"
_SILENCE_SECONDS = 5.0
"""Watermarks come ten times a second: longer silence is a connection that died, or quotes away."""

_log = structlog.stdlib.get_logger()


class PriceReader:
    """Hands published prices to the hub; while there are none, the hub asks quotes."""

    def __init__(self, redis: Redis, market: Market, random: Random, poll_seconds: float) -> None:
        """While nothing is published quotes is asked every `poll_seconds`, give or take a half."""
        self._redis = redis
        self._market = market
        self._random = random
        self._poll_seconds = poll_seconds
        self._interrupted = False

    async def run(self) -> None:
        """Read for ever."""
        while True:
            try:
                async with self._redis.pubsub() as published:
                    await self._read(published)
            except (RedisError, OSError, TimeoutError) as error:
                if not self._interrupted:
                    _log.warning("prices are asked for", reason=str(error) or "silence")
                self._interrupted = True
                self._market.check()
                await asyncio.sleep(self._poll_seconds * self._random.uniform(0.5, 1.5))

    async def _read(self, published: PubSub) -> None:
        await published.subscribe(_WATERMARK)
        await published.psubscribe(f"{_TICKS}*")
        while True:
            async with asyncio.timeout(_SILENCE_SECONDS):
                message = await published.get_message(timeout=None)
            if message and message["type"] == "psubscribe":
                self._begin()
            elif message and message["type"] != "subscribe":
                self._receive(message)

    def _begin(self) -> None:
        """From here on everything is heard; what came before is for quotes to tell."""
        self._market.check()
        if self._interrupted:
            self._interrupted = False
            _log.info("prices are published again")

    def _receive(self, message: dict[str, Any]) -> None:
        channel = message["channel"].decode()
        try:
            if channel == _WATERMARK:
                self._market.heard(Watermark.FromString(message["data"]))
            elif self._market.wants(symbol := channel.removeprefix(_TICKS)):
                self._market.receive(symbol, TickBatch.FromString(message["data"]).ticks)
        except DecodeError:
            _log.warning("a published price cannot be read", channel=channel)
