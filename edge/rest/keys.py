"""API keys at the edge: `Bearer vtk_…` is exchanged for an access token, and that passed on."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

import grpc

from services.kit.channels import failure_of
from services.kit.clock import Clock
from services.kit.origin import ADDRESS_KEY, PROOF_KEY
from services.kit.wire import to_datetime
from veritick.identity.v1.api_key_service_pb2 import ExchangeApiKeyRequest
from veritick.identity.v1.api_key_service_pb2_grpc import ApiKeyServiceStub

PREFIX = "Bearer vtk_"
_RENEW_BEFORE = timedelta(seconds=60)
_KEYS_MAX = 10_000
_SECONDS = 5.0


class Keys:
    """Exchanges keys, each once for as long as its token lasts.

    That a key has ended the services hear by themselves, and refuse its tokens.
    """

    def __init__(self, channel: grpc.aio.Channel, proof: Callable[[], str], clock: Clock) -> None:
        """Ask identity over this channel; `proof` is the edge's own token for it."""
        self._stub = ApiKeyServiceStub(channel)
        self._proof = proof
        self._clock = clock
        self._tokens: OrderedDict[bytes, tuple[str, datetime]] = OrderedDict()

    def knows(self, authorization: str) -> bool:
        """Tell whether a key has been exchanged, and its token counts for a while."""
        return self._held(_digest(authorization)) is not None

    def forget(self, authorization: str) -> None:
        """Exchange a key anew when it comes next: its token was taken back."""
        self._tokens.pop(_digest(authorization), None)

    def _held(self, digest: bytes) -> str | None:
        token, expires_at = self._tokens.get(digest, ("", self._clock.now()))
        return token if expires_at - self._clock.now() >= _RENEW_BEFORE else None

    async def token(self, authorization: str, address: str) -> str:
        """Return an access token for a key. Failures: those of ExchangeApiKey."""
        digest = _digest(authorization)
        if (token := self._held(digest)) is not None:
            self._tokens.move_to_end(digest)
            return token
        metadata = ((ADDRESS_KEY, address), (PROOF_KEY, self._proof()))
        request = ExchangeApiKeyRequest(secret=_secret(authorization)[:100])
        try:
            answer = await self._stub.ExchangeApiKey(request, metadata=metadata, timeout=_SECONDS)
        except grpc.aio.AioRpcError as error:
            self._tokens.pop(digest, None)
            raise failure_of(error) from error
        self._tokens[digest] = (answer.access_token, to_datetime(answer.expire_time))
        if len(self._tokens) > _KEYS_MAX:
            self._tokens.popitem(last=False)
        return answer.access_token


def _secret(authorization: str) -> str:
    return authorization.removeprefix("Bearer ").strip()


def _digest(authorization: str) -> bytes:
    return hashlib.sha256(_secret(authorization).encode()).digest()
