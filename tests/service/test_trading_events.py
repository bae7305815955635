"""What an account's stream tells a service that follows it by gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from services.kit.errors import Failure
from services.kit.ids import scoped
from services.kit.principal import Principal, set_caller
from services.kit.reason import Reason
from services.trading import rpc
from services.trading.book import Account
from services.trading.rpc import AccountEventFace
from tests.service.trading_fixtures import Bench, bench
from tests.stores import Postgres
from veritick.journal.v1.account_event_service_pb2 import (
    ListAccountEventsRequest,
    WatchAccountEventsRequest,
    WatchAccountEventsResponse,
)

PATIENCE_SECONDS = 20
Watch = AsyncIterator[WatchAccountEventsResponse]


@pytest_asyncio.fixture
async def demo(postgres: Postgres) -> AsyncIterator[Bench]:
    async with bench(postgres) as lent:
        yield lent


@asynccontextmanager
async def watched(demo: Bench, account: Account, after: int = 0) -> AsyncIterator[Watch]:
    """Watch what happens to an account, as its owner."""
    set_caller(Principal("user", str(account.user_id)))
    request = WatchAccountEventsRequest(account_id=scoped("demo", account.account_id), after=after)
    stream: Watch = AccountEventFace({"demo": demo.desk}).WatchAccountEvents(request, None)
    try:
        yield stream
    finally:
        await stream.aclose()  # type: ignore[attr-defined]


async def heard(stream: Watch, events: int) -> list[tuple[int, str]]:
    """Return the sequence and the type of so many events or more, as they come."""
    told: list[tuple[int, str]] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(told) < events:
            page = (await anext(stream)).events
            told += [(entry.sequence, entry.type) for entry in page]
    return told


@pytest.mark.parametrize("page", [1, 2, 1_000])
async def test_an_account_is_told_everything_once_and_in_order(
    demo: Bench, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(rpc, "_WATCH_PAGE", page)
    account = await demo.account()
    await demo.place(account)
    async with watched(demo, account) as stream:
        past = await heard(stream, 3)
        coming = asyncio.create_task(heard(stream, 4))
        await demo.place(account)
        await demo.place(account)
        told = past + await coming
    assert [sequence for sequence, _ in told] == list(range(1, 8))
    assert [kind for _, kind in told].count("order.opened.v1") == 3


async def test_who_has_heard_some_is_told_the_rest(demo: Bench) -> None:
    account = await demo.account()
    await demo.place(account)
    async with watched(demo, account, after=2) as stream:
        assert [sequence for sequence, _ in await heard(stream, 1)] == [3]


async def test_nobody_waits_after_what_never_happened_to_an_account(demo: Bench) -> None:
    account = await demo.account()
    listed = await AccountEventFace({"demo": demo.desk}).ListAccountEvents(_listing(account), None)
    async with watched(demo, account, after=listed.last_sequence + 1) as stream:
        with pytest.raises(Failure) as refused:
            await anext(stream)
    assert refused.value.reason is Reason.SEQUENCE_AHEAD
    assert refused.value.metadata == {"last_sequence": str(listed.last_sequence)}


async def test_nobody_is_told_of_an_account_of_others(demo: Bench) -> None:
    mine, others = await demo.account(), await demo.account()
    async with watched(demo, others) as stream:
        set_caller(Principal("user", str(mine.user_id)))
        with pytest.raises(Failure) as refused:
            await anext(stream)
    assert refused.value.reason is Reason.ACCOUNT_NOT_FOUND


def _listing(account: Account) -> ListAccountEventsRequest:
    set_caller(Principal("user", str(account.user_id)))
    return ListAccountEventsRequest(account_id=scoped("demo", account.account_id))
