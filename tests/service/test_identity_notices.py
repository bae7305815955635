"""Letters in the language of who is written to."""

import pytest

from services.kit.reason import Reason
from tests.service.identity_server import PASSWORD, Identity, bearer, refused
from veritick.identity.v1.auth_service_pb2 import RegisterRequest, RequestPasswordResetRequest
from veritick.identity.v1.profile_service_pb2 import UpdateProfileRequest

pytest_plugins = ["tests.service.identity_fixtures"]
pytestmark = pytest.mark.security


async def test_a_letter_is_written_in_the_language_of_its_user(identity: Identity) -> None:
    request = RegisterRequest(email="ana@example.com", password=PASSWORD, language_code="ru")
    user = (await identity.auth.Register(request)).user
    assert user.language_code == "ru"
    assert "/confirm-email#" in await identity.letter(user.email, "Подтвердите адрес почты")
    metadata = bearer((await identity.log_in(user.email)).access_token)
    told = UpdateProfileRequest(language_code="es")
    answer = await identity.profile.UpdateProfile(told, metadata=metadata)
    assert answer.user.language_code == "es"
    await identity.auth.RequestPasswordReset(RequestPasswordResetRequest(email=user.email))
    assert "/reset-password#" in await identity.letter(user.email, "Elija una contraseña nueva")


async def test_who_says_nothing_is_written_to_in_english(identity: Identity) -> None:
    assert (await identity.register()).language_code == "en"
    with refused(Reason.INVALID_REQUEST) as refusal:
        await identity.auth.Register(
            RegisterRequest(email="ana@example.com", password=PASSWORD, language_code="xx")
        )
    assert refusal.fields == ["language_code"]
