"""What a server tells of itself: its contract (reflection) and its connections (channelz).

In development its own port answers anybody. In production only a port apart does, for operators:
staff, who have a permission of some kind, and services.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
from grpc_channelz.v1 import channelz, channelz_pb2
from grpc_reflection.v1alpha import reflection

from services.kit.callers import Callers
from services.kit.errors import Failure
from services.kit.principal import ANONYMOUS, Principal
from services.kit.reason import Reason
from services.kit.status import DETAILS_KEY, grpc_code, status_of

if TYPE_CHECKING:
    # Generic only for the type checker.
    Context = grpc.aio.ServicerContext[Any, Any]
    Handler = grpc.RpcMethodHandler[Any, Any]

_CHANNELZ = channelz_pb2.DESCRIPTOR.services_by_name["Channelz"].full_name


def add_introspection(server: grpc.aio.Server, names: Sequence[str]) -> None:
    """Let a server tell of these services, and of the connections of its process."""
    channelz.add_channelz_servicer(server)
    reflection.enable_server_reflection([*names, _CHANNELZ, reflection.SERVICE_NAME], server)


class OperatorsOnly(grpc.aio.ServerInterceptor):
    """Turns away everybody but staff and services."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Answer the handler of a method, or one that refuses."""
        handler = await continuation(handler_call_details)
        metadata = dict(handler_call_details.invocation_metadata or ())
        try:
            require_operator(self._callers.of(metadata.get("authorization")))
        except Failure as failure:
            return _refusing(failure, handler)
        return handler


def require_operator(principal: Principal) -> None:
    """Raise unless the caller is a service or staff: UNAUTHENTICATED, PERMISSION_DENIED."""
    if principal == ANONYMOUS:
        raise Failure(Reason.UNAUTHENTICATED, "This port is for staff and services.")
    if principal.kind != "service" and not principal.permissions:
        raise Failure(Reason.PERMISSION_DENIED, "This port is for staff and services.")


def _refusing(failure: Failure, handler: Handler | None) -> Handler | None:
    """Return a handler of the same shape that refuses; None for a method that is not served."""

    async def refuse(_request: object, context: Context) -> NoReturn:
        details = status_of(failure).SerializeToString()
        await context.abort(grpc_code(failure), failure.message, ((DETAILS_KEY, details),))
        raise AssertionError("abort returns never")

    if handler is None:
        return None
    if handler.response_streaming:
        return grpc.stream_stream_rpc_method_handler(refuse)
    return grpc.unary_unary_rpc_method_handler(refuse)
