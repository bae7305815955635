"""The gRPC faces of identity: AuthService and ProfileService."""

from typing import Any
from uuid import UUID

from services.identity.permission import Role
from services.identity.registration import Registration
from services.identity.sign_in import SignIn
from services.identity.wire import to_session, to_signing_key, to_user
from services.kit.errors import Failure
from services.kit.principal import caller
from services.kit.reason import Reason
from services.kit.tokens import USER_ISSUER, Keyring
from services.kit.wire import to_timestamp
from veritick.identity.v1 import auth_service_pb2 as auth
from veritick.identity.v1 import profile_service_pb2 as profile
from veritick.identity.v1.auth_service_pb2_grpc import AuthServiceServicer
from veritick.identity.v1.profile_service_pb2_grpc import ProfileServiceServicer


class AuthFace(AuthServiceServicer):
    """Turns credentials into tokens, and ends what it began."""

    def __init__(
        self, registration: Registration, sign_in: SignIn, keyring: Keyring, stream_url: str
    ) -> None:
        """Publish the key of this keyring, and `stream_url` as where the socket is."""
        self._registration = registration
        self._sign_in = sign_in
        self._keyring = keyring
        self._stream_url = stream_url

    async def Register(self, request: auth.RegisterRequest, context: Any) -> auth.RegisterResponse:
        """Create a user with the role `trader`."""
        user = await self._registration.register(request.email, request.password, Role.TRADER)
        return auth.RegisterResponse(user=to_user(user))

    async def LogIn(self, request: auth.LogInRequest, context: Any) -> auth.LogInResponse:
        """Open a session."""
        tokens = await self._sign_in.log_in(request.email, request.password)
        return auth.LogInResponse(session=to_session(tokens))

    async def RefreshSession(
        self, request: auth.RefreshSessionRequest, context: Any
    ) -> auth.RefreshSessionResponse:
        """Exchange a refresh token for new tokens."""
        tokens = await self._sign_in.refresh(request.refresh_token)
        return auth.RefreshSessionResponse(session=to_session(tokens))

    async def LogOut(self, request: auth.LogOutRequest, context: Any) -> auth.LogOutResponse:
        """End the caller's session."""
        await self._sign_in.log_out(_session_id())
        return auth.LogOutResponse()

    async def CreateStreamTicket(
        self, request: auth.CreateStreamTicketRequest, context: Any
    ) -> auth.CreateStreamTicketResponse:
        """Issue a ticket for the socket."""
        ticket = await self._sign_in.stream_ticket(caller().user_id, _session_id())
        return auth.CreateStreamTicketResponse(
            ticket=ticket.token, url=self._stream_url, expire_time=to_timestamp(ticket.expires_at)
        )

    async def ListSigningKeys(
        self, request: auth.ListSigningKeysRequest, context: Any
    ) -> auth.ListSigningKeysResponse:
        """Publish the key that verifies access tokens."""
        key = to_signing_key(USER_ISSUER, self._keyring.public_key(USER_ISSUER))
        return auth.ListSigningKeysResponse(keys=[key])


class ProfileFace(ProfileServiceServicer):
    """Shows users what is known about them."""

    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in

    async def GetProfile(
        self, request: profile.GetProfileRequest, context: Any
    ) -> profile.GetProfileResponse:
        """Answer the calling user."""
        user = await self._sign_in.profile(caller().user_id, _session_id())
        return profile.GetProfileResponse(user=to_user(user))


def _session_id() -> UUID:
    """Return the session of the calling user."""
    session_id = caller().session_id
    if session_id is None:
        raise Failure(Reason.UNAUTHENTICATED, "This call needs a token of a session.")
    return UUID(session_id)
