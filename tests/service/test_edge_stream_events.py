"""Private and public events on the socket, with all that can go wrong on their way."""

import asyncio

from edge.stream.app import running
from tests.service.edge_stream_world import (
    World,
    balance,
    client,
    service,
    signed_in,
)

pytest_plugins = ["tests.service.edge_stream_fixtures"]


async def test_an_event_looks_as_the_contract_says(world: World, edge: str) -> None:
    user_id = world.user()
    channel = world.account(user_id)
    async with signed_in(world, edge, user_id) as reader:
        assert await reader.subscribe(channel) == {
            "channel": channel,
            "sequence": "0",
            "type": "subscribed",
        }
        await world.publish(world.commit(channel, amount=1050))
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
    world: World, edge: str
) -> None:
    user_id = world.user()
    channel = world.account(user_id)
    await world.happen(channel, times=1200)
    async with signed_in(world, edge, user_id) as reader:
        assert (await reader.subscribe(channel, after=3))["sequence"] == "1200"
        await world.happen(channel, times=5)
        assert await reader.events(1202) == list(range(4, 1206))


async def test_events_that_come_while_the_past_is_replayed_are_neither_lost_nor_doubled(
    world: World, edge: str
) -> None:
    user_id = world.user()
    channel = world.account(user_id)
    await world.happen(channel, times=700)

    async def trade() -> None:
        for _ in range(300):
            await world.happen(channel)

    async with signed_in(world, edge, user_id) as first, signed_in(world, edge, user_id) as second:
        trading = asyncio.create_task(trade())
        for reader in (first, second):
            await reader.subscribe(channel, after=0)
            assert await reader.events(1000) == list(range(1, 1001))
        await trading


async def test_an_event_that_redis_lost_is_filled_in_when_the_next_one_comes(
    world: World, edge: str
) -> None:
    user_id = world.user()
    channel = world.account(user_id)
    async with signed_in(world, edge, user_id) as reader:
        await reader.subscribe(channel)
        await world.happen(channel)
        assert await reader.events(1) == [1]
        world.commit(channel)
        world.commit(channel)
        await world.happen(channel)
        assert await reader.events(3) == [2, 3, 4]


async def test_an_event_lost_with_a_flush_is_found_without_a_successor(
    world: World, edge: str
) -> None:
    user_id = world.user()
    channel = world.account(user_id)
    async with signed_in(world, edge, user_id) as reader:
        await reader.subscribe(channel)
        await world.happen(channel)
        assert await reader.events(1) == [1]
        world.commit(channel)
        await world.redis.flushall()
        assert await reader.events(1) == [2]
        await world.happen(channel)
        assert await reader.events(1) == [3]


async def test_events_go_on_while_redis_is_dead_and_after_it_is_back(
    world: World, edge: str
) -> None:
    user_id = world.user()
    channel = world.account(user_id)
    async with signed_in(world, edge, user_id) as reader:
        await reader.subscribe(channel)
        await world.happen(channel)
        assert await reader.events(1) == [1]
        await world.store.kill()
        world.commit(channel)
        assert await reader.events(1) == [2]
        # Committed before Redis is back: once the edge has noticed that, it asks no more by itself.
        world.commit(channel)
        await world.store.start()
        assert await reader.events(1) == [3]
        await world.happen(channel)
        assert await reader.events(1) == [4]


async def test_what_the_journal_no_longer_has_is_called_a_gap(world: World, edge: str) -> None:
    user_id = world.user()
    channel = world.account(user_id)
    await world.happen(channel, times=10)
    world.trading.pruned = 6
    async with signed_in(world, edge, user_id) as reader:
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
    world: World, edge: str
) -> None:
    user_id = world.user()
    channel = world.account(user_id)
    await world.happen(channel, times=2)
    async with signed_in(world, edge, user_id) as reader:
        await reader.subscribe(channel, after=50)
        gap = await reader.next()
        assert (gap["type"], gap["sequence"], gap["data"]) == ("gap", "2", {"after": "50"})
        await world.happen(channel)
        assert await reader.events(1) == [3]


