"""AuthService and RevocationService: signing in and out, and who has to hear of it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.identity.device import Device, described
from services.identity.passwords import Passwords
from services.identity.permission import Role
from services.identity.registration import NewUser, Registration
from services.identity.revoking import RevokedSource
from services.identity.second_factors import SecondFactors
from services.identity.sign_in import SignIn
from services.identity.signing_out import SigningOut
from services.identity.standing import Standing
from services.identity.wire import (
    to_open_session,
    to_revocation,
    to_session,
    to_signing_key,
    to_user,
)
from services.kit.errors import Failure
from services.kit.origin import origin
from services.kit.principal import caller
from services.kit.reason import Reason
from services.kit.tokens import USER_ISSUER, Keyring
from services.kit.wire import to_timestamp
from veritick.identity.v1 import auth_service_pb2 as auth
from veritick.identity.v1 import revocation_service_pb2 as revocation
from veritick.identity.v1.auth_service_pb2_grpc import AuthServiceServicer
from veritick.identity.v1.revocation_service_pb2_grpc import RevocationServiceServicer


@dataclass(frozen=True, slots=True)
class Published:
    """What everybody may know."""

    rules: auth.GetSignUpRulesResponse
    keyring: Keyring
    """Whose public key verifies access tokens."""

    stream_url: str
    """Where the socket is."""


class AuthFace(AuthServiceServicer):
    """Turns credentials into tokens, and ends what it began."""

    def __init__(
        self,
        *,
        registration: Registration,
        sign_in: SignIn,
        signing_out: SigningOut,
        passwords: Passwords,
        standing: Standing,
        factors: SecondFactors,
        published: Published,
    ) -> None:
        self._registration = registration
        self._sign_in = sign_in
        self._signing_out = signing_out
        self._passwords = passwords
        self._standing = standing
        self._factors = factors
        self._published = published

    async def Register(self, request: auth.RegisterRequest, context: Any) -> auth.RegisterResponse:
        """Create a user with the role `trader`."""
        wanted = NewUser(
            request.email,
            request.password,
            request.country_code,
            request.birth_date,
            request.agreement_version,
            request.language_code,
            request.referral_code,
            origin(),
        )
        user = await self._registration.register(wanted, Role.TRADER)
        return auth.RegisterResponse(user=to_user(user, self._standing.missing(user)))

    async def GetSignUpRules(
        self, request: auth.GetSignUpRulesRequest, context: Any
    ) -> auth.GetSignUpRulesResponse:
        """Tell what signing up asks for."""
        return self._published.rules

    async def VerifyEmail(
        self, request: auth.VerifyEmailRequest, context: Any
    ) -> auth.VerifyEmailResponse:
        """Confirm a mail address by a link."""
        await self._standing.confirm_email(request.token)
        return auth.VerifyEmailResponse()

    async def RequestEmailVerification(
        self, request: auth.RequestEmailVerificationRequest, context: Any
    ) -> auth.RequestEmailVerificationResponse:
        """Send the caller another link to confirm the address."""
        user = await self._sign_in.profile(caller().user_id, session_id())
        await self._standing.ask_again(user, origin().address)
        return auth.RequestEmailVerificationResponse()

    async def RequestPasswordReset(
        self, request: auth.RequestPasswordResetRequest, context: Any
    ) -> auth.RequestPasswordResetResponse:
        """Send a link to choose a new password, to whoever has this address."""
        await self._passwords.ask_reset(request.email, origin().address)
        return auth.RequestPasswordResetResponse()

    async def ResetPassword(
        self, request: auth.ResetPasswordRequest, context: Any
    ) -> auth.ResetPasswordResponse:
        """Choose a new password by a link."""
        await self._passwords.reset(request.token, request.new_password)
        return auth.ResetPasswordResponse()

    async def LogIn(self, request: auth.LogInRequest, context: Any) -> auth.LogInResponse:
        """Open a session."""
        device = device_of(request.device_name)
        tokens = await self._sign_in.log_in(request.email, request.password, device, request.code)
        return auth.LogInResponse(session=to_session(tokens))

    async def RefreshSession(
        self, request: auth.RefreshSessionRequest, context: Any
    ) -> auth.RefreshSessionResponse:
        """Exchange a refresh token for new tokens."""
        tokens = await self._sign_in.refresh(request.refresh_token)
        return auth.RefreshSessionResponse(session=to_session(tokens))

    async def LogOut(self, request: auth.LogOutRequest, context: Any) -> auth.LogOutResponse:
        """End the caller's session."""
        await self._signing_out.log_out(session_id())
        return auth.LogOutResponse()

    async def ListSessions(
        self, request: auth.ListSessionsRequest, context: Any
    ) -> auth.ListSessionsResponse:
        """List the caller's sessions."""
        found = await self._signing_out.sessions_of(caller().user_id)
        current = session_id()
        return auth.ListSessionsResponse(sessions=[to_open_session(s, current) for s in found])

    async def RevokeSession(
        self, request: auth.RevokeSessionRequest, context: Any
    ) -> auth.RevokeSessionResponse:
        """End one session of the caller."""
        await self._signing_out.end_own(caller().user_id, UUID(request.session_id))
        return auth.RevokeSessionResponse()

    async def RevokeAllSessions(
        self, request: auth.RevokeAllSessionsRequest, context: Any
    ) -> auth.RevokeAllSessionsResponse:
        """End the caller's sessions."""
        spared = None if request.include_current else session_id()
        over = await self._signing_out.end_all(caller().user_id, but=spared)
        return auth.RevokeAllSessionsResponse(ended=len(over))

    async def ChangePassword(
        self, request: auth.ChangePasswordRequest, context: Any
    ) -> auth.ChangePasswordResponse:
        """Replace the caller's password."""
        await self._passwords.change(
            caller().user_id, session_id(), request.current_password, request.new_password
        )
        return auth.ChangePasswordResponse()

    async def ConfirmIdentity(
        self, request: auth.ConfirmIdentityRequest, context: Any
    ) -> auth.ConfirmIdentityResponse:
        """Prove once more who the caller is."""
        tokens = await self._sign_in.confirm(
            caller().user_id, session_id(), request.password, request.code
        )
        return auth.ConfirmIdentityResponse(session=to_session(tokens))

    async def EnrolTotp(
        self, request: auth.EnrolTotpRequest, context: Any
    ) -> auth.EnrolTotpResponse:
        """Begin a second factor."""
        user = await self._sign_in.profile(caller().user_id, session_id())
        secret, uri = await self._factors.enrol(user.user_id, user.email)
        return auth.EnrolTotpResponse(secret=secret, uri=uri)

    async def ConfirmTotp(
        self, request: auth.ConfirmTotpRequest, context: Any
    ) -> auth.ConfirmTotpResponse:
        """Put the second factor in force."""
        codes = await self._factors.confirm(caller().user_id, request.code)
        return auth.ConfirmTotpResponse(recovery_codes=codes)

    async def RenewRecoveryCodes(
        self, request: auth.RenewRecoveryCodesRequest, context: Any
    ) -> auth.RenewRecoveryCodesResponse:
        """Replace the recovery codes."""
        codes = await self._factors.renew_codes(caller().user_id)
        return auth.RenewRecoveryCodesResponse(recovery_codes=codes)

    async def DisableTotp(
        self, request: auth.DisableTotpRequest, context: Any
    ) -> auth.DisableTotpResponse:
        """Remove the second factor."""
        await self._factors.remove(caller().user_id)
        return auth.DisableTotpResponse()

    async def CreateStreamTicket(
        self, request: auth.CreateStreamTicketRequest, context: Any
    ) -> auth.CreateStreamTicketResponse:
        """Issue a ticket for the socket."""
        key = caller().key
        if key is not None:
            ticket = self._sign_in.key_ticket(caller(), key)
        else:
            ticket = await self._sign_in.stream_ticket(caller().user_id, session_id())
        return auth.CreateStreamTicketResponse(
            ticket=ticket.token,
            url=self._published.stream_url,
            expire_time=to_timestamp(ticket.expires_at),
        )

    async def ListSigningKeys(
        self, request: auth.ListSigningKeysRequest, context: Any
    ) -> auth.ListSigningKeysResponse:
        """Publish the key that verifies access tokens."""
        key = to_signing_key(USER_ISSUER, self._published.keyring.public_key(USER_ISSUER))
        return auth.ListSigningKeysResponse(keys=[key])


class RevocationFace(RevocationServiceServicer):
    """Tells services what was taken back."""

    def __init__(self, source: RevokedSource) -> None:
        self._source = source

    async def WatchRevocations(
        self, request: revocation.WatchRevocationsRequest, context: Any
    ) -> AsyncIterator[revocation.WatchRevocationsResponse]:
        """Tell in full what was taken back, then what comes."""
        async for news in self._source.watch():
            yield revocation.WatchRevocationsResponse(
                revocations=map(to_revocation, news.revoked), snapshot_complete=news.complete
            )


def device_of(name: str) -> Device:
    """Return from what the call comes, under a name of the caller's or one that we make up."""
    seen = origin()
    return Device(name or described(seen.agent), seen.address, seen.agent, seen.device)


def session_id() -> UUID:
    """Return the session of the calling user. Failure UNAUTHENTICATED when there is none."""
    found = caller().session_id
    if found is None:
        raise Failure(Reason.UNAUTHENTICATED, "This call needs a token of a session.")
    return UUID(found)
