"""ProfileService, what users see and tell of themselves, and MailboxService, for staff."""

from typing import Any
from uuid import UUID

from services.identity import letters
from services.identity.rpc import session_id
from services.identity.second_factors import SecondFactors
from services.identity.sign_in import SignIn
from services.identity.standing import Standing
from services.identity.user import User
from services.identity.wire import to_delivered_mail, to_user
from services.kit.database import Database
from services.kit.pages import decode_page_token, encode_page_token, parse_filter
from services.kit.principal import caller
from veritick.identity.v1 import mailbox_service_pb2 as mailbox
from veritick.identity.v1 import profile_service_pb2 as profile
from veritick.identity.v1.mailbox_service_pb2_grpc import MailboxServiceServicer
from veritick.identity.v1.profile_service_pb2_grpc import ProfileServiceServicer
from veritick.identity.v1.user_pb2 import User as UserMessage

_PAGE = 50


class ProfileFace(ProfileServiceServicer):
    """Shows users what is known about them, and takes what they tell."""

    def __init__(self, sign_in: SignIn, standing: Standing, factors: SecondFactors) -> None:
        self._sign_in = sign_in
        self._standing = standing
        self._factors = factors

    async def GetProfile(
        self, request: profile.GetProfileRequest, context: Any
    ) -> profile.GetProfileResponse:
        """Answer the calling user."""
        user = await self._sign_in.profile(caller().user_id, session_id())
        return profile.GetProfileResponse(user=await self._shown(user))

    async def UpdateProfile(
        self, request: profile.UpdateProfileRequest, context: Any
    ) -> profile.UpdateProfileResponse:
        """Take the caller's country and birth date, and in which language he reads."""
        user = await self._standing.describe(
            caller().user_id, request.country_code, request.birth_date, request.language_code
        )
        return profile.UpdateProfileResponse(user=await self._shown(user))

    async def AcceptAgreement(
        self, request: profile.AcceptAgreementRequest, context: Any
    ) -> profile.AcceptAgreementResponse:
        """Accept the user agreement."""
        user = await self._standing.agree(caller().user_id, request.agreement_version)
        return profile.AcceptAgreementResponse(user=await self._shown(user))

    async def _shown(self, user: User) -> UserMessage:
        message = to_user(user, self._standing.missing(user))
        message.second_factor = await self._factors.in_force(user.user_id)
        message.permissions.extend(sorted(caller().permissions))
        return message


class MailboxFace(MailboxServiceServicer):
    """Shows the mails that were kept on this machine."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ListMails(
        self, request: mailbox.ListMailsRequest, context: Any
    ) -> mailbox.ListMailsResponse:
        """List mails, newest first."""
        recipient = parse_filter(request.filter, {"recipient"}).get("recipient")
        before = decode_page_token(request.page_token, UUID)[0] if request.page_token else None
        limit = request.page_size or _PAGE
        async with self._database.connection() as connection:
            found = await letters.delivered(connection, recipient, before, limit)
        following = encode_page_token([str(found[-1].mail_id)]) if len(found) == limit else ""
        return mailbox.ListMailsResponse(
            mails=map(to_delivered_mail, found), next_page_token=following
        )
