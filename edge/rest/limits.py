"""How often one caller may call: token buckets in Redis, shared by all edges.

Redis is asked for a few calls at a time (what refills in a quarter of a second), so that a busy
caller does not cost a round trip per call. While Redis is away each process limits by itself:
nobody is locked out by its loss, and nobody is let loose.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from edge.settings import Allowance
from services.kit.clock import Clock
from services.kit.errors import Failure
from services.kit.reason import Reason

LEASE_SECONDS = 0.25
_REDIS_REST_SECONDS = 1.0
_CALLERS_MAX = 20_000
_TAKE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local rate, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local bucket = redis.call('HMGET', KEYS[1], 'left', 'at')
local left, at = tonumber(bucket[1]) or burst, tonumber(bucket[2]) or now
left = math.min(burst, left + math.max(0, now - at) * rate)
local granted = math.min(wanted, math.floor(left))
left = left - granted
redis.call('HSET', KEYS[1], 'left', string.format('%.6f', left), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - left) / rate * 1000) + 1000)
return {granted, string.format('%.6f', left)}
"""
_log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True)
class Grant:
    """How many calls were granted, and how many are left to ask for."""

    calls: int
    left: float


class Buckets(Protocol):
    """Where buckets are kept."""

    async def take(self, key: str, allowance: Allowance, wanted: int) -> Grant:
        """Take up to so many calls from a bucket."""


class LocalBuckets:
    """Buckets of this process alone. The least recently used of too many is forgotten."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def take(self, key: str, allowance: Allowance, wanted: int) -> Grant:
        """Take up to so many calls from a bucket."""
        now = self._clock.monotonic()
        left, at = self._buckets.pop(key, (float(allowance.burst), now))
        left = min(allowance.burst, left + (now - at) * allowance.per_second)
        granted = min(wanted, math.floor(left))
        self._buckets[key] = (left - granted, now)
        if len(self._buckets) > _CALLERS_MAX:
            self._buckets.popitem(last=False)
        return Grant(granted, left - granted)


class SharedBuckets:
    """Buckets in Redis, and in this process while Redis does not answer."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._take = redis.register_script(_TAKE)
        self._clock = clock
        self._local = LocalBuckets(clock)
        self._rest_until = 0.0

    async def take(self, key: str, allowance: Allowance, wanted: int) -> Grant:
        """Take up to so many calls from a bucket."""
        if self._clock.monotonic() >= self._rest_until:
            try:
                return await self._shared(key, allowance, wanted)
            except (RedisError, OSError, TimeoutError) as error:
                self._rest_until = self._clock.monotonic() + _REDIS_REST_SECONDS
                _log.warning("limiting locally", error=type(error).__name__)
        return await self._local.take(key, allowance, wanted)

    async def _shared(self, key: str, allowance: Allowance, wanted: int) -> Grant:
        arguments = [allowance.per_second, allowance.burst, wanted]
        granted, left = await self._take(keys=[f"limit:{key}"], args=arguments)
        return Grant(int(granted), float(left))


@dataclass(slots=True)
class _Lease:
    """Calls taken from a bucket and not yet made."""

    calls: int = 0
    left: float = 0
    ends: float = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Limiter:
    """Admits calls by caller and cost class, or refuses with RATE_LIMITED."""

    def __init__(self, buckets: Buckets, allowances: Mapping[str, Allowance], clock: Clock) -> None:
        """Limit by these allowances, whose keys are cost classes in lower case."""
        self._buckets = buckets
        self._allowances = allowances
        self._clock = clock
        self._leases: OrderedDict[str, _Lease] = OrderedDict()

    async def admit(self, cost: str, caller: str) -> dict[str, str]:
        """Count one call and return the headers that tell what is left.

        Failure RATE_LIMITED, with `retry_after`, when nothing is; its headers are `exhausted`.
        """
        allowance = self._allowances[cost]
        lease = self._lease(f"{cost}:{caller}")
        async with lease.lock:
            if lease.calls == 0 or self._clock.monotonic() >= lease.ends:
                await self._renew(lease, f"{cost}:{caller}", allowance)
            if lease.calls == 0:
                raise _refusal(cost, allowance, lease.left)
            lease.calls -= 1
            return headers(cost, allowance, lease.calls + lease.left)

    def exhausted(self, cost: str) -> dict[str, str]:
        """Return the headers of a refusal."""
        return headers(cost, self._allowances[cost], 0)

    def _lease(self, key: str) -> _Lease:
        lease = self._leases.get(key)
        if lease is None:
            lease = self._leases[key] = _Lease()
            if len(self._leases) > _CALLERS_MAX:
                self._leases.popitem(last=False)
        else:
            self._leases.move_to_end(key)
        return lease

    async def _renew(self, lease: _Lease, key: str, allowance: Allowance) -> None:
        wanted = max(1, int(allowance.per_second * LEASE_SECONDS))
        grant = await self._buckets.take(key, allowance, min(wanted, allowance.burst))
        lease.calls, lease.left = grant.calls, grant.left
        lease.ends = self._clock.monotonic() + LEASE_SECONDS


def headers(cost: str, allowance: Allowance, left: float) -> dict[str, str]:
    """Return what is left of a class, and its policy, as the IETF's draft writes them."""
    window = math.ceil(allowance.burst / allowance.per_second)
    full_in = math.ceil((allowance.burst - left) / allowance.per_second)
    return {
        "RateLimit-Policy": f'"{cost}";q={allowance.burst};w={window}',
        "RateLimit": f'"{cost}";r={max(0, math.floor(left))};t={max(0, full_in)}',
    }


def _refusal(cost: str, allowance: Allowance, left: float) -> Failure:
    wait = max(0.0, 1 - left) / allowance.per_second
    return Failure(
        Reason.RATE_LIMITED,
        "Too many calls of this kind; wait a moment.",
        metadata={"cost": cost.upper()},
        retry_after=timedelta(seconds=wait),
    )
