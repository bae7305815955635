"""PasskeyService: signing in with passkeys."""

from typing import Any
from uuid import UUID

from services.identity.passkeys import Passkey, Passkeys
from services.identity.rpc import device_of, session_id
from services.identity.sign_in import SignIn
from services.identity.wire import to_session
from services.kit.origin import origin
from services.kit.principal import caller
from services.kit.wire import to_timestamp
from veritick.identity.v1 import passkey_service_pb2 as passkey_pb
from veritick.identity.v1.passkey_service_pb2_grpc import PasskeyServiceServicer


class PasskeyFace(PasskeyServiceServicer):
    """Enrols, shows and deletes passkeys, and opens sessions by them."""

    def __init__(self, passkeys: Passkeys, sign_in: SignIn) -> None:
        self._passkeys = passkeys
        self._sign_in = sign_in

    async def BeginPasskeyEnrolment(
        self, request: passkey_pb.BeginPasskeyEnrolmentRequest, context: Any
    ) -> passkey_pb.BeginPasskeyEnrolmentResponse:
        user = await self._sign_in.profile(caller().user_id, session_id())
        challenge, options = await self._passkeys.begin_enrolment(user)
        return passkey_pb.BeginPasskeyEnrolmentResponse(challenge=challenge, options=options)

    async def FinishPasskeyEnrolment(
        self, request: passkey_pb.FinishPasskeyEnrolmentRequest, context: Any
    ) -> passkey_pb.FinishPasskeyEnrolmentResponse:
        made = await self._passkeys.finish_enrolment(
            caller().user_id, request.challenge, request.credential, request.name
        )
        return passkey_pb.FinishPasskeyEnrolmentResponse(passkey=_shown(made))

    async def ListPasskeys(
        self, request: passkey_pb.ListPasskeysRequest, context: Any
    ) -> passkey_pb.ListPasskeysResponse:
        found = await self._passkeys.passkeys_of(caller().user_id)
        return passkey_pb.ListPasskeysResponse(passkeys=map(_shown, found))

    async def DeletePasskey(
        self, request: passkey_pb.DeletePasskeyRequest, context: Any
    ) -> passkey_pb.DeletePasskeyResponse:
        await self._passkeys.delete(caller().user_id, UUID(request.passkey_id))
        return passkey_pb.DeletePasskeyResponse()

    async def BeginPasskeyLogIn(
        self, request: passkey_pb.BeginPasskeyLogInRequest, context: Any
    ) -> passkey_pb.BeginPasskeyLogInResponse:
        challenge, options = self._passkeys.begin_log_in()
        return passkey_pb.BeginPasskeyLogInResponse(challenge=challenge, options=options)

    async def FinishPasskeyLogIn(
        self, request: passkey_pb.FinishPasskeyLogInRequest, context: Any
    ) -> passkey_pb.FinishPasskeyLogInResponse:
        address = origin().address
        user_id = await self._passkeys.who_signed(request.challenge, request.credential, address)
        tokens = await self._sign_in.begin(user_id, device_of(request.device_name))
        return passkey_pb.FinishPasskeyLogInResponse(session=to_session(tokens))


def _shown(passkey: Passkey) -> passkey_pb.Passkey:
    used = passkey.last_used_at
    return passkey_pb.Passkey(
        passkey_id=str(passkey.passkey_id),
        name=passkey.name,
        create_time=to_timestamp(passkey.created_at),
        last_use_time=to_timestamp(used) if used else None,
    )
