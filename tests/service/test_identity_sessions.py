"""Signing in, refreshing and signing out, over gRPC on a real Postgres."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import grpc
import pytest

from services.kit.channels import failure_of
from services.kit.reason import Reason
from services.kit.wire import to_datetime
from tests.service.identity_server import PASSWORD, Identity, StartIdentity, bearer, refused
from veritick.identity.v1.auth_service_pb2 import LogInRequest, LogOutRequest
from veritick.identity.v1.user_pb2 import Session

pytest_plugins = ["tests.service.identity_fixtures"]
pytestmark = pytest.mark.security

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


async def test_a_trader_registers_signs_in_refreshes_and_sees_the_profile(
    identity: Identity,
) -> None:
    user = await identity.register("Ana@Example.com")
    session = await identity.log_in("ana@example.com")
    again = await identity.refresh(session.refresh_token)
    profile = await identity.get_profile(again.access_token)
    assert profile == user
    assert (profile.email, list(profile.roles)) == ("Ana@Example.com", ["trader"])
    assert (again.session_id, again.user_id) == (session.session_id, user.user_id)
    assert again.refresh_token != session.refresh_token


async def test_a_session_says_how_long_its_tokens_count(identity: Identity) -> None:
    session = await identity.signed_in()
    now = identity.clock.now()
    assert to_datetime(session.expire_time) == now + timedelta(minutes=15)
    assert to_datetime(session.refresh_expire_time) == now + 7 * DAY


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ana@example.com", "nine lives and a third"),
        ("ana@example.com", PASSWORD.upper()),
        ("nobody@example.com", PASSWORD),
        ("no address", PASSWORD),
    ],
)
async def test_wrong_credentials_are_refused_alike(
    identity: Identity, email: str, password: str
) -> None:
    await identity.register("ana@example.com")
    with refused(Reason.INVALID_CREDENTIALS) as refusal:
        await identity.log_in(email, password)
    assert refusal.message == "Mail address and password do not belong together."
    assert identity.rows("SELECT * FROM sessions") == []


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (LogInRequest(), ["email", "password"]),
        (LogInRequest(email="a" * 255, password="p" * 257), ["email", "password"]),
        (LogInRequest(email="ana@example.com"), ["password"]),
    ],
)
async def test_a_malformed_sign_in_names_its_fields(
    identity: Identity, request_: LogInRequest, fields: list[str]
) -> None:
    with refused(Reason.INVALID_REQUEST) as refusal:
        await identity.auth.LogIn(request_)
    assert refusal.fields == fields


async def test_every_refresh_issues_the_next_token_of_the_same_session(identity: Identity) -> None:
    session = await identity.signed_in()
    seen = {session.refresh_token}
    for _ in range(5):
        identity.clock.advance(HOUR)
        session = await identity.refresh(session.refresh_token)
        seen.add(session.refresh_token)
        await identity.get_profile(session.access_token)
    assert len(seen) == 6


async def test_a_lost_answer_can_be_asked_for_again_within_the_grace_period(
    identity: Identity,
) -> None:
    session = await identity.signed_in()
    first = await identity.refresh(session.refresh_token)
    identity.clock.advance(9 * SECOND)
    second = await identity.refresh(session.refresh_token)
    assert second.refresh_token == first.refresh_token
    assert second.refresh_expire_time == first.refresh_expire_time
    await identity.get_profile(second.access_token)
    await identity.refresh(second.refresh_token)


async def test_a_used_token_after_the_grace_period_ends_the_session_for_both_holders(
    identity: Identity,
) -> None:
    session = await identity.signed_in()
    successor = await identity.refresh(session.refresh_token)
    identity.clock.advance(10 * SECOND)
    with refused(Reason.REFRESH_TOKEN_REUSED):
        await identity.refresh(session.refresh_token)
    await _assert_over(identity, successor)


async def test_a_used_token_whose_successor_was_used_ends_the_session_at_once(
    identity: Identity,
) -> None:
    session = await identity.signed_in()
    successor = await identity.refresh(session.refresh_token)
    last = await identity.refresh(successor.refresh_token)
    with refused(Reason.REFRESH_TOKEN_REUSED):
        await identity.refresh(session.refresh_token)
    await _assert_over(identity, last)


async def test_two_holders_of_one_successor_are_found_out(identity: Identity) -> None:
    """A thief who repeats the owner's refresh within the grace period gains nothing by it."""
    session = await identity.signed_in()
    owners = await identity.refresh(session.refresh_token)
    thiefs = await identity.refresh(session.refresh_token)
    identity.clock.advance(HOUR)
    newer = await identity.refresh(thiefs.refresh_token)
    identity.clock.advance(60 * SECOND)
    with refused(Reason.REFRESH_TOKEN_REUSED):
        await identity.refresh(owners.refresh_token)
    await _assert_over(identity, newer)


async def test_reuse_ends_no_other_session_of_the_user(identity: Identity) -> None:
    user = await identity.register()
    phone, laptop = [await identity.log_in(user.email) for _ in range(2)]
    await identity.refresh(phone.refresh_token)
    identity.clock.advance(HOUR)
    with refused(Reason.REFRESH_TOKEN_REUSED):
        await identity.refresh(phone.refresh_token)
    await identity.refresh(laptop.refresh_token)


async def test_refreshes_with_one_token_at_once_all_get_the_same_successor(
    identity: Identity,
) -> None:
    session = await identity.signed_in()
    answers = await asyncio.gather(*(identity.refresh(session.refresh_token) for _ in range(8)))
    assert len({answer.refresh_token for answer in answers}) == 1
    unused = identity.rows("SELECT count(*) FROM refresh_tokens WHERE used_at IS NULL")
    assert unused == [(1,)]
    await identity.refresh(answers[0].refresh_token)


