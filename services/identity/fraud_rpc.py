"""FraudService: what staff see of traces, links and flags."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from services.identity.flag import Rule, State
from services.identity.fraud_wire import to_cluster, to_flag, to_link, to_linked_user, to_trace
from services.identity.suspicion import Suspicion
from services.identity.trace import Kind, Trace
from services.kit.errors import Failure
from services.kit.pages import decode_page_token, encode_page_token, parse_filter
from services.kit.principal import caller
from services.kit.reason import Reason
from services.kit.wire import from_microseconds, to_microseconds
from veritick.identity.v1 import fraud_service_pb2 as pb
from veritick.identity.v1.fraud_service_pb2_grpc import FraudServiceServicer

_PAGE = 50
_Value = TypeVar("_Value", bound=StrEnum)


class FraudFace(FraudServiceServicer):
    """Shows traces, links and flags to staff."""

    def __init__(self, suspicion: Suspicion) -> None:
        self._suspicion = suspicion

    async def ListUserTraces(
        self, request: pb.ListUserTracesRequest, context: Any
    ) -> pb.ListUserTracesResponse:
        """List from where a user signed in."""
        wanted = parse_filter(request.filter, {"kind"})
        token, limit = request.page_token, request.page_size or _PAGE
        key = decode_page_token(token, int, str, str) if token else None
        before = (from_microseconds(key[0]), key[1], key[2]) if key else None
        found = await self._suspicion.traces(
            UUID(request.user_id), _one_of(Kind, wanted.get("kind")), before, limit
        )
        last = found[-1] if len(found) == limit else None
        return pb.ListUserTracesResponse(
            traces=[to_trace(trace, self._suspicion.bounds) for trace in found],
            next_page_token=encode_page_token(_place(last)) if last else "",
        )

    async def ListLinkedUsers(
        self, request: pb.ListLinkedUsersRequest, context: Any
    ) -> pb.ListLinkedUsersResponse:
        """List who is linked with a user, and by what."""
        kind = _one_of(Kind, parse_filter(request.filter, {"kind"}).get("kind"))
        limit = request.page_size or _PAGE
        found = await self._suspicion.linked(UUID(request.user_id), _key(request.page_token), limit)
        following = encode_page_token([str(found[-1].user_id)]) if len(found) == limit else ""
        return pb.ListLinkedUsersResponse(
            linked_users=[
                to_linked_user(linked, self._suspicion.bounds)
                for linked in found
                if kind is None or any(trace.kind is kind for trace in linked.shared)
            ],
            next_page_token=following,
        )

    async def ListUserClusters(
        self, request: pb.ListUserClustersRequest, context: Any
    ) -> pb.ListUserClustersResponse:
        """List groups of linked users."""
        user_id = _id(parse_filter(request.filter, {"userId"}).get("userId"))
        limit = request.page_size or _PAGE
        found = await self._suspicion.clusters(user_id, _key(request.page_token), limit)
        more = len(found) == limit and user_id is None
        return pb.ListUserClustersResponse(
            clusters=map(to_cluster, found),
            next_page_token=encode_page_token([str(found[-1].cluster_id)]) if more else "",
        )

    async def ListClusterLinks(
        self, request: pb.ListClusterLinksRequest, context: Any
    ) -> pb.ListClusterLinksResponse:
        """List what links the users of a cluster."""
        wanted = parse_filter(request.filter, {"kind"})
        token, limit = request.page_token, request.page_size or _PAGE
        key = decode_page_token(token, str, str) if token else None
        found = await self._suspicion.links(
            UUID(request.cluster_id),
            _one_of(Kind, wanted.get("kind")),
            (key[0], key[1]) if key else None,
            limit,
        )
        last = found[-1] if len(found) == limit else None
        return pb.ListClusterLinksResponse(
            links=map(to_link, found),
            next_page_token=encode_page_token([last.kind, last.value]) if last else "",
        )

    async def ListFraudFlags(
        self, request: pb.ListFraudFlagsRequest, context: Any
    ) -> pb.ListFraudFlagsResponse:
        """List what needs a look."""
        wanted = parse_filter(request.filter, {"state", "rule", "userId"})
        limit = request.page_size or _PAGE
        found = await self._suspicion.flags(
            state=_one_of(State, wanted.get("state")),
            rule=_one_of(Rule, wanted.get("rule")),
            user_id=_id(wanted.get("userId")),
            before=_key(request.page_token),
            limit=limit,
        )
        following = encode_page_token([str(found[-1].flag_id)]) if len(found) == limit else ""
        return pb.ListFraudFlagsResponse(flags=map(to_flag, found), next_page_token=following)

    async def ResolveFraudFlag(
        self, request: pb.ResolveFraudFlagRequest, context: Any
    ) -> pb.ResolveFraudFlagResponse:
        """Note what came of a flag."""
        flag = await self._suspicion.resolve(UUID(request.flag_id), caller().user_id, request.note)
        return pb.ResolveFraudFlagResponse(flag=to_flag(flag))


def _place(trace: Trace) -> list[str | int]:
    return [to_microseconds(trace.last_at), trace.kind, trace.value]


def _key(token: str) -> UUID | None:
    return decode_page_token(token, UUID)[0] if token else None


def _one_of(kind: type[_Value], name: str | None) -> _Value | None:
    if name is not None and name not in kind.__members__:
        raise _unknown(name)
    return None if name is None else kind(name)


def _id(written: str | None) -> UUID | None:
    try:
        return UUID(written) if written is not None else None
    except ValueError:
        raise _unknown(written or "") from None


def _unknown(value: str) -> Failure:
    message = "The filter has an unknown value."
    return Failure(Reason.INVALID_FILTER, message, metadata={"filter": value[:100]})
