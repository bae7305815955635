"""ProtectionService: users protect themselves, staff see how."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.identity.protecting import Protecting
from services.identity.protection import Action, Protection
from services.identity.protection_wire import (
    to_asked,
    to_change,
    to_kind,
    to_period,
    to_protection,
)
from services.kit.errors import Failure
from services.kit.pages import decode_page_token, encode_page_token, parse_filter
from services.kit.principal import caller
from services.kit.reason import Reason
from veritick.identity.v1 import protection_service_pb2 as pb
from veritick.identity.v1.protection_pb2 import Protection as ProtectionMessage
from veritick.identity.v1.protection_pb2 import ProtectionChange
from veritick.identity.v1.protection_service_pb2_grpc import ProtectionServiceServicer

_PAGE = 50


class ProtectionFace(ProtectionServiceServicer):
    """Takes what users set to protect themselves."""

    def __init__(self, protecting: Protecting, currency: str) -> None:
        self._protecting = protecting
        self._currency = currency

    async def GetProtection(
        self, request: pb.GetProtectionRequest, context: Any
    ) -> pb.GetProtectionResponse:
        """Answer what the caller has set."""
        found = await self._protecting.protection(caller().user_id)
        return pb.GetProtectionResponse(protection=self._shown(found))

    async def SetLimit(self, request: pb.SetLimitRequest, context: Any) -> pb.SetLimitResponse:
        """Set a limit, or remove it."""
        asked = to_asked(request, self._currency)
        changed = await self._protecting.limit(caller().user_id, asked)
        return pb.SetLimitResponse(protection=self._shown(changed))

    async def CancelLimitChange(
        self, request: pb.CancelLimitChangeRequest, context: Any
    ) -> pb.CancelLimitChangeResponse:
        """Call off a change that does not count yet."""
        kind, period = to_kind(request.kind), to_period(request.period)
        changed = await self._protecting.keep(caller().user_id, kind, period)
        return pb.CancelLimitChangeResponse(protection=self._shown(changed))

    async def TakeBreak(self, request: pb.TakeBreakRequest, context: Any) -> pb.TakeBreakResponse:
        """Begin a break."""
        changed = await self._protecting.rest(caller().user_id, request.hours)
        return pb.TakeBreakResponse(protection=self._shown(changed))

    async def ExcludeSelf(
        self, request: pb.ExcludeSelfRequest, context: Any
    ) -> pb.ExcludeSelfResponse:
        """Exclude the caller from trading."""
        changed = await self._protecting.exclude(caller().user_id, request.months)
        return pb.ExcludeSelfResponse(protection=self._shown(changed))

    async def SetRealityCheck(
        self, request: pb.SetRealityCheckRequest, context: Any
    ) -> pb.SetRealityCheckResponse:
        """Set after how many minutes the app speaks up."""
        changed = await self._protecting.remind(caller().user_id, request.minutes)
        return pb.SetRealityCheckResponse(protection=self._shown(changed))

    async def ListProtectionChanges(
        self, request: pb.ListProtectionChangesRequest, context: Any
    ) -> pb.ListProtectionChangesResponse:
        """List what the caller has changed."""
        changes, following = await self._page(caller().user_id, request)
        return pb.ListProtectionChangesResponse(changes=changes, next_page_token=following)

    async def GetUserProtection(
        self, request: pb.GetUserProtectionRequest, context: Any
    ) -> pb.GetUserProtectionResponse:
        """Answer to staff what a user has set."""
        found = await self._protecting.protection(UUID(request.user_id))
        return pb.GetUserProtectionResponse(protection=self._shown(found))

    async def ListUserProtectionChanges(
        self, request: pb.ListUserProtectionChangesRequest, context: Any
    ) -> pb.ListUserProtectionChangesResponse:
        """List to staff what a user has changed."""
        changes, following = await self._page(UUID(request.user_id), request)
        return pb.ListUserProtectionChangesResponse(changes=changes, next_page_token=following)

    def _shown(self, protection: Protection) -> ProtectionMessage:
        return to_protection(protection, self._currency)

    async def _page(
        self,
        user_id: UUID,
        request: pb.ListProtectionChangesRequest | pb.ListUserProtectionChangesRequest,
    ) -> tuple[list[ProtectionChange], str]:
        action = parse_filter(request.filter, {"action"}).get("action")
        if action is not None and action not in Action.__members__:
            raise Failure(Reason.INVALID_FILTER, "There is no such action.")
        before = decode_page_token(request.page_token, int)[0] if request.page_token else None
        limit = request.page_size or _PAGE
        found = await self._protecting.changes(
            user_id, Action(action) if action else None, before, limit
        )
        following = found[-1].protection.version if len(found) == limit else None
        return (
            [to_change(change, self._currency) for change in found],
            encode_page_token([following]) if following else "",
        )