async def test_without_grace_only_one_of_two_refreshes_at_once_succeeds(
    start_identity: StartIdentity,
) -> None:
    async with start_identity(refresh_grace_seconds=0) as identity:
        session = await identity.signed_in()
        answers = await asyncio.gather(
            *(identity.refresh(session.refresh_token) for _ in range(2)), return_exceptions=True
        )
    issued = [answer for answer in answers if isinstance(answer, Session)]
    errors = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert len(issued) == 1
    assert [failure_of(error).reason for error in errors] == [Reason.REFRESH_TOKEN_REUSED]


@pytest.mark.parametrize("token", ["x", "A" * 43, "A" * 512, "ключ"])
async def test_a_token_that_never_was_is_refused_and_ends_nothing(
    identity: Identity, token: str
) -> None:
    session = await identity.signed_in()
    with refused(Reason.SESSION_ENDED):
        await identity.refresh(token)
    await identity.refresh(session.refresh_token)


async def test_a_session_that_nobody_refreshes_runs_out(identity: Identity) -> None:
    session = await identity.signed_in()
    identity.clock.advance(7 * DAY - SECOND)
    session = await identity.refresh(session.refresh_token)
    identity.clock.advance(7 * DAY)
    with refused(Reason.SESSION_ENDED):
        await identity.refresh(session.refresh_token)


async def test_the_busiest_session_ends_after_its_absolute_limit(
    start_identity: StartIdentity,
) -> None:
    async with start_identity(session_absolute_hours=2) as identity:
        session = await identity.signed_in()
        ends_at = identity.clock.now() + 2 * HOUR
        assert to_datetime(session.refresh_expire_time) == ends_at
        identity.clock.advance(2 * HOUR - 60 * SECOND)
        session = await identity.refresh(session.refresh_token)
        assert to_datetime(session.expire_time) == ends_at
        identity.clock.advance(60 * SECOND)
        with refused(Reason.SESSION_ENDED):
            await identity.refresh(session.refresh_token)
        with refused(Reason.SESSION_ENDED):
            await identity.get_profile(session.access_token)


async def test_signing_out_ends_the_session_once_and_says_so_again(identity: Identity) -> None:
    session = await identity.signed_in()
    metadata = bearer(session.access_token)
    await identity.auth.LogOut(LogOutRequest(), metadata=metadata)
    with suppress(grpc.aio.AioRpcError):  # until this process has heard of it
        await identity.auth.LogOut(LogOutRequest(), metadata=metadata)
    await _assert_over(identity, session)
    (ended,) = await identity.events("session.ended.v1")
    assert ended.subject == f"user:{session.user_id}"
    assert ended.event.session_ended.session_id == session.session_id
    assert ended.event.session_ended.user_id == session.user_id
    assert to_datetime(ended.event.session_ended.time) == identity.clock.now()


async def test_signing_out_leaves_the_users_other_sessions(identity: Identity) -> None:
    user = await identity.register()
    phone, laptop = [await identity.log_in(user.email) for _ in range(2)]
    await identity.auth.LogOut(LogOutRequest(), metadata=bearer(phone.access_token))
    await identity.get_profile(laptop.access_token)


async def test_reuse_is_journalled_once(identity: Identity) -> None:
    session = await identity.signed_in()
    await identity.refresh(session.refresh_token)
    identity.clock.advance(HOUR)
    for reason in (Reason.REFRESH_TOKEN_REUSED, Reason.SESSION_ENDED):
        with refused(reason):
            await identity.refresh(session.refresh_token)
    (ended,) = await identity.events("session.ended.v1")
    assert ended.event.session_ended.session_id == session.session_id


async def test_one_sign_in_too_many_ends_the_oldest_session(start_identity: StartIdentity) -> None:
    async with start_identity(sessions_max=3) as identity:
        user = await identity.register()
        oldest, *others = [await _later(identity, user.email) for _ in range(4)]
        await _assert_over(identity, oldest)
        for session in others:
            await identity.get_profile(session.access_token)
        (ended,) = await identity.events("session.ended.v1")
        assert ended.event.session_ended.session_id == oldest.session_id


async def test_sign_ins_at_once_respect_the_bound_together(start_identity: StartIdentity) -> None:
    async with start_identity(sessions_max=3) as identity:
        user = await identity.register()
        await asyncio.gather(*(identity.log_in(user.email) for _ in range(10)))
        live = identity.rows("SELECT count(*) FROM sessions WHERE ended_at IS NULL")
        assert live == [(3,)]
        assert len(await identity.events("session.ended.v1")) == 7


async def test_a_second_process_honours_what_the_first_issued(
    start_identity: StartIdentity,
) -> None:
    async with start_identity() as one:
        session = await one.signed_in()
    async with start_identity() as other:
        await other.get_profile(session.access_token)
        await other.refresh(session.refresh_token)


async def test_a_new_cost_renews_the_hash_at_the_next_sign_in(
    start_identity: StartIdentity,
) -> None:
    async with start_identity() as cheap:
        user = await cheap.register()
    async with start_identity(password_memory_kib=128) as dear:
        await dear.log_in(user.email)
        ((renewed,),) = dear.rows("SELECT password_hash FROM credentials")
        assert "m=128," in renewed
        await dear.log_in(user.email)
        assert dear.rows("SELECT password_hash FROM credentials") == [(renewed,)]


async def _later(identity: Identity, email: str) -> Session:
    identity.clock.advance(SECOND)
    return await identity.log_in(email)


async def _assert_over(identity: Identity, session: Session) -> None:
    with refused(Reason.SESSION_ENDED):
        await identity.refresh(session.refresh_token)
    with refused(Reason.SESSION_ENDED):
        await identity.get_profile(session.access_token)
