"""What happens around every call: one interceptor, in one readable order.

request id → deadline → caller → access → field rules → the handler → errors → metrics
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

import grpc
import structlog
from google.protobuf.message import Message

from services.kit.access import Guard, confine, guard_of, require_recent
from services.kit.audit import by_caller
from services.kit.callers import Callers
from services.kit.clock import Clock
from services.kit.contract import Rpc, rpc_of, service_descriptor
from services.kit.database import CommitUnknown, DatabaseUnavailable
from services.kit.errors import Failure
from services.kit.leader import LeadershipLost
from services.kit.metrics import RPC_REFUSED, RPC_SECONDS
from services.kit.origin import (
    ADDRESS_KEY,
    AGENT_KEY,
    DEVICE_KEY,
    EDGE,
    PROOF_KEY,
    UNKNOWN,
    Origin,
    peer_address,
    set_origin,
)
from services.kit.principal import ANONYMOUS, Principal, set_caller
from services.kit.reason import Reason
from services.kit.refusals import Refusals
from services.kit.request_id import REQUEST_ID_KEY, bind_request_id, current_request_id
from services.kit.revocations import Revocations, ended
from services.kit.status import DETAILS_KEY, grpc_code, status_of
from services.kit.time_limit import TimeLimit
from services.kit.tokens import Keyring
from services.kit.validation import validator

if TYPE_CHECKING:
    from collections.abc import Iterator

    # Generic only for the type checker.
    Context = grpc.aio.ServicerContext[Any, Any]
    Handler = grpc.RpcMethodHandler[Any, Any]

_NO_RETRY = ("grpc-retry-pushback-ms", "-1")
_UNARY_SECONDS_MAX = 30.0
_AGAIN = timedelta(seconds=1)
_log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True)
class _Call:
    """What is known of an RPC before it is called."""

    rpc: Rpc
    guard: Guard
    recent: bool
    handler: Handler
    check_fields: Callable[[Message], None]


class Interceptor:
    """Stands around every handler, from when it is registered.

    To grpc.aio it is a part of the handler: a `ServerInterceptor` would be asked for the handler
    of every call anew, which costs more than all that is done here.
    """

    def __init__(
        self,
        service: str,
        keyring: Keyring,
        clock: Clock,
        revocations: Revocations | None = None,
        refusals: Refusals | None = None,
    ) -> None:
        """Guard the calls to `service`, the name that tokens for it must carry.

        Without `revocations` a token counts until it expires. Callers who may not do what they
        ask for are noted in `refusals`.
        """
        self._service = service
        self._keyring = keyring
        self._clock = clock
        self._revocations = revocations
        self._callers = Callers(service, keyring, clock, revocations)
        self._refusals = refusals
        self._limit = TimeLimit(_UNARY_SECONDS_MAX)
        self._stopping = asyncio.Event()
        self._waiting: set[asyncio.Task[Any]] = set()
        """The calls that stream, while they have nothing to say."""

    def end_streams(self) -> None:
        """End every call that streams, with UNAVAILABLE, and let none begin: the server stops.

        They have no end of their own that could be waited for, and go on elsewhere.
        """
        self._stopping.set()
        for task in self._waiting:
            task.cancel()

    def around(self, service: str, method: str, handler: Handler) -> Handler:
        """Return the guarded handler of a method of the contract."""
        rpc = rpc_of(service_descriptor(service).methods_by_name[method])
        fields = validator(rpc.request)
        call = _Call(rpc, guard_of(rpc.access), rpc.access.recent, handler, fields)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                self._streaming(call), handler.request_deserializer, handler.response_serializer
            )
        return grpc.unary_unary_rpc_method_handler(
            self._unary(call), handler.request_deserializer, handler.response_serializer
        )

    def _unary(self, call: _Call) -> Callable[[Message, Context], Awaitable[Message]]:
        behaviour: Any = call.handler.unary_unary
        seconds = RPC_SECONDS.labels(call.rpc.path)

        async def handle(request: Message, context: Context) -> Any:
            started = perf_counter()
            try:
                self._admit(call, request, context)
                return await self._limit.within(behaviour(request, context))
            except Exception as error:  # noqa: BLE001  the one translator of errors
                return await _refuse(call.rpc, error, context)
            finally:
                seconds.observe(perf_counter() - started)

        return handle

    def _streaming(self, call: _Call) -> Callable[[Message, Context], AsyncIterator[Message]]:
        behaviour: Any = call.handler.unary_stream

        async def handle(request: Message, context: Context) -> AsyncIterator[Message]:
            try:
                principal = self._admit(call, request, context)
                responses = behaviour(request, context)
                if self._revocations is not None and principal.grant_id is not None:
                    responses = _while_it_lasts(responses, principal.grant_id, self._revocations)
                while (response := await self._following(responses)) is not None:
                    yield response
            except Exception as error:  # noqa: BLE001  the one translator of errors
                await _refuse(call.rpc, error, context)

        return handle

    async def _following(self, responses: AsyncIterator[Message]) -> Message | None:
        """Return what a stream says next; None at its end. Failure UNAVAILABLE when it is ended."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        if self._stopping.is_set():
            raise _stopped()
        self._waiting.add(task)
        try:
            return await anext(responses, None)
        except asyncio.CancelledError:
            if not self._stopping.is_set():
                raise
            task.uncancel()
            raise _stopped() from None
        finally:
            self._waiting.discard(task)

    def _admit(self, call: _Call, request: Message, context: Context) -> Principal:
        metadata = dict(context.invocation_metadata() or ())
        bind_request_id(metadata.get(REQUEST_ID_KEY))
        principal = self._callers.of(metadata.get("authorization"))
        set_caller(principal)
        set_origin(partial(self._origin, metadata, context))
        try:
            call.guard(principal)
        except Failure as failure:
            self._note(call.rpc, principal, failure)
            raise
        if call.recent:
            require_recent(principal, self._clock.now())
        if principal.key is not None:
            confine(principal.key, request, self._origin(metadata, context).address)
        call.check_fields(request)
        return principal

    def _note(self, rpc: Rpc, principal: Principal, failure: Failure) -> None:
        """Put on record who asked. A stranger has no name; the metrics count his calls."""
        if self._refusals is not None and principal != ANONYMOUS:
            action = rpc.path.rpartition(".")[2].replace("/", ".")
            self._refusals.note(action, "", by_caller(), failure.reason)

    def _origin(self, metadata: Mapping[str, str | bytes], context: Context) -> Origin:
        if not self._by_the_edge(metadata.get(PROOF_KEY)):
            return Origin(peer_address(context.peer()))
        address, agent = metadata.get(ADDRESS_KEY, UNKNOWN), metadata.get(AGENT_KEY, "")
        return Origin(str(address), str(agent), str(metadata.get(DEVICE_KEY, "")))

    def _by_the_edge(self, proof: str | bytes | None) -> bool:
        if not isinstance(proof, str):
            return False
        try:
            principal = self._keyring.verify(proof, self._service, self._clock.now())
        except Failure:
            return False
        return principal == Principal("service", EDGE)


