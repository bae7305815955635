"""ReferralService: by which link users refer others, and who came by it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.identity.referral import Referral, Refusal, masked
from services.identity.referring import Referring
from services.kit.errors import Failure
from services.kit.pages import decode_page_token, encode_page_token, parse_filter
from services.kit.principal import caller
from services.kit.reason import Reason
from services.kit.wire import to_datetime, to_timestamp
from veritick.identity.v1 import referral_service_pb2 as pb
from veritick.identity.v1.referral_service_pb2_grpc import ReferralServiceServicer

_PAGE = 50


class ReferralFace(ReferralServiceServicer):
    """Shows users their link, and whom it brought; and staff who referred whom."""

    def __init__(self, referring: Referring) -> None:
        self._referring = referring

    async def GetReferralLink(
        self, request: pb.GetReferralLinkRequest, context: Any
    ) -> pb.GetReferralLinkResponse:
        """Answer the caller's link."""
        code = await self._referring.own_code(caller().user_id)
        return pb.GetReferralLinkResponse(code=code, url=self._referring.link(code))

    async def ListReferredUsers(
        self, request: pb.ListReferredUsersRequest, context: Any
    ) -> pb.ListReferredUsersResponse:
        """List whom the caller has referred."""
        before, limit = _key(request.page_token), request.page_size or _PAGE
        since = to_datetime(request.start)  # the epoch when it is absent: all came later
        found = await self._referring.referred(caller().user_id, since, before, limit)
        full = len(found.users) == limit
        return pb.ListReferredUsersResponse(
            referred_users=[
                pb.ReferredUser(
                    masked_email=masked(user), register_time=to_timestamp(user.registered_at)
                )
                for user in found.users
            ],
            next_page_token=encode_page_token([str(found.users[-1].user_id)]) if full else "",
            total_size=found.total,
        )

    async def ListUserReferrals(
        self, request: pb.ListUserReferralsRequest, context: Any
    ) -> pb.ListUserReferralsResponse:
        """List who referred a user, and whom he referred."""
        before, limit = _key(request.page_token), request.page_size or _PAGE
        refusal, user_id = _refusal(request.filter), UUID(request.user_id)
        found = await self._referring.of_user(user_id, refusal, before, limit)
        full = len(found.others) == limit
        return pb.ListUserReferralsResponse(
            referrer=_message(found.own) if found.own else None,
            referrals=map(_message, found.others),
            next_page_token=encode_page_token([str(found.others[-1].user_id)]) if full else "",
        )


def _key(token: str) -> UUID | None:
    return decode_page_token(token, UUID)[0] if token else None


def _refusal(text: str) -> Refusal | None:
    name = parse_filter(text, {"refusal"}).get("refusal")
    if name is not None and name not in Refusal.__members__:
        metadata = {"filter": text[:100]}
        message = "The filter has an unknown value."
        raise Failure(Reason.INVALID_FILTER, message, metadata=metadata)
    return None if name is None else Refusal(name)


def _message(referral: Referral) -> pb.Referral:
    return pb.Referral(
        user_id=str(referral.user_id),
        referrer_id=str(referral.referrer_id),
        create_time=to_timestamp(referral.referred_at),
        refusal=pb.Referral.Refusal.Value(referral.refusal or "REFUSAL_UNSPECIFIED"),
    )
