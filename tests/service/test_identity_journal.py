"""What identity tells others, and what it forgets."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

from redis.asyncio import Redis

from services.identity.jobs import Keep, Purge
from services.kit.database import Database
from services.kit.reason import Reason
from services.kit.stream import read_heading
from tests.service.identity_server import Identity, StartIdentity, bearer, refused
from tests.stores import ValkeyServer
from tests.waiting import PATIENCE_SECONDS
from veritick.event.v1.event_pb2 import Event
from veritick.identity.v1.auth_service_pb2 import LogOutRequest
from veritick.journal.v1.journal_service_pb2 import ListEventsRequest

pytest_plugins = ["tests.service.identity_fixtures"]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


async def test_a_user_reads_what_happened_to_the_user(identity: Identity) -> None:
    session = await identity.signed_in()
    await identity.auth.LogOut(LogOutRequest(), metadata=bearer(session.access_token))
    request = ListEventsRequest(
        journal="identity",
        subject=f"user:{session.user_id}",
        after_sequence=0,
        on_behalf_of_user_id=session.user_id,
    )
    response = await identity.journal.ListEvents(request)
    assert [entry.type for entry in response.entries] == ["user.changed.v1", "session.ended.v1"]
    assert [entry.sequence for entry in response.entries] == [1, 2]
    assert response.last_sequence == 2


async def test_nobody_reads_what_happened_to_another_user(identity: Identity) -> None:
    ana, ben = [await identity.register() for _ in range(2)]
    for asking in (ben.user_id, str(uuid4()), ""):
        request = ListEventsRequest(
            journal="identity", subject=f"user:{ana.user_id}", on_behalf_of_user_id=asking
        )
        with refused(Reason.UNKNOWN_CHANNEL):
            await identity.journal.ListEvents(request)


async def test_an_unknown_journal_is_an_unknown_channel(identity: Identity) -> None:
    user = await identity.register()
    request = ListEventsRequest(
        journal="demo", subject=f"user:{user.user_id}", on_behalf_of_user_id=user.user_id
    )
    with refused(Reason.UNKNOWN_CHANNEL):
        await identity.journal.ListEvents(request)


async def test_a_trader_may_not_read_the_journal(identity: Identity) -> None:
    session = await identity.signed_in()
    with refused(Reason.PERMISSION_DENIED):
        await identity.journal.ListEvents(
            ListEventsRequest(journal="identity", subject="user:x"),
            metadata=bearer(session.access_token),
        )


async def test_the_journal_reaches_redis_in_order(
    start_identity: StartIdentity, valkey: ValkeyServer
) -> None:
    valkey.flush()
    async with (
        start_identity(redis_url=valkey.url) as identity,
        Redis.from_url(valkey.url) as redis,
    ):
        users = [await identity.register() for _ in range(3)]
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await redis.xlen("journal:identity") < 3:
                await asyncio.sleep(0.01)
        stream: Any = await redis.xrange("journal:identity")
    assert [entry_id for entry_id, _ in stream] == [b"1-0", b"2-0", b"3-0"]
    for user, (_, fields) in zip(users, stream, strict=True):
        ((head, event),) = fields.items()
        assert read_heading(head) == (f"user:{user.user_id}", 1, "user.changed.v1")
        told = Event.FromString(event).user_changed.user
        assert (told.user_id, told.email) == (user.user_id, "")


async def test_identity_works_without_redis(start_identity: StartIdentity) -> None:
    async with start_identity(redis_url="redis://127.0.0.1:1") as identity:
        session = await identity.signed_in()
        await identity.refresh(session.refresh_token)


async def test_what_is_long_over_is_forgotten_and_what_lives_stays(identity: Identity) -> None:
    ended, idle, alive = [await identity.signed_in() for _ in range(3)]
    await identity.auth.LogOut(LogOutRequest(), metadata=bearer(ended.access_token))
    for _ in range(4):
        identity.clock.advance(6 * DAY)
        alive = await identity.refresh(alive.refresh_token)
    await _purge(identity, keep=23 * DAY)
    assert _sessions(identity) == {idle.session_id, alive.session_id}
    tokens = identity.rows("SELECT count(*) FROM refresh_tokens")
    assert tokens == [(2,)], "the one in use, and the one before it"


async def test_a_session_that_ran_out_is_forgotten_as_well(identity: Identity) -> None:
    session = await identity.signed_in()
    identity.clock.advance(59 * DAY)
    await _purge(identity, keep=30 * DAY)
    assert _sessions(identity) == {session.session_id}
    identity.clock.advance(DAY + HOUR)
    await _purge(identity, keep=30 * DAY)
    assert _sessions(identity) == set()


async def test_the_purge_spares_a_token_that_may_be_asked_for_again(identity: Identity) -> None:
    session = await identity.signed_in()
    identity.clock.advance(7 * DAY - timedelta(seconds=1))
    successor = await identity.refresh(session.refresh_token)
    identity.clock.advance(timedelta(seconds=2))
    await _purge(identity, keep=30 * DAY)
    again = await identity.refresh(session.refresh_token)
    assert again.refresh_token == successor.refresh_token


async def _purge(identity: Identity, keep: timedelta) -> None:
    async with Database.from_settings(identity.settings, name="purge") as database:
        await Purge(database, identity.clock, Keep(keep, keep, keep)).run()


def _sessions(identity: Identity) -> set[str]:
    return {str(row[0]) for row in identity.rows("SELECT session_id FROM sessions")}
