"""Users protect themselves: what they are answered, what is kept, and what others hear of it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from services.identity.reality_checks import RealityChecks
from services.identity.session import ACCESS_LIFETIME
from services.kit.database import Database
from services.kit.reason import Reason
from services.kit.wire import to_datetime
from tests.service.identity_documents import ground
from tests.service.identity_server import (
    Identity,
    StartIdentity,
    Trading,
    bearer,
    refused,
)
from veritick.identity.v1.auth_service_pb2 import LogOutRequest
from veritick.identity.v1.protection_pb2 import LimitValue, Protection, ProtectionLimit
from veritick.identity.v1.protection_service_pb2 import (
    CancelLimitChangeRequest,
    ExcludeSelfRequest,
    GetProtectionRequest,
    GetUserProtectionRequest,
    ListProtectionChangesRequest,
    ListUserProtectionChangesRequest,
    SetLimitRequest,
    SetRealityCheckRequest,
    TakeBreakRequest,
)
from veritick.identity.v1.protection_service_pb2_grpc import ProtectionServiceStub
from veritick.type.v1.money_pb2 import Money

if TYPE_CHECKING:
    from veritick.identity.v1.protection_service_pb2_grpc import ProtectionServiceAsyncStub

pytest_plugins = ["tests.service.identity_fixtures"]

Metadata = tuple[tuple[str, str], ...]
HOUR = timedelta(hours=1)
LOSS, TIME = ProtectionLimit.LOSS, ProtectionLimit.SESSION_TIME
DAY = ProtectionLimit.DAY


@pytest.fixture
async def protection(identity: Identity) -> AsyncIterator["ProtectionServiceAsyncStub"]:
    async with identity.anybody() as channel:
        yield ProtectionServiceStub(channel)


def dollars(amount: int) -> LimitValue:
    return LimitValue(amount=Money(currency_code="USD", minor_units=amount * 100))


async def test_a_user_limits_losses_and_sees_what_counts_and_what_will(
    identity: Identity, protection: "ProtectionServiceAsyncStub"
) -> None:
    who = bearer((await identity.signed_in()).access_token)

    async def limit(value: LimitValue | None) -> Protection:
        request = SetLimitRequest(kind=LOSS, period=DAY, value=value)
        return (await protection.SetLimit(request, metadata=who)).protection

    [first] = (await limit(dollars(100))).limits
    looser = await limit(dollars(200))
    again = await limit(dollars(200))
    request = CancelLimitChangeRequest(kind=LOSS, period=DAY)
    kept = (await protection.CancelLimitChange(request, metadata=who)).protection

    assert first == ProtectionLimit(kind=LOSS, period=DAY, value=dollars(100))
    assert (looser.limits[0].value, looser.limits[0].next_value) == (dollars(100), dollars(200))
    assert to_datetime(looser.limits[0].next_time) == identity.clock.now() + 24 * HOUR
    assert again == looser
    assert (kept.version, [*kept.limits]) == (3, [first])


async def test_a_looser_limit_counts_a_day_later(
    identity: Identity, protection: "ProtectionServiceAsyncStub"
) -> None:
    session = await identity.signed_in()
    who = bearer(session.access_token)
    ask = SetLimitRequest(kind=TIME, period=DAY, value=LimitValue(minutes=60))
    await protection.SetLimit(ask, metadata=who)
    await protection.SetLimit(SetLimitRequest(kind=TIME, period=DAY), metadata=who)

    identity.clock.advance(24 * HOUR)
    who = bearer((await identity.refresh(session.refresh_token)).access_token)

    found = await protection.GetProtection(GetProtectionRequest(), metadata=who)
    assert [*found.protection.limits] == []


async def test_breaks_and_exclusions_cannot_be_shortened(
    identity: Identity, protection: "ProtectionServiceAsyncStub"
) -> None:
    who = bearer((await identity.signed_in()).access_token)

    rest = (await protection.TakeBreak(TakeBreakRequest(hours=48), metadata=who)).protection
    with refused(Reason.PROTECTION_LOCKED) as shorter:
        await protection.TakeBreak(TakeBreakRequest(hours=1), metadata=who)
    away = (await protection.ExcludeSelf(ExcludeSelfRequest(months=12), metadata=who)).protection
    with refused(Reason.PROTECTION_LOCKED):
        await protection.ExcludeSelf(ExcludeSelfRequest(months=6), metadata=who)

    ends = to_datetime(rest.break_until_time)
    assert ends == identity.clock.now() + 48 * HOUR
    assert shorter.metadata == {"until": ends.isoformat()}
    assert to_datetime(away.exclusion_until_time).year == identity.clock.now().year + 1


async def test_what_makes_no_sense_is_refused(
    identity: Identity, protection: "ProtectionServiceAsyncStub"
) -> None:
    who = bearer((await identity.signed_in()).access_token)
    euro = LimitValue(amount=Money(currency_code="EUR", minor_units=1))
    nonsense = (
        SetLimitRequest(period=DAY, value=dollars(1)),
        SetLimitRequest(kind=LOSS, value=dollars(1)),
        SetLimitRequest(kind=LOSS, period=DAY, value=LimitValue()),
        SetLimitRequest(kind=LOSS, period=DAY, value=LimitValue(minutes=5)),
        SetLimitRequest(kind=TIME, period=DAY, value=dollars(1)),
        SetLimitRequest(kind=TIME, period=DAY, value=LimitValue(minutes=0)),
        SetLimitRequest(kind=LOSS, period=DAY, value=dollars(-1)),
        TakeBreakRequest(hours=0),
        TakeBreakRequest(hours=1009),
        ExcludeSelfRequest(months=5),
        ExcludeSelfRequest(months=61),
        SetRealityCheckRequest(minutes=241),
    )

    for request in nonsense:
        call = getattr(protection, type(request).__name__.removesuffix("Request"))
        with refused(Reason.INVALID_REQUEST):
            await call(request, metadata=who)
    with refused(Reason.CURRENCY_MISMATCH):
        await protection.SetLimit(SetLimitRequest(kind=LOSS, period=DAY, value=euro), metadata=who)

    found = await protection.GetProtection(GetProtectionRequest(), metadata=who)
    assert found.protection.version == 0


async def test_a_user_is_told_how_long_he_has_been_signed_in(
    identity: Identity, protection: "ProtectionServiceAsyncStub"
) -> None:
    session = await identity.signed_in()
    came = identity.clock.now()
    await protection.SetRealityCheck(
        SetRealityCheckRequest(minutes=30), metadata=bearer(session.access_token)
    )
    token = session.refresh_token
    async with Database.from_settings(identity.settings, name="checks") as database:
        checks = RealityChecks(ground(identity, database), ACCESS_LIFETIME)
        for minutes in (0, 14, 14, 2, 1):
            identity.clock.advance(timedelta(minutes=minutes))
            token = (await identity.refresh(token)).refresh_token
            await checks.run()
        [told] = await identity.events("reality.check.due.v1")
        # Who was away begins anew.
        identity.clock.advance(ACCESS_LIFETIME)
        await checks.run()
        await identity.refresh(token)
        identity.clock.advance(timedelta(minutes=14))
        await checks.run()
        assert len(await identity.events("reality.check.due.v1")) == 1

    due = told.event.reality_check_due
    assert told.subject == f"user:{session.user_id}" == f"user:{due.user_id}"
    assert to_datetime(due.since_time) == came
    assert to_datetime(due.time) == came + timedelta(minutes=30)


async def test_every_change_is_kept_told_and_on_record(
    identity: Identity, protection: "ProtectionServiceAsyncStub"
) -> None:
    session = await identity.signed_in()
    who = bearer(session.access_token)
    limit = SetLimitRequest(kind=LOSS, period=DAY, value=dollars(10))
    await protection.SetLimit(limit, metadata=who)
    await protection.SetLimit(limit, metadata=who)
    check = SetRealityCheckRequest(minutes=30)
    last = (await protection.SetRealityCheck(check, metadata=who)).protection

    first_page = await protection.ListProtectionChanges(
        ListProtectionChangesRequest(page_size=1), metadata=who
    )
    token = first_page.next_page_token
    second_page = await protection.ListProtectionChanges(
        ListProtectionChangesRequest(page_size=1, page_token=token), metadata=who
    )

    told = await identity.events("protection.changed.v1")
    assert [entry.event.protection_changed.protection.version for entry in told] == [1, 2]
    assert {entry.subject for entry in told} == {f"user:{session.user_id}"}
    assert first_page.changes[0].protection == last
    assert [change.protection.version for change in second_page.changes] == [1]
    checks = await protection.ListProtectionChanges(
        ListProtectionChangesRequest(filter="action=SET_REALITY_CHECK"), metadata=who
    )
    assert [change.protection.version for change in checks.changes] == [2]
    actions = [
        entry.event.audit_recorded.record.action
        for entry in await identity.events("audit.recorded.v1")
    ]
    assert [name for name in actions if name.startswith("protection.")] == [
        "protection.set_limit",
        "protection.set_reality_check",
    ]


async def test_staff_see_what_a_user_has_set(
    identity: Identity, protection: "ProtectionServiceAsyncStub"
) -> None:
    session, support = await identity.signed_in(), await identity.register()
    identity.rows(
        "UPDATE users SET roles = '{support}' WHERE user_id = %s RETURNING 1", support.user_id
    )
    staff = bearer((await identity.log_in(support.email)).access_token)
    who = bearer(session.access_token)
    own = await protection.TakeBreak(TakeBreakRequest(hours=24), metadata=who)

    shown = await protection.GetUserProtection(
        GetUserProtectionRequest(user_id=session.user_id), metadata=staff
    )
    changes = await protection.ListUserProtectionChanges(
        ListUserProtectionChangesRequest(user_id=session.user_id), metadata=staff
    )

    assert shown.protection == own.protection
    assert [change.protection for change in changes.changes] == [own.protection]
    with refused(Reason.PERMISSION_DENIED):
        await protection.GetUserProtection(
            GetUserProtectionRequest(user_id=session.user_id), metadata=who
        )
    nobody = GetUserProtectionRequest(user_id="0199aa00-0000-7000-8000-000000000000")
    with refused(Reason.USER_NOT_FOUND):
        await protection.GetUserProtection(nobody, metadata=staff)


async def test_a_user_is_answered_when_the_books_know_it(
    start_identity: StartIdentity, identity_trading: Trading
) -> None:
    limit = SetLimitRequest(kind=LOSS, period=DAY, value=dollars(10))
    async with (
        start_identity(trading_address=identity_trading.address) as identity,
        identity.anybody() as channel,
    ):
        protection: ProtectionServiceAsyncStub = ProtectionServiceStub(channel)
        who = bearer((await identity.signed_in()).access_token)

        identity_trading.away = True
        with refused(Reason.UNAVAILABLE):
            await protection.SetLimit(limit, metadata=who)
        identity_trading.away = False
        answered = (await protection.SetLimit(limit, metadata=who)).protection

    assert answered.version == 1
    assert identity_trading.protections == [answered]


async def test_a_session_ends_when_its_time_is_used_up(
    identity: Identity, protection: "ProtectionServiceAsyncStub"
) -> None:
    email = (await identity.register()).email
    first = await identity.log_in(email)
    limit = SetLimitRequest(kind=TIME, period=DAY, value=LimitValue(minutes=20))
    await protection.SetLimit(limit, metadata=bearer(first.access_token))
    minutes = timedelta(minutes=1)

    first = await identity.refresh(first.refresh_token)
    identity.clock.advance(15 * minutes)
    last = await identity.refresh(first.refresh_token)
    identity.clock.advance(5 * minutes)
    with refused(Reason.SESSION_TIME_LIMIT) as over:
        await identity.refresh(last.refresh_token)
    with refused(Reason.SESSION_TIME_LIMIT):
        await identity.log_in(email)
    identity.clock.advance(12 * HOUR)
    with refused(Reason.SESSION_ENDED):
        await identity.refresh(last.refresh_token)
    await identity.log_in(email)

    assert to_datetime(first.expire_time) - to_datetime(last.expire_time) == -5 * minutes
    assert over.metadata["period"] == "DAY"
    assert identity.rows(
        "SELECT end_reason FROM sessions WHERE session_id = %s", last.session_id
    ) == [("TIME_LIMIT",)]


async def test_who_signs_out_keeps_the_time_that_is_left(
    identity: Identity, protection: "ProtectionServiceAsyncStub"
) -> None:
    email = (await identity.register()).email
    session = await identity.log_in(email)
    limit = SetLimitRequest(kind=TIME, period=DAY, value=LimitValue(minutes=10))
    await protection.SetLimit(limit, metadata=bearer(session.access_token))
    session = await identity.refresh(session.refresh_token)
    identity.clock.advance(timedelta(minutes=4))
    await identity.auth.LogOut(LogOutRequest(), metadata=bearer(session.access_token))

    again = await identity.log_in(email)

    left = to_datetime(again.expire_time) - identity.clock.now()
    assert left == timedelta(minutes=6)
