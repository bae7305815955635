"""How often one caller may call: with a real Valkey, with a dead one, and without one."""

import asyncio
import tempfile
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from edge.rest.limits import Limiter, LocalBuckets, SharedBuckets
from edge.settings import Allowance
from services.kit.clock import ManualClock, SystemClock, utc
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.local.valkey import Valkey, embedded_server
from tests.service.edge_rest_rpc import KEY, KEY_OWNER
from tests.service.edge_rest_world import ACCOUNT, World, order, running_edge
from tests.service.test_edge_rest_calls import reason_of
from tests.stores import ValkeyServer
from tests.waiting import PATIENCE_SECONDS, eventually

pytest_plugins = ["tests.service.edge_rest_fixtures"]
pytestmark = pytest.mark.security

FIVE = Allowance(per_second=0.01, burst=5)
QUICK = Allowance(per_second=5, burst=5)
SLOW = 0.001
"""So slow that nothing comes back while a test runs."""

CREDENTIALS = {"email": "ana@example.com", "password": "wrong horse battery"}


@pytest.fixture
async def redis(valkey: ValkeyServer) -> AsyncIterator[Redis]:
    """A client of an empty Valkey."""
    valkey.flush()
    async with Redis.from_url(valkey.url, socket_timeout=PATIENCE_SECONDS) as client:
        yield client


async def admitted(limiter: Limiter, caller: str = "ana", calls: int = 20) -> int:
    """Call so often, and return how many calls were let through."""
    answers = [await let_through(limiter, caller) for _ in range(calls)]
    return sum(answers)


async def let_through(limiter: Limiter, caller: str) -> bool:
    """Call once; tell whether that was allowed."""
    try:
        await limiter.admit("trade", caller)
    except Failure as failure:
        return failure.reason is not Reason.RATE_LIMITED
    return True


async def test_a_caller_has_a_burst_and_others_have_their_own(redis: Redis) -> None:
    limiter = Limiter(SharedBuckets(redis, SystemClock()), {"trade": FIVE}, SystemClock())
    assert await admitted(limiter) == 5
    assert await admitted(limiter, "bob") == 5


async def test_two_edges_share_one_allowance(redis: Redis) -> None:
    buckets = [SharedBuckets(redis, SystemClock()) for _ in range(2)]
    limiters = [Limiter(each, {"trade": FIVE}, SystemClock()) for each in buckets]
    counts = await asyncio.gather(*(admitted(limiter) for limiter in limiters))
    assert sum(counts) == 5


async def test_what_was_used_comes_back_with_time(redis: Redis) -> None:
    limiter = Limiter(SharedBuckets(redis, SystemClock()), {"trade": QUICK}, SystemClock())
    refused = not await let_through(limiter, "ana")
    while not refused:
        refused = not await let_through(limiter, "ana")
    await eventually(lambda: let_through(limiter, "ana"))


async def test_many_calls_at_once_are_counted_one_by_one(redis: Redis) -> None:
    wide = Allowance(per_second=20, burst=60)
    limiter = Limiter(SharedBuckets(redis, SystemClock()), {"trade": wide}, SystemClock())
    await redis.config_resetstat()
    calls = [limiter.admit("trade", "ana") for _ in range(60)]
    results = await asyncio.gather(*calls)
    assert len(results) == 60
    commands = int((await redis.info("commandstats"))["cmdstat_evalsha"]["calls"])
    assert commands < 60


async def test_buckets_of_callers_who_left_are_forgotten(redis: Redis) -> None:
    limiter = Limiter(SharedBuckets(redis, SystemClock()), {"trade": FIVE}, SystemClock())
    await admitted(limiter, calls=1)
    [key] = await redis.keys("limit:*")
    assert 0 < await redis.pttl(key) <= 102_000


async def test_without_redis_each_process_limits_by_itself() -> None:
    clock = ManualClock(utc(2026, 11, 23))
    nowhere = Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2)
    limiter = Limiter(SharedBuckets(nowhere, clock), {"trade": FIVE}, clock)
    assert await admitted(limiter) == 5
    await nowhere.aclose()


async def test_local_buckets_refill_by_the_clock() -> None:
    clock = ManualClock(utc(2026, 11, 23))
    limiter = Limiter(LocalBuckets(clock), {"trade": Allowance(per_second=1, burst=3)}, clock)
    assert await admitted(limiter) == 3
    clock.advance(utc(2026, 11, 23, 0, 0, 2) - utc(2026, 11, 23))
    assert await admitted(limiter) == 2


