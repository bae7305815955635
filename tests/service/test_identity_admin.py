"""The command that makes the first administrator, run as a person runs it."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path

import jwt
import psycopg
import pytest

from services.identity.__main__ import main
from services.identity.permission import Role, permissions_of
from services.kit.reason import Reason
from services.local.databases import Access
from tests.service.commands import Ended, RunCommand
from tests.service.identity_server import Identity, StartIdentity, bearer, refused
from tests.waiting import PATIENCE_SECONDS
from veritick.identity.v1.auth_service_pb2 import ChangePasswordRequest

pytest_plugins = ["tests.service.commands", "tests.service.identity_fixtures"]

ROOT = Path(__file__).parents[2]
EMAIL = "chief@example.com"


CreateAdmin = Callable[..., Awaitable[Ended]]


@pytest.fixture
def create_admin(
    identity_access: Access, monkeypatch: pytest.MonkeyPatch, run_command: RunCommand
) -> CreateAdmin:
    """The command, on the database of the test."""
    monkeypatch.setenv("VERITICK_DATABASE_URL", identity_access.service)

    async def run(*arguments: str, typed: str = "") -> Ended:
        monkeypatch.setattr(sys, "argv", ["services.identity", "create-admin", *arguments])
        monkeypatch.setattr(sys, "stdin", StringIO(typed))
        return await run_command(main)

    return run


async def test_an_administrator_signs_in_with_the_permissions_of_staff(
    start_identity: StartIdentity, identity_access: Access
) -> None:
    run = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "services.identity", "create-admin", "--email", EMAIL],
        input="a password from a pipe\n",
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "VERITICK_DATABASE_URL": identity_access.service},
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    created, needed = run.stdout.splitlines()
    assert re.fullmatch(rf"created {EMAIL} as [0-9a-f-]{{36}} with the role admin", created)
    assert needed == "its permissions count once it has a second factor"
    async with start_identity() as identity:
        assert await _permissions(identity, "a password from a pipe") == permissions_of(
            [Role.ADMIN]
        )
        (changed,) = await identity.events("user.changed.v1")
        assert list(changed.event.user_changed.user.roles) == ["admin"]


async def test_an_empty_password_is_replaced_by_one_that_is_shown_once(
    start_identity: StartIdentity, create_admin: CreateAdmin
) -> None:
    run = await create_admin("--email", EMAIL)
    shown = re.findall(r"password, shown only now: (\S+)", run.stdout)
    assert (run.returncode, len(shown)) == (0, 1)
    async with start_identity() as identity:
        assert "ledger.read" in await _permissions(identity, shown[0])
        with refused(Reason.INVALID_CREDENTIALS):
            await identity.log_in(EMAIL, shown[0] + "x")


async def test_a_password_that_was_made_up_counts_for_a_day_unless_another_is_chosen(
    start_identity: StartIdentity, create_admin: CreateAdmin
) -> None:
    run = await create_admin("--email", EMAIL)
    (made_up,) = re.findall(r"password, shown only now: (\S+)", run.stdout)
    async with start_identity() as identity:
        ((registered, expires),) = identity.rows("SELECT changed_at, expires_at FROM credentials")
        assert expires - registered == timedelta(hours=24)
        identity.clock.set(expires - timedelta(minutes=1))
        session = await identity.log_in(EMAIL, made_up)
        identity.clock.set(expires)
        with refused(Reason.INVALID_CREDENTIALS):
            await identity.log_in(EMAIL, made_up)
        change = ChangePasswordRequest(
            current_password=made_up, new_password="a password of her own"
        )
        await identity.auth.ChangePassword(change, metadata=bearer(session.access_token))
        identity.clock.advance(timedelta(days=1))
        await identity.log_in(EMAIL, "a password of her own")


@pytest.mark.parametrize(
    ("email", "typed", "complaint"),
    [
        ("no address", "a good long password", "must be a mail address"),
        (EMAIL, "short", "must have at least 10 characters"),
        (EMAIL, "password123", "first that anyone would guess"),
    ],
)
async def test_what_is_refused_says_why_and_makes_nobody(
    create_admin: CreateAdmin, identity_access: Access, email: str, typed: str, complaint: str
) -> None:
    run = await create_admin("--email", email, typed=typed)
    assert run.returncode == 1
    assert complaint in run.stderr
    with psycopg.connect(identity_access.owner) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)


async def test_an_address_that_is_taken_is_not_promoted(
    identity: Identity, create_admin: CreateAdmin
) -> None:
    await identity.register(EMAIL)
    run = await create_admin("--email", EMAIL, typed="a password from a pipe\n")
    assert run.returncode == 1
    assert "created" not in run.stdout
    assert "exists" in run.stderr
    assert identity.rows("SELECT roles FROM users") == [(["trader"],)]


async def test_the_command_takes_no_password_as_an_argument(create_admin: CreateAdmin) -> None:
    run = await create_admin("--email", EMAIL, "--password", "a good long password")
    assert run.returncode == 2
    assert "unrecognized arguments" in run.stderr


async def test_an_unknown_command_is_told_which_there_are(
    monkeypatch: pytest.MonkeyPatch, run_command: RunCommand
) -> None:
    monkeypatch.setattr(sys, "argv", ["services.identity", "create"])
    run = await run_command(main)
    assert run.returncode == 1
    assert run.stderr.startswith(
        "usage: python -m services.identity serve | migrate | create-admin"
    )


async def _permissions(identity: Identity, password: str) -> set[str]:
    session = await identity.log_in(EMAIL, password)
    claims = jwt.decode(session.access_token, options={"verify_signature": False})
    return set(claims["perm"])
