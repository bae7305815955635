"""One's sessions: seen, ended one by one or together, and ended by another password."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import grpc
import pytest

from services.kit.channels import Channels
from services.kit.clock import SystemClock
from services.kit.reason import Reason
from services.kit.revocation_feed import RevocationFeed
from services.kit.revocations import Revocations
from services.kit.tokens import Keyring
from tests.service.identity_server import PASSWORD, Identity, StartIdentity, bearer, refused
from tests.waiting import PATIENCE_SECONDS
from veritick.identity.v1.auth_service_pb2 import (
    ChangePasswordRequest,
    ListSessionsRequest,
    LogInRequest,
    OpenSession,
    RevokeAllSessionsRequest,
    RevokeSessionRequest,
)
from veritick.identity.v1.revocation_service_pb2 import WatchRevocationsRequest
from veritick.identity.v1.revocation_service_pb2_grpc import RevocationServiceStub
from veritick.identity.v1.user_pb2 import Session

pytest_plugins = ["tests.service.identity_fixtures"]

MINUTE = timedelta(minutes=1)
NEW = "quite another passphrase"


async def listed(identity: Identity, session: Session) -> list[OpenSession]:
    """Return a user's sessions as the bearer of one sees them."""
    metadata = bearer(session.access_token)
    return list(
        (await identity.auth.ListSessions(ListSessionsRequest(), metadata=metadata)).sessions
    )


async def change(identity: Identity, session: Session, current: str, new: str = NEW) -> None:
    request = ChangePasswordRequest(current_password=current, new_password=new)
    await identity.auth.ChangePassword(request, metadata=bearer(session.access_token))


async def is_over(identity: Identity, session: Session) -> bool:
    """Tell whether a session's tokens are refused."""
    with refused(Reason.SESSION_ENDED):
        await identity.refresh(session.refresh_token)
    with refused(Reason.SESSION_ENDED):
        await identity.get_profile(session.access_token)
    return True


async def test_a_user_sees_where_he_is_signed_in(identity: Identity) -> None:
    user = await identity.register()
    named = LogInRequest(email=user.email, password=PASSWORD, device_name="The old laptop")
    first = (await identity.auth.LogIn(named)).session
    identity.clock.advance(MINUTE)
    second = await identity.log_in(user.email)
    mine, other = await listed(identity, second)
    assert (mine.session_id, mine.current) == (second.session_id, True)
    assert mine.device_name.startswith("grpc-python-asyncio") or mine.device_name
    assert (other.session_id, other.current) == (first.session_id, False)
    assert (other.device_name, other.address) == ("The old laptop", "127.0.0.1")


async def test_a_refresh_counts_as_use(identity: Identity) -> None:
    user = await identity.register()
    first = await identity.log_in(user.email)
    identity.clock.advance(MINUTE)
    second = await identity.log_in(user.email)
    identity.clock.advance(MINUTE)
    await identity.refresh(first.refresh_token)
    assert [item.session_id for item in await listed(identity, second)] == [
        first.session_id,
        second.session_id,
    ]


async def test_a_session_that_was_left_alone_is_no_longer_listed(identity: Identity) -> None:
    user = await identity.register()
    await identity.log_in(user.email)
    identity.clock.advance(timedelta(days=7))
    session = await identity.log_in(user.email)
    assert [item.session_id for item in await listed(identity, session)] == [session.session_id]


async def test_one_session_is_ended_from_another(identity: Identity) -> None:
    user = await identity.register()
    lost, mine = await identity.log_in(user.email), await identity.log_in(user.email)
    request = RevokeSessionRequest(session_id=lost.session_id)
    for _ in range(2):
        await identity.auth.RevokeSession(request, metadata=bearer(mine.access_token))
    assert await is_over(identity, lost)
    await identity.get_profile(mine.access_token)
    assert len(await identity.events("session.ended.v1")) == 1


async def test_nobody_ends_anybody_elses_session(identity: Identity) -> None:
    ana, ben = await identity.signed_in(), await identity.signed_in()
    for session_id in (ana.session_id, str(uuid4())):
        with refused(Reason.SESSION_NOT_FOUND):
            await identity.auth.RevokeSession(
                RevokeSessionRequest(session_id=session_id), metadata=bearer(ben.access_token)
            )
    await identity.get_profile(ana.access_token)


