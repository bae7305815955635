"""Registering, over gRPC on a real Postgres, with a real server in trading's place."""

import asyncio
import threading
from time import perf_counter
from typing import Any

import argon2
import grpc
import psycopg
import pytest

from services.kit.channels import failure_of
from services.kit.reason import Reason
from services.kit.wire import to_datetime
from tests.service.identity_server import PASSWORD, Identity, StartIdentity, Trading, refused
from tests.waiting import PATIENCE_SECONDS, eventually
from veritick.identity.v1.auth_service_pb2 import LogInRequest, RegisterRequest
from veritick.identity.v1.user_pb2 import User

pytest_plugins = ["tests.service.identity_fixtures"]


async def test_a_new_user_is_a_trader_who_registered_now(identity: Identity) -> None:
    user = await identity.register("Ana@Example.com")
    assert (user.email, list(user.roles)) == ("Ana@Example.com", ["trader"])
    assert to_datetime(user.create_time) == identity.clock.now()


async def test_a_registration_is_journalled_without_personal_data(identity: Identity) -> None:
    user = await identity.register()
    (changed,) = await identity.events("user.changed.v1")
    assert (changed.type, changed.subject) == ("user.changed.v1", f"user:{user.user_id}")
    assert (changed.position, changed.sequence) == (1, 1)
    told = changed.event.user_changed.user
    assert (told.user_id, list(told.roles), told.create_time) == (
        user.user_id,
        ["trader"],
        user.create_time,
    )
    assert not told.email
    assert b"example.com" not in changed.SerializeToString()
    assert to_datetime(changed.time) == identity.clock.now()


async def test_registering_opens_the_accounts(
    start_identity: StartIdentity, identity_trading: Trading
) -> None:
    async with start_identity(trading_address=identity_trading.address) as identity:
        user = await identity.register()
    assert identity_trading.opened_for == [user.user_id]


async def test_registering_does_not_need_trading(start_identity: StartIdentity) -> None:
    async with start_identity(trading_address="127.0.0.1:1") as identity:
        user = await identity.register()
        await identity.log_in(user.email)
        assert len(await identity.events("user.changed.v1")) == 1


async def test_registering_waits_only_so_long_for_trading(
    start_identity: StartIdentity, identity_trading: Trading
) -> None:
    identity_trading.delay_seconds = PATIENCE_SECONDS
    settings = {"trading_address": identity_trading.address, "open_accounts_seconds": 0.2}
    async with start_identity(**settings) as identity:
        began = perf_counter()
        await identity.register()
        assert perf_counter() - began < identity_trading.delay_seconds
    assert identity_trading.opened_for == []


@pytest.mark.parametrize(
    "second", ["ana@example.com", "ANA@EXAMPLE.COM", "\uff41na@example.com", "ana@exam\uff50le.com"]
)
async def test_an_address_registers_once_however_it_is_written(
    identity: Identity, second: str
) -> None:
    await identity.register("ana@example.com")
    with refused(Reason.EMAIL_TAKEN):
        await identity.register(second, "another password entirely")
    assert (await identity.log_in(second)).user_id
    assert len(await identity.events("user.changed.v1")) == 1


