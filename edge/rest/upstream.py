"""The services behind the edge: one channel each, one callable per RPC, and how they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from edge.rest.routes import Route
from services.kit.channels import failure_of
from services.kit.clock import Clock
from services.kit.origin import ADDRESS_KEY, AGENT_KEY, DEVICE_KEY, PROOF_KEY, Origin
from services.kit.request_id import REQUEST_ID_KEY, current_request_id

Channel = grpc.aio.Channel
_HEALTH = "/grpc.health.v1.Health/Check"
_HEALTH_SECONDS = 1.0
_FRESH_SECONDS = 0.25


Call = Callable[[Message, str | None, Origin], Any]
"""Calls one RPC: (request, token, where the caller is) → response."""

Pieces = Callable[[Message, str | None, Origin], AsyncGenerator[Message, None]]
"""Calls one RPC as a stream: (request, token, where the caller is) → responses."""


class Upstream:
    """Calls services with the caller's own token, or with none."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        seconds_max: float,
        file_seconds_max: float,
        proof: Callable[[str], str],
    ) -> None:
        """Call over these channels, by target, each call at most so long, longer for a file.

        `proof(target)` is the edge's own token, for which services believe where a caller is.
        """
        self._channels = channels
        self._seconds_max = seconds_max
        self._file_seconds_max = file_seconds_max
        self._proof = proof

    def call(self, route: Route, response: type[Message]) -> Call:
        """Return the callable of a route's RPC.

        It raises the Failure that the service raised, UNAVAILABLE when there is no service, or
        DEADLINE_EXCEEDED.
        """
        target = route.binding.target
        stub = self._channels[target].unary_unary(
            route.rpc.path,
            request_serializer=route.rpc.request.SerializeToString,
            response_deserializer=response.FromString,
        )
        seconds, target = self._seconds_max, route.binding.target

        async def call(request: Message, token: str | None, origin: Origin) -> Message:
            metadata = self._metadata(target, token, origin)
            try:
                answer: Message = await stub(request, metadata=metadata, timeout=seconds)
            except grpc.aio.AioRpcError as error:
                raise failure_of(error) from error
            return answer

        return call

    def pieces(self, route: Route, response: type[Message]) -> Pieces:
        """Return the callable of a route's RPC as a stream.

        A call that answers once is a stream of one. Closing the stream cancels the call. It raises
        what `call` does.
        """
        if not route.binding.rpc.server_streaming:
            return _once(self.call(route, response))
        stub = self._channels[route.binding.target].unary_stream(
            route.rpc.path,
            request_serializer=route.rpc.request.SerializeToString,
            response_deserializer=response.FromString,
        )
        seconds, target = self._file_seconds_max, route.binding.target

        async def stream(
            request: Message, token: str | None, origin: Origin
        ) -> AsyncGenerator[Message, None]:
            metadata = self._metadata(target, token, origin)
            answers = stub(request, metadata=metadata, timeout=seconds)
            try:
                async for answer in answers:
                    yield answer
            except grpc.aio.AioRpcError as error:
                raise failure_of(error) from error
            finally:
                answers.cancel()

        return stream

    def _metadata(self, target: str, token: str | None, origin: Origin) -> list[tuple[str, str]]:
        metadata = [
            (REQUEST_ID_KEY, current_request_id()),
            (ADDRESS_KEY, origin.address),
            (AGENT_KEY, origin.agent),
            (DEVICE_KEY, origin.device),
            (PROOF_KEY, self._proof(target)),
        ]
        if token is not None:
            metadata.append(("authorization", f"Bearer {token}"))
        return metadata


def _once(call: Call) -> Pieces:
    async def stream(
        request: Message, token: str | None, origin: Origin
    ) -> AsyncGenerator[Message, None]:
        yield await call(request, token, origin)

    return stream


class Health:
    """Asks each service whether it can do its work, at most a few times a second."""

    def __init__(self, channels: Mapping[str, Channel], clock: Clock) -> None:
        self._checks = {
            target: channel.unary_unary(
                _HEALTH,
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            for target, channel in channels.items()
        }
        self._clock = clock
        self._known: dict[str, str] = {}
        self._asked_at = -_FRESH_SECONDS
        self._lock = asyncio.Lock()

    async def services(self) -> dict[str, str]:
        """Return each service's state: SERVING, NOT_SERVING, or UNREACHABLE."""
        async with self._lock:
            if self._clock.monotonic() - self._asked_at >= _FRESH_SECONDS:
                states = await asyncio.gather(*map(self._state, self._checks))
                self._known = dict(zip(self._checks, states, strict=True))
                self._asked_at = self._clock.monotonic()
            return self._known

    async def _state(self, target: str) -> str:
        try:
            answer = await self._checks[target](
                health_pb2.HealthCheckRequest(), timeout=_HEALTH_SECONDS
            )
        except grpc.aio.AioRpcError:
            return "UNREACHABLE"
        return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