async def test_an_entry_that_the_journal_does_not_know_is_not_shown_and_stops_nothing(
    world: World, edge: str
) -> None:
    user_id = world.user()
    channel = world.account(user_id)
    async with signed_in(world, edge, user_id) as reader:
        await reader.subscribe(channel)
        await world.happen(channel)
        assert await reader.events(1) == [1]
        stray = world.commit(channel, amount=666)
        stray.sequence = 9
        world.trading.entries["demo", channel].pop()
        await world.publish(stray)
        await asyncio.sleep(0.5)
        await world.happen(channel)
        assert await reader.events(1) == [2]


async def test_public_events_need_no_ticket(world: World, edge: str) -> None:
    async with client(edge) as reader:
        assert (await reader.subscribe("payouts:demo"))["type"] == "subscribed"
        assert (await reader.subscribe("instruments"))["type"] == "subscribed"
        await world.publish(world.trading.append("demo", "payouts", balance(1)))
        assert (await reader.next())["channel"] == "payouts:demo"
        changed = world.quotes_journals.append("quotes", "instruments", balance(2))
        await world.publish(changed, "quotes")
        assert (await reader.next())["channel"] == "instruments"


async def test_a_session_that_ends_closes_its_sockets_and_no_others(
    world: World, edge: str
) -> None:
    user_id = world.user()
    async with client(edge) as ending, client(edge) as staying:
        for reader, session in ((ending, "a"), (staying, "b")):
            await reader.say(op="authenticate", ticket=world.ticket(user_id, session=session))
            await reader.next("authenticated")
        world.revoked.end("a")
        assert await ending.closed() == 4001
        await staying.say(op="ping")
        assert (await staying.next())["type"] == "pong"


async def test_a_ticket_of_a_session_that_has_just_ended_opens_nothing(
    world: World, edge: str
) -> None:
    user_id = world.user()
    ticket = world.ticket(user_id, session="a")
    world.revoked.end("a")
    async with client(edge) as reader:
        await reader.say(op="authenticate", ticket=ticket)
        refused = await reader.next()
        assert (refused["type"], refused["data"]["reason"]) == ("error", "SESSION_ENDED")
        subscribed = await reader.subscribe(f"user:{user_id}")
        assert subscribed["data"]["reason"] == "UNKNOWN_CHANNEL"


async def test_a_ticket_is_not_believed_while_identity_has_not_been_heard(world: World) -> None:
    user_id = world.user()
    settings = world.settings(identity_address="127.0.0.1:1")
    async with running(settings) as process, client(process.address) as reader:
        await reader.say(op="authenticate", ticket=world.ticket(user_id))
        refused = await reader.next()
        assert (refused["type"], refused["data"]["reason"]) == ("error", "UNAVAILABLE")


async def test_a_session_that_ends_while_redis_is_dead_is_noticed_all_the_same(
    world: World, edge: str
) -> None:
    user_id = world.user()
    async with signed_in(world, edge, user_id) as reader:
        await reader.subscribe(f"user:{user_id}")
        await world.store.kill()
        world.revoked.end("s1")
        assert await reader.closed() == 4001


async def test_a_subscription_waits_for_a_service_that_is_away(world: World) -> None:
    user_id = world.user()
    channel = world.account(user_id)
    world.commit(channel)
    settings = world.settings(trading_address="127.0.0.1:1")
    async with running(settings) as process, signed_in(world, process.address, user_id) as reader:
        refused = await reader.subscribe(channel, after=0)
        assert (refused["type"], refused["data"]["reason"]) == ("error", "UNAVAILABLE")
        await reader.say(op="ping")
        assert (await reader.next())["type"] == "pong"


async def test_a_service_that_comes_back_delivers_what_was_missed(world: World) -> None:
    user_id = world.user()
    channel = world.account(user_id)
    world.commit(channel)
    async with service(world, "trading", world.trading) as first:
        address = first.address
    settings = world.settings(trading_address=address)
    async with running(settings) as process, signed_in(world, process.address, user_id) as reader:
        assert (await reader.subscribe(channel, after=0))["type"] == "error"
        async with service(world, "trading", world.trading, listen=address):
            assert (await reader.next("subscribed"))["sequence"] == "1"
            assert await reader.events(1) == [1]
        await world.happen(channel)
        assert await reader.events(1) == [2]
        world.commit(channel)
        await world.happen(channel)
        async with service(world, "trading", world.trading, listen=address):
            assert await reader.events(2) == [3, 4]
