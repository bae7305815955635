"""Staff without a second factor are nobody in particular, where one is demanded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import jwt
import pyotp
import pytest

from services.identity.permission import ALL
from services.identity.settings import Settings
from services.kit.channels import failure_of
from services.kit.reason import Reason
from tests.service.identity_server import PASSWORD, Identity, StartIdentity, bearer, refused
from tests.waiting import eventually
from veritick.identity.v1.audit_service_pb2 import CheckAuditTrailRequest
from veritick.identity.v1.auth_service_pb2 import (
    ConfirmIdentityRequest,
    ConfirmTotpRequest,
    DisableTotpRequest,
    EnrolTotpRequest,
    LogInRequest,
)
from veritick.identity.v1.user_pb2 import Session, User

pytest_plugins = ["tests.service.identity_fixtures"]
pytestmark = pytest.mark.security


@pytest.fixture
async def strict(start_identity: StartIdentity) -> AsyncIterator[Identity]:
    """An identity that demands a second factor of staff, as in production."""
    async with start_identity(staff_second_factor=True) as identity:
        yield identity


async def admin(identity: Identity) -> User:
    user = await identity.register()
    hired = "UPDATE users SET roles = '{trader,admin}' WHERE user_id = %s RETURNING 1"
    identity.rows(hired, user.user_id)
    return user


def permissions(session: Session) -> set[str]:
    claims = jwt.decode(session.access_token, options={"verify_signature": False})
    return set(claims["perm"])


async def look(identity: Identity, session: Session) -> None:
    """Do what only staff may."""
    metadata = bearer(session.access_token)
    await identity.audit.CheckAuditTrail(CheckAuditTrailRequest(), metadata=metadata)


async def enrol(identity: Identity, session: Session) -> pyotp.TOTP:
    metadata = bearer(session.access_token)
    made = await identity.auth.EnrolTotp(EnrolTotpRequest(), metadata=metadata)
    totp = pyotp.TOTP(made.secret)
    code = totp.at(identity.clock.now())
    await identity.auth.ConfirmTotp(ConfirmTotpRequest(code=code), metadata=metadata)
    return totp


async def until_outdated(identity: Identity, session: Session) -> None:
    """Wait until a token of the old permissions counts no more."""

    async def outdated() -> bool:
        try:
            await identity.get_profile(session.access_token)
        except grpc.aio.AioRpcError as error:
            return failure_of(error).reason is Reason.TOKEN_EXPIRED
        return False

    await eventually(outdated)


async def test_the_password_alone_gives_no_permission(strict: Identity) -> None:
    session = await strict.log_in((await admin(strict)).email)
    assert permissions(session) == set()
    with refused(Reason.PERMISSION_DENIED):
        await look(strict, session)
    renewed = await strict.refresh(session.refresh_token)
    assert permissions(renewed) == set()
    again = ConfirmIdentityRequest(password=PASSWORD)
    metadata = bearer(renewed.access_token)
    proven = (await strict.auth.ConfirmIdentity(again, metadata=metadata)).session
    assert permissions(proven) == set()


async def test_permissions_count_from_the_moment_of_the_factor_until_it_is_removed(
    strict: Identity,
) -> None:
    user = await admin(strict)
    session = await strict.log_in(user.email)
    totp = await enrol(strict, session)
    await until_outdated(strict, session)
    session = await strict.refresh(session.refresh_token)
    assert permissions(session) == ALL
    await look(strict, session)

    with refused(Reason.SECOND_FACTOR_REQUIRED):
        await strict.log_in(user.email)
    strict.clock.advance(timedelta(seconds=30))
    code = totp.at(strict.clock.now())
    request = LogInRequest(email=user.email, password=PASSWORD, code=code)
    session = (await strict.auth.LogIn(request)).session
    assert permissions(session) == ALL

    metadata = bearer(session.access_token)
    await strict.auth.DisableTotp(DisableTotpRequest(), metadata=metadata)
    await until_outdated(strict, session)
    assert permissions(await strict.refresh(session.refresh_token)) == set()


async def test_traders_need_none(strict: Identity) -> None:
    session = await strict.signed_in()
    await enrol(strict, session)
    await strict.get_profile(session.access_token)


async def test_on_one_machine_a_password_is_enough(identity: Identity) -> None:
    session = await identity.log_in((await admin(identity)).email)
    assert permissions(session) == ALL


@pytest.mark.parametrize(
    ("mode", "chosen", "demanded"),
    [
        ("production", None, True),
        ("development", None, False),
        ("production", False, False),
        ("development", True, True),
    ],
)
def test_production_demands_it_unless_told_otherwise(
    mode: Any, chosen: bool | None, demanded: bool
) -> None:
    settings = Settings(
        mode=mode,
        staff_second_factor=chosen,
        database_url="postgresql://svc:Xq9-long-and-random@db.example/identity",
    )
    assert settings.demands_second_factor is demanded
