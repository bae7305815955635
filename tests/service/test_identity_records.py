"""What stays on record of credentials: who changed one, and when one was refused; never itself."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pyotp
import pytest

from tests.service.identity_server import PASSWORD, Identity, bearer
from tests.waiting import PATIENCE_SECONDS
from veritick.identity.v1.api_key_service_pb2 import (
    CreateApiKeyRequest,
    ExchangeApiKeyRequest,
    RevokeApiKeyRequest,
)
from veritick.identity.v1.api_key_service_pb2_grpc import ApiKeyServiceStub
from veritick.identity.v1.auth_service_pb2 import (
    ChangePasswordRequest,
    ConfirmIdentityRequest,
    ConfirmTotpRequest,
    DisableTotpRequest,
    EnrolTotpRequest,
    LogInRequest,
    RenewRecoveryCodesRequest,
    RequestPasswordResetRequest,
    ResetPasswordRequest,
)
from veritick.identity.v1.passkey_service_pb2 import FinishPasskeyLogInRequest
from veritick.identity.v1.passkey_service_pb2_grpc import PasskeyServiceStub
from veritick.option.v1.access_pb2 import Access

pytest_plugins = ["tests.service.identity_fixtures"]
pytestmark = pytest.mark.security

DONE = "SELECT count(*) FROM audit_record WHERE outcome = 'DONE'"
REFUSED = "SELECT sum(count)::int FROM audit_record WHERE outcome = 'REFUSED'"
EDGE = "203.0.113.9"


async def until(identity: Identity, query: str, count: int) -> None:
    """Wait until a query counts so many."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (identity.rows(query)[0][0] or 0) < count:
            await asyncio.sleep(0.05)


async def refused(call: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await call


async def test_who_changes_a_credential_is_on_record(identity: Identity) -> None:
    user = await identity.register()
    session = await identity.log_in(user.email)
    metadata = bearer(session.access_token)
    keys: Any = ApiKeyServiceStub(identity.anybody())
    made = await keys.CreateApiKey(
        CreateApiKeyRequest(name="my bot", scopes=[Access.READ], networks=[EDGE]),
        metadata=metadata,
    )
    await keys.RevokeApiKey(RevokeApiKeyRequest(key_id=made.key.key_id), metadata=metadata)
    factor = await identity.auth.EnrolTotp(EnrolTotpRequest(), metadata=metadata)
    code = pyotp.TOTP(factor.secret).at(identity.clock.now())
    confirmed = await identity.auth.ConfirmTotp(ConfirmTotpRequest(code=code), metadata=metadata)
    recovery = confirmed.recovery_codes[0]
    await identity.auth.LogIn(LogInRequest(email=user.email, password=PASSWORD, code=recovery))
    await identity.auth.RenewRecoveryCodes(RenewRecoveryCodesRequest(), metadata=metadata)
    await identity.auth.DisableTotp(DisableTotpRequest(), metadata=metadata)
    await identity.auth.DisableTotp(DisableTotpRequest(), metadata=metadata)
    changed = ChangePasswordRequest(current_password=PASSWORD, new_password="nine lives, and more")
    await identity.auth.ChangePassword(changed, metadata=metadata)
    await identity.auth.RequestPasswordReset(RequestPasswordResetRequest(email=user.email))
    token = await identity.token_in(user.email, "Choose a new password")
    await identity.auth.ResetPassword(ResetPasswordRequest(token=token, new_password=PASSWORD))

    await until(identity, DONE, 10)
    found = identity.rows(
        "SELECT action, actor, subject, before || after FROM audit_record "
        "WHERE outcome = 'DONE' ORDER BY sequence"
    )
    assert [action for action, *_ in found] == [
        "session.begin",
        "key.create",
        "key.end",
        "second-factor.enable",
        "recovery-code.use",
        "session.begin",
        "recovery-codes.renew",
        "second-factor.disable",
        "password.change",
        "password.reset",
    ]
    whose = f"user:{user.user_id}"
    assert {(actor, subject) for _, actor, subject, _ in found} == {(whose, whose)}
    told = " ".join(str(row) for row in found)
    for secret in (made.secret, factor.secret, recovery, token, user.email, EDGE, "my bot"):
        assert secret not in told
    assert made.key.key_id in told


async def test_whose_credentials_are_refused_is_on_record_and_counted(identity: Identity) -> None:
    user = await identity.register()
    session = await identity.log_in(user.email)
    keys: Any = ApiKeyServiceStub(identity.anybody())
    passkeys: Any = PasskeyServiceStub(identity.anybody())
    wrong = LogInRequest(email=user.email, password="not the password")
    for _ in range(3):
        await refused(identity.auth.LogIn(wrong))
    await refused(identity.auth.LogIn(LogInRequest(email="nobody@example.com", password="wrong")))
    await refused(keys.ExchangeApiKey(ExchangeApiKeyRequest(secret="vtk_no_key")))
    await refused(
        passkeys.FinishPasskeyLogIn(
            FinishPasskeyLogInRequest(challenge="none", credential='{"rawId": "none"}')
        )
    )
    metadata = bearer(session.access_token)
    confirm = ConfirmIdentityRequest(password="not the password")
    await refused(identity.auth.ConfirmIdentity(confirm, metadata=metadata))
    change = ChangePasswordRequest(current_password="wrong", new_password="nine lives, and more")
    await refused(identity.auth.ChangePassword(change, metadata=metadata))

    # They are told in batches, and a batch may end in the middle.
    await until(identity, REFUSED, 8)
    found = identity.rows(
        "SELECT action, actor, subject, reason, sum(count)::int FROM audit_record "
        "WHERE outcome = 'REFUSED' GROUP BY 1, 2, 3, 4"
    )
    whose = f"user:{user.user_id}"
    assert sorted(found) == [
        ("key.exchange", "anonymous", "", "KEY_INVALID", 1),
        ("passkey.present", "anonymous", "", "PASSKEY_INVALID", 1),
        ("password.change", whose, whose, "INVALID_CREDENTIALS", 1),
        ("session.begin", "anonymous", "", "INVALID_CREDENTIALS", 1),
        ("session.begin", "anonymous", whose, "INVALID_CREDENTIALS", 3),
        ("session.confirm", whose, whose, "INVALID_CREDENTIALS", 1),
    ]
    assert "nobody@example.com" not in str(found)