async def _while_it_lasts(
    responses: AsyncIterator[Message], grant_id: str, revocations: Revocations
) -> AsyncIterator[Message]:
    """Yield the responses of a stream until its caller's grant ends; then SESSION_ENDED."""
    with revocations.watched(grant_id) as over:
        following: asyncio.Future[Any] = asyncio.ensure_future(anext(responses, None))
        try:
            while True:
                await asyncio.wait([following, over], return_when=asyncio.FIRST_COMPLETED)
                if over.done():
                    raise ended()
                if (response := following.result()) is None:
                    return
                yield response
                following = asyncio.ensure_future(anext(responses, None))
        finally:
            following.cancel()


def _stopped() -> Failure:
    return Failure(Reason.UNAVAILABLE, "The server stops.", retry_after=_AGAIN)


def as_failure(error: Exception) -> Failure:
    """Return the failure that a caller is told for anything a handler raised."""
    match error:
        case Failure():
            return error
        case CommitUnknown():
            return Failure(Reason.OUTCOME_UNKNOWN, "It is not known whether the change was made.")
        case DatabaseUnavailable() | LeadershipLost():
            return Failure(Reason.UNAVAILABLE, "Not available right now.", retry_after=_AGAIN)
        case TimeoutError():
            return Failure(Reason.DEADLINE_EXCEEDED, "The time allowed ran out.")
        case _:
            metadata = {"request_id": current_request_id()}
            return Failure(Reason.INTERNAL, "A fault of ours; it was recorded.", metadata=metadata)


async def _refuse(rpc: Rpc, error: Exception, context: Context) -> Message:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    failure = as_failure(error)
    RPC_REFUSED.labels(rpc.path, failure.reason.value).inc()
    if failure.reason is Reason.INTERNAL:
        _log.error("call failed", method=rpc.path, exc_info=error)
    # Who was answered was heard: gRPC's own retries are for calls that reached nobody.
    with _aborting():
        await context.abort(
            grpc_code(failure),
            failure.message,
            ((DETAILS_KEY, status_of(failure).SerializeToString()), _NO_RETRY),
        )
    raise AssertionError("abort returns never")


@contextmanager
def _aborting() -> Iterator[None]:
    """Leave the exception by which grpc ends a call as it is, without the error that led to it."""
    try:
        yield
    except grpc.aio.AbortError as abort:
        raise abort from None
