"""Private and public events on the socket, with all that can go wrong on their way."""

import asyncio

from edge.stream.app import running
from services.local.ports import Ports
from tests.platform import free_base
from tests.service.edge_stream_world import (
    World,
    balance,
    client,
    service,
    signed_in,
)

pytest_plugins = ["tests.service.edge_stream_fixtures"]


async def test_an_event_looks_as_the_contract_says(stage: World, edge: str) -> None:
    user_id = stage.user()
    channel = stage.account(user_id)
    async with signed_in(stage, edge, user_id) as reader:
        assert await reader.subscribe(channel) == {
            "channel": channel,
            "sequence": "0",
            "type": "subscribed",
        }
        await stage.publish(stage.commit(channel, amount=1050))
        event = await reader.next()
    account = event["data"]["account"]
    assert (event["channel"], event["sequence"], event["type"]) == (
        channel,
        "1",
        "balance.changed.v1",
    )
    assert account["available"] == {"currencyCode": "", "minorUnits": "1050"}
    assert account["openOrders"] == 0


async def test_what_happened_after_the_last_seen_event_is_replayed_and_the_present_follows(
    stage: World, edge: str
) -> None:
    user_id = stage.user()
    channel = stage.account(user_id)
    await stage.happen(channel, times=1200)
    async with signed_in(stage, edge, user_id) as reader:
        assert (await reader.subscribe(channel, after=3))["sequence"] == "1200"
        await stage.happen(channel, times=5)
        assert await reader.events(1202) == list(range(4, 1206))


async def test_events_that_come_while_the_past_is_replayed_are_neither_lost_nor_doubled(
    stage: World, edge: str
) -> None:
    user_id = stage.user()
    channel = stage.account(user_id)
    await stage.happen(channel, times=700)

    async def trade() -> None:
        for _ in range(300):
            await stage.happen(channel)

    async with signed_in(stage, edge, user_id) as first, signed_in(stage, edge, user_id) as second:
        trading = asyncio.create_task(trade())
        for reader in (first, second):
            await reader.subscribe(channel, after=0)
            assert await reader.events(1000) == list(range(1, 1001))
        await trading


async def test_an_event_that_redis_lost_is_filled_in_when_the_next_one_comes(
    stage: World, edge: str
) -> None:
    user_id = stage.user()
    channel = stage.account(user_id)
    async with signed_in(stage, edge, user_id) as reader:
        await reader.subscribe(channel)
        await stage.happen(channel)
        assert await reader.events(1) == [1]
        stage.commit(channel)
        stage.commit(channel)
        await stage.happen(channel)
        assert await reader.events(3) == [2, 3, 4]


async def test_an_event_lost_with_a_flush_is_found_without_a_successor(
    stage: World, edge: str
) -> None:
    user_id = stage.user()
    channel = stage.account(user_id)
    async with signed_in(stage, edge, user_id) as reader:
        await reader.subscribe(channel)
        await stage.happen(channel)
        assert await reader.events(1) == [1]
        stage.commit(channel)
        await stage.redis.flushall()
        assert await reader.events(1) == [2]
        await stage.happen(channel)
        assert await reader.events(1) == [3]


async def test_events_go_on_while_redis_is_dead_and_after_it_is_back(
    stage: World, edge: str
) -> None:
    user_id = stage.user()
    channel = stage.account(user_id)
    async with signed_in(stage, edge, user_id) as reader:
        await reader.subscribe(channel)
        await stage.happen(channel)
        assert await reader.events(1) == [1]
        await stage.store.kill()
        stage.commit(channel)
        assert await reader.events(1) == [2]
        # Committed before Redis is back: once the edge has noticed that, it asks no more by itself.
        stage.commit(channel)
        await stage.store.start()
        assert await reader.events(1) == [3]
        await stage.happen(channel)
        assert await reader.events(1) == [4]


async def test_what_the_journal_no_longer_has_is_called_a_gap(stage: World, edge: str) -> None:
    user_id = stage.user()
    channel = stage.account(user_id)
    await stage.happen(channel, times=10)
    stage.trading.pruned = 6
    async with signed_in(stage, edge, user_id) as reader:
        await reader.subscribe(channel, after=2)
        gap = await reader.next()
        assert gap == {
            "channel": channel,
            "sequence": "6",
            "type": "gap",
            "data": {"after": "2"},
        }
        assert await reader.events(4) == [7, 8, 9, 10]


async def test_a_sequence_from_the_future_is_a_gap_back_to_the_present(
    stage: World, edge: str
) -> None:
    user_id = stage.user()
    channel = stage.account(user_id)
    await stage.happen(channel, times=2)
    async with signed_in(stage, edge, user_id) as reader:
        await reader.subscribe(channel, after=50)
        gap = await reader.next()
        assert (gap["type"], gap["sequence"], gap["data"]) == ("gap", "2", {"after": "50"})
        await stage.happen(channel)
        assert await reader.events(1) == [3]