@pytest.mark.parametrize("include_current", [False, True])
async def test_all_sessions_are_ended_at_once(identity: Identity, include_current: bool) -> None:
    user = await identity.register()
    others = [await identity.log_in(user.email) for _ in range(3)]
    mine = await identity.log_in(user.email)
    stranger = await identity.signed_in()
    answer = await identity.auth.RevokeAllSessions(
        RevokeAllSessionsRequest(include_current=include_current),
        metadata=bearer(mine.access_token),
    )
    assert answer.ended == 3 + include_current
    assert [await is_over(identity, session) for session in others] == [True] * 3
    if include_current:
        assert await is_over(identity, mine)
    else:
        await identity.refresh(mine.refresh_token)
    await identity.get_profile(stranger.access_token)


async def test_another_password_ends_every_session_but_the_one_that_changed_it(
    identity: Identity,
) -> None:
    user = await identity.register()
    thief, mine = await identity.log_in(user.email), await identity.log_in(user.email)
    await change(identity, mine, PASSWORD)
    assert await is_over(identity, thief)
    await identity.refresh(mine.refresh_token)
    with refused(Reason.INVALID_CREDENTIALS):
        await identity.log_in(user.email)
    await identity.log_in(user.email, NEW)


@pytest.mark.parametrize(
    ("current", "new", "reason"),
    [
        ("not the password", NEW, Reason.INVALID_CREDENTIALS),
        (PASSWORD, "short", Reason.PASSWORD_TOO_WEAK),
        (PASSWORD, "password1234", Reason.PASSWORD_TOO_WEAK),
    ],
)
async def test_a_refused_change_changes_nothing(
    identity: Identity, current: str, new: str, reason: Reason
) -> None:
    user = await identity.register()
    other, mine = await identity.log_in(user.email), await identity.log_in(user.email)
    with refused(reason):
        await change(identity, mine, current, new)
    await identity.refresh(other.refresh_token)
    await identity.log_in(user.email)


async def test_who_signs_in_while_the_password_changes_is_ended_or_refused(
    identity: Identity,
) -> None:
    user = await identity.register()
    mine = await identity.log_in(user.email)
    attempts = [identity.log_in(user.email) for _ in range(5)]
    results = await asyncio.gather(
        change(identity, mine, PASSWORD), *attempts, return_exceptions=True
    )
    sessions = [result for result in results if isinstance(result, Session)]
    assert [await is_over(identity, session) for session in sessions] == [True] * len(sessions)


async def test_of_two_who_know_the_password_one_changes_it(identity: Identity) -> None:
    user = await identity.register()
    sessions = [await identity.log_in(user.email) for _ in range(2)]
    results = await asyncio.gather(
        *(change(identity, session, PASSWORD) for session in sessions), return_exceptions=True
    )
    assert len([result for result in results if isinstance(result, grpc.aio.AioRpcError)]) == 1


async def test_other_services_hear_of_an_end_within_a_second(
    start_identity: StartIdentity, identity: Identity
) -> None:
    """Also from another replica than the one on which it happened, and after a restart."""
    user = await identity.register()
    early, late = await identity.log_in(user.email), await identity.log_in(user.email)
    await identity.auth.RevokeSession(
        RevokeSessionRequest(session_id=early.session_id), metadata=bearer(late.access_token)
    )
    async with start_identity() as replica:
        channels = Channels(
            Keyring.load(replica.settings.required("keys"), "trading"), replica.clock
        )
        async with channels.to("identity", replica.address) as channel:
            revocations = Revocations(SystemClock())
            following = asyncio.create_task(RevocationFeed(channel, revocations).run())
            await revocations.until_known(PATIENCE_SECONDS)
            with revocations.watched(early.session_id) as over:
                assert over.done()
            with revocations.watched(late.session_id) as over:
                assert not over.done()
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await identity.auth.RevokeAllSessions(
                        RevokeAllSessionsRequest(include_current=True),
                        metadata=bearer(late.access_token),
                    )
                    await over
            following.cancel()


async def test_only_services_hear_what_was_taken_back(identity: Identity) -> None:
    session = await identity.signed_in()
    async with identity.anybody() as channel:
        stub = RevocationServiceStub(channel)
        for metadata, reason in (
            ((), Reason.PERMISSION_DENIED),
            (bearer(session.access_token), Reason.PERMISSION_DENIED),
        ):
            with refused(reason):
                await stub.WatchRevocations(WatchRevocationsRequest(), metadata=metadata).read()