async def test_of_registrations_at_once_with_one_address_exactly_one_wins(
    identity: Identity,
) -> None:
    spellings = ["ana@example.com", "Ana@example.com", "ANA@example.com", "aNa@example.com"] * 3
    answers = await asyncio.gather(*map(identity.register, spellings), return_exceptions=True)
    users = [answer for answer in answers if isinstance(answer, User)]
    reasons = [
        failure_of(error).reason for error in answers if isinstance(error, grpc.aio.AioRpcError)
    ]
    assert len(users) == 1
    assert reasons == [Reason.EMAIL_TAKEN] * 11
    assert identity.rows("SELECT email FROM users") == [(users[0].email,)]
    assert len(await identity.events("user.changed.v1")) == 1


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (RegisterRequest(), ["email", "password"]),
        (RegisterRequest(email="ana", password=PASSWORD), ["email"]),
        (RegisterRequest(email="ana@example.com", password="p" * 257), ["password"]),
        (RegisterRequest(email="a" * 255 + "@example.com", password=PASSWORD), ["email"]),
        (RegisterRequest(email="ana\x00@example.com", password=PASSWORD), ["email"]),
        (RegisterRequest(email="ana\u200b@example.com", password=PASSWORD), ["email"]),
        (RegisterRequest(email="ana\uff20b@example.com", password=PASSWORD), ["email"]),
    ],
)
async def test_a_malformed_registration_names_its_fields(
    identity: Identity, request_: RegisterRequest, fields: list[str]
) -> None:
    with refused(Reason.INVALID_REQUEST) as refusal:
        await identity.auth.Register(request_)
    assert refusal.fields == fields
    assert identity.rows("SELECT * FROM users") == []


@pytest.mark.parametrize("password", ["ninechars", "password123", "ana@example.com"])
async def test_a_weak_password_is_refused_and_says_what_it_takes(
    identity: Identity, password: str
) -> None:
    with refused(Reason.PASSWORD_TOO_WEAK) as refusal:
        await identity.register("ana@example.com", password)
    assert refusal.fields == ["password"]
    assert refusal.metadata == {"min_length": "10"}
    assert identity.rows("SELECT * FROM users") == []


async def test_a_password_is_stored_as_argon2id_and_nothing_of_it_is_logged_or_journalled(
    identity: Identity, capfd: pytest.CaptureFixture[str]
) -> None:
    user = await identity.register()
    session = await identity.log_in(user.email)
    await identity.refresh(session.refresh_token)
    await identity.refresh(session.refresh_token)
    with refused(Reason.INVALID_CREDENTIALS):
        await identity.log_in(user.email, PASSWORD + "!")
    ((stored,),) = identity.rows("SELECT password_hash FROM credentials")
    assert stored.startswith("$argon2id$")
    out, err = capfd.readouterr()
    logs = out + err
    assert "user registered" in logs
    journal = b"".join(row[0] for row in identity.rows("SELECT payload FROM journal"))
    for secret in (PASSWORD, stored, session.refresh_token, session.access_token):
        assert secret not in logs
        assert secret.encode() not in journal


async def test_no_token_is_stored(identity: Identity) -> None:
    session = await identity.signed_in()
    session = await identity.refresh(session.refresh_token)
    tables = identity.rows(
        "SELECT t::text FROM refresh_tokens t UNION ALL SELECT s::text FROM sessions s"
    )
    assert len(tables) == 3
    for row in tables:
        assert session.refresh_token not in row[0]
        assert session.access_token not in row[0]


async def test_others_are_answered_while_a_password_is_hashed(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await identity.signed_in()
    begun, others_answered = threading.Event(), threading.Event()
    verify = argon2.PasswordHasher.verify

    def slowly(*arguments: Any) -> bool:
        begun.set()
        assert others_answered.wait(PATIENCE_SECONDS)
        return verify(*arguments)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", slowly)
    hashing = asyncio.create_task(_wrong_log_in(identity))
    await eventually(begun.is_set)
    for _ in range(3):
        await identity.get_profile(session.access_token)
    assert not hashing.done()
    others_answered.set()
    await hashing


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET type = 'forged'",
        "DELETE FROM journal",
        "TRUNCATE journal",
        "UPDATE users SET registered_at = now()",
        "DELETE FROM users",
        "DELETE FROM erasure",
        "DROP TABLE sessions",
    ],
)
async def test_the_service_may_not_rewrite_what_happened(
    identity: Identity, statement: str
) -> None:
    await identity.register()
    with (
        psycopg.connect(identity.access.service) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


async def _wrong_log_in(identity: Identity) -> None:
    with refused(Reason.INVALID_CREDENTIALS):
        await identity.auth.LogIn(LogInRequest(email="nobody@example.com", password=PASSWORD))
