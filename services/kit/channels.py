"""Calls to other services: with one's own token, a deadline, and retries only where safe."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import cache
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from services.kit.clock import Clock
from services.kit.contract import rpc_of
from services.kit.request_id import REQUEST_ID_KEY, current_request_id
from services.kit.status import failure_of
from services.kit.tls import RenewedChannel, TlsFiles, TlsSettings
from services.kit.tokens import Keyring

__all__ = ["Channels", "failure_of", "plain_channel"]

MESSAGE_BYTES_MAX = 16 * 1024 * 1024
_RETRY = {
    "maxAttempts": 3,
    "initialBackoff": "0.05s",
    "maxBackoff": "0.5s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
_OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    # A peer that restarts is found again within a second, not after two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Also how long a server may take to say its first word: one that is busy is not gone.
    ("grpc.min_reconnect_backoff_ms", 3_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


class Channels:
    """Makes channels to other services on behalf of one."""

    def __init__(
        self,
        keyring: Keyring,
        clock: Clock,
        tls: TlsSettings | None = None,
        deadline_seconds: float = 5.0,
    ) -> None:
        """Call with tokens of this keyring, which must hold a private key; over `tls` if given.

        A unary call without a deadline gets one of so many seconds.
        """
        self._keyring = keyring
        self._clock = clock
        self._tls = tls
        self._deadline_seconds = deadline_seconds

    def to(self, target: str, address: str, *, anonymous: bool = False) -> grpc.aio.Channel:
        """Return a channel to the service named `target`; nothing connects before the first call.

        A call that brings no `authorization` gets this process's service token, or none at all
        on an `anonymous` channel. Calls that the contract declares repeatable are repeated when
        the peer was not there.
        """
        token = (
            None if anonymous else lambda: self._keyring.service_token(target, self._clock.now())
        )
        dressing = (_UnaryDressing(token, self._deadline_seconds), _StreamDressing(token))
        return _channel(target, address, self._tls, dressing)


def plain_channel(target: str, address: str, tls: TlsSettings | None = None) -> grpc.aio.Channel:
    """Return a channel that adds nothing to a call but its retries.

    For the edge, which passes on what its callers bring: token, request id and deadline are its
    own to give with each call.
    """
    return _channel(target, address, tls)


def _channel(
    target: str,
    address: str,
    tls: TlsSettings | None,
    interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
) -> grpc.aio.Channel:
    options = _options(target)
    if tls is None:
        return grpc.aio.insecure_channel(address, options=options, interceptors=interceptors)
    files = TlsFiles(tls)
    return RenewedChannel(
        files,
        lambda: grpc.aio.secure_channel(
            address, files.channel_credentials(), options=options, interceptors=interceptors
        ),
    )


def _options(target: str) -> tuple[tuple[str, str | int], ...]:
    return (*_OPTIONS, ("grpc.service_config", service_config(target)))


def services_of(target: str) -> Iterator[ServiceDescriptor]:
    """Yield the services of the contract's package `veritick.<target>.v1`."""
    package = importlib.import_module(f"veritick.{target}.v1")
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.endswith("_pb2"):
            messages = importlib.import_module(f"{package.__name__}.{module.name}")
            yield from messages.DESCRIPTOR.services_by_name.values()


@cache
def service_config(target: str) -> str:
    """Return gRPC's configuration of retries for the calls to one service."""
    safe = [
        {"service": service.full_name, "method": method.name}
        for package in (target, "journal")
        for service in services_of(package)
        for method in service.methods
        if rpc_of(method).safe_to_repeat
    ]
    return json.dumps({"methodConfig": [{"name": safe, "retryPolicy": _RETRY}]})


def _dressed(
    details: grpc.aio.ClientCallDetails, token: Callable[[], str] | None, deadline: float | None
) -> grpc.aio.ClientCallDetails:
    metadata = grpc.aio.Metadata(*(details.metadata or ()))
    if token is not None and metadata.get("authorization") is None:
        metadata.add("authorization", f"Bearer {token()}")
    if (request_id := current_request_id()) and metadata.get(REQUEST_ID_KEY) is None:
        metadata.add(REQUEST_ID_KEY, request_id)
    return grpc.aio.ClientCallDetails(
        method=details.method,
        timeout=details.timeout or deadline,
        metadata=metadata,
        credentials=details.credentials,
        wait_for_ready=details.wait_for_ready,
    )


class _UnaryDressing(grpc.aio.UnaryUnaryClientInterceptor):
    """Adds token, request id and deadline to unary calls."""

    def __init__(self, token: Callable[[], str] | None, deadline_seconds: float) -> None:
        self._token = token
        self._deadline_seconds = deadline_seconds

    async def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[Any]],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        details = _dressed(client_call_details, self._token, self._deadline_seconds)
        return await continuation(details, request)


class _StreamDressing(grpc.aio.UnaryStreamClientInterceptor):
    """Adds token and request id to streaming calls, which may last."""

    def __init__(self, token: Callable[[], str] | None) -> None:
        self._token = token

    async def intercept_unary_stream(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[Any]],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        return await continuation(_dressed(client_call_details, self._token, None), request)