async def test_an_entry_that_the_journal_does_not_know_is_not_shown_and_stops_nothing(
    stage: World, edge: str
) -> None:
    user_id = stage.user()
    channel = stage.account(user_id)
    async with signed_in(stage, edge, user_id) as reader:
        await reader.subscribe(channel)
        await stage.happen(channel)
        assert await reader.events(1) == [1]
        stray = stage.commit(channel, amount=666)
        stray.sequence = 9
        stage.trading.entries["demo", channel].pop()
        await stage.publish(stray)
        await asyncio.sleep(0.5)
        await stage.happen(channel)
        assert await reader.events(1) == [2]


async def test_public_events_need_no_ticket(stage: World, edge: str) -> None:
    async with client(edge) as reader:
        assert (await reader.subscribe("payouts:demo"))["type"] == "subscribed"
        assert (await reader.subscribe("instruments"))["type"] == "subscribed"
        await stage.publish(stage.trading.append("demo", "payouts", balance(1)))
        assert (await reader.next())["channel"] == "payouts:demo"
        changed = stage.quotes_journals.append("quotes", "instruments", balance(2))
        await stage.publish(changed, "quotes")
        assert (await reader.next())["channel"] == "instruments"


async def test_a_session_that_ends_closes_its_sockets_and_no_others(
    stage: World, edge: str
) -> None:
    user_id = stage.user()
    async with client(edge) as ending, client(edge) as staying:
        for reader, session in ((ending, "a"), (staying, "b")):
            await reader.say(op="authenticate", ticket=stage.ticket(user_id, session=session))
            await reader.next("authenticated")
        stage.revoked.end("a")
        assert await ending.closed() == 4001
        await staying.say(op="ping")
        assert (await staying.next())["type"] == "pong"


async def test_a_ticket_of_a_session_that_has_just_ended_opens_nothing(
    stage: World, edge: str
) -> None:
    user_id = stage.user()
    ticket = stage.ticket(user_id, session="a")
    stage.revoked.end("a")
    async with client(edge) as reader:
        await reader.say(op="authenticate", ticket=ticket)
        refused = await reader.next()
        assert (refused["type"], refused["data"]["reason"]) == ("error", "SESSION_ENDED")
        subscribed = await reader.subscribe(f"user:{user_id}")
        assert subscribed["data"]["reason"] == "UNKNOWN_CHANNEL"


async def test_a_ticket_is_not_believed_while_identity_has_not_been_heard(stage: World) -> None:
    user_id = stage.user()
    settings = stage.settings(identity_address="127.0.0.1:1")
    async with running(settings) as process, client(process.address) as reader:
        await reader.say(op="authenticate", ticket=stage.ticket(user_id))
        refused = await reader.next()
        assert (refused["type"], refused["data"]["reason"]) == ("error", "UNAVAILABLE")


async def test_a_session_that_ends_while_redis_is_dead_is_noticed_all_the_same(
    stage: World, edge: str
) -> None:
    user_id = stage.user()
    async with signed_in(stage, edge, user_id) as reader:
        await reader.subscribe(f"user:{user_id}")
        await stage.store.kill()
        stage.revoked.end("s1")
        assert await reader.closed() == 4001


async def test_a_subscription_waits_for_a_service_that_is_away(stage: World) -> None:
    user_id = stage.user()
    channel = stage.account(user_id)
    stage.commit(channel)
    settings = stage.settings(trading_address="127.0.0.1:1")
    async with running(settings) as process, signed_in(stage, process.address, user_id) as reader:
        refused = await reader.subscribe(channel, after=0)
        assert (refused["type"], refused["data"]["reason"]) == ("error", "UNAVAILABLE")
        await reader.say(op="ping")
        assert (await reader.next())["type"] == "pong"


async def test_a_service_that_comes_back_delivers_what_was_missed(stage: World) -> None:
    user_id = stage.user()
    channel = stage.account(user_id)
    stage.commit(channel)
    address = Ports(free_base()).address("trading")
    settings = stage.settings(trading_address=address)
    async with running(settings) as process, signed_in(stage, process.address, user_id) as reader:
        assert (await reader.subscribe(channel, after=0))["type"] == "error"
        async with service(stage, "trading", stage.trading, listen=address):
            assert (await reader.next("subscribed"))["sequence"] == "1"
            assert await reader.events(1) == [1]
        await stage.happen(channel)
        assert await reader.events(1) == [2]
        stage.commit(channel)
        await stage.happen(channel)
        async with service(stage, "trading", stage.trading, listen=address):
            assert await reader.events(2) == [3, 4]