async def test_a_refusal_says_when_to_come_back(rest_world: World, valkey: ValkeyServer) -> None:
    valkey.flush()
    allowances = {"credential": {"per_second": SLOW, "burst": 3}}
    settings = rest_world.settings(redis_url=valkey.url, allowances=allowances)
    async with running_edge(settings) as rest:
        answers = [await rest.post("/v1/sessions", json=CREDENTIALS) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    told = [answer.headers["ratelimit"].rpartition(";t=") for answer in answers]
    assert [left for left, _, _ in told] == [f'"credential";r={left}' for left in (2, 1, 0, 0)]
    for (_, _, seconds), most in zip(told, (1_000, 2_000, 3_000, 3_000), strict=True):
        assert most - PATIENCE_SECONDS < int(seconds) <= most
    assert answers[0].headers["ratelimit-policy"] == '"credential";q=3;w=3000'
    assert reason_of(answers[3]) == (429, "RATE_LIMITED")
    assert 1_000 - PATIENCE_SECONDS < int(answers[3].headers["retry-after"]) <= 1_000
    assert answers[3].json()["metadata"] == {"cost": "CREDENTIAL"}
    assert answers[3].json()["retryable"] is True


async def test_credentials_count_by_address_whoever_asks(rest_world: World) -> None:
    allowances = {"credential": {"per_second": SLOW, "burst": 2}}
    settings = rest_world.settings(allowances=allowances, trusted_proxies=("127.0.0.0/8",))

    async def log_in(rest: httpx.AsyncClient, forwarded: str) -> int:
        headers = {"X-Forwarded-For": forwarded} | rest_world.bearer()
        return (await rest.post("/v1/sessions", json=CREDENTIALS, headers=headers)).status_code

    async with running_edge(settings) as rest:
        assert [await log_in(rest, "203.0.113.7") for _ in range(3)] == [401, 401, 429]
        assert await log_in(rest, "203.0.113.8") == 401
        assert await log_in(rest, "6.6.6.6, 203.0.113.7") == 429
    async with running_edge(rest_world.settings(allowances=allowances)) as rest:
        spoofed = [await log_in(rest, f"203.0.113.{n}") for n in range(3)]
        assert spoofed == [401, 401, 429]


async def test_users_are_counted_apart_even_behind_one_address(rest_world: World) -> None:
    settings = rest_world.settings(allowances={"read": {"per_second": SLOW, "burst": 2}})

    async def profile(rest: httpx.AsyncClient, user: str) -> int:
        return (await rest.get("/v1/users/me", headers=rest_world.bearer(user=user))).status_code

    async with running_edge(settings) as rest:
        assert [await profile(rest, "ana") for _ in range(3)] == [200, 200, 429]
        assert await profile(rest, "bob") == 200


async def test_the_keys_of_a_user_count_together_and_apart_from_him(rest_world: World) -> None:
    settings = rest_world.settings(allowances={"trade": {"per_second": SLOW, "burst": 2}})
    orders, key = f"/v1/accounts/{ACCOUNT}/orders", {"Authorization": f"Bearer {KEY}"}
    owner = rest_world.bearer(user=KEY_OWNER)

    async def buy(rest: httpx.AsyncClient, headers: dict[str, str]) -> int:
        return (await rest.post(orders, json=order(), headers=headers)).status_code

    async with running_edge(settings) as rest:
        assert [await buy(rest, key) for _ in range(3)] == [200, 200, 429]
        assert await buy(rest, owner) == 200


async def test_who_guesses_keys_is_stopped_before_identity_is_asked(rest_world: World) -> None:
    settings = rest_world.settings(allowances={"credential": {"per_second": SLOW, "burst": 3}})
    async with running_edge(settings) as rest:
        answers = [
            await rest.get("/v1/users/me", headers={"Authorization": f"Bearer vtk_guess{number}"})
            for number in range(6)
        ]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429, 429]
    assert answers[-1].json()["metadata"] == {"cost": "CREDENTIAL"}
    assert len(rest_world.api_keys.exchanged) == 3


async def answering(valkey: Valkey) -> None:
    """Wait until a Valkey answers; the whole test has a time limit."""
    async with Redis.from_url(valkey.url) as client:
        while True:
            try:
                await client.ping()
            except RedisConnectionError:
                await asyncio.sleep(0.01)
            else:
                return


async def test_calls_go_on_when_valkey_dies_and_the_limit_still_holds(rest_world: World) -> None:
    with tempfile.TemporaryDirectory(prefix="veritick-") as folder:
        valkey = Valkey(Path(folder), embedded_server())
        process = await asyncio.create_subprocess_exec(*valkey.command(), stdout=DEVNULL)
        allowances = {"read": {"per_second": SLOW, "burst": 4}}
        settings = rest_world.settings(redis_url=valkey.url, allowances=allowances)
        try:
            await answering(valkey)
            async with running_edge(settings) as rest:
                assert (await rest.get("/v1/instruments")).status_code == 200
                process.kill()
                await process.wait()
                after = [(await rest.get("/v1/instruments")).status_code for _ in range(6)]
        finally:
            with suppress(ProcessLookupError):
                process.kill()
    assert after == [200, 200, 200, 200, 429, 429]
