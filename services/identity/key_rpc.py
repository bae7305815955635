"""ApiKeyService: the keys of users' programs."""

from typing import Any
from uuid import UUID

from services.identity.api_key import KeyWish, Scope, network
from services.identity.key_access import KeyAccess, key_invalid
from services.identity.wire import to_api_key
from services.kit.errors import Failure, Violation
from services.kit.origin import origin
from services.kit.principal import caller
from services.kit.reason import Reason
from services.kit.wire import to_datetime, to_timestamp
from veritick.identity.v1 import api_key_service_pb2 as key_pb
from veritick.identity.v1.api_key_service_pb2_grpc import ApiKeyServiceServicer
from veritick.option.v1.access_pb2 import Access

_PUBLIC_KEY_BYTES = 32


class ApiKeyFace(ApiKeyServiceServicer):
    """Makes, shows, ends and exchanges keys."""

    def __init__(self, access: KeyAccess) -> None:
        self._access = access

    async def CreateApiKey(
        self, request: key_pb.CreateApiKeyRequest, context: Any
    ) -> key_pb.CreateApiKeyResponse:
        key, secret = await self._access.make(caller().user_id, _wish(request))
        return key_pb.CreateApiKeyResponse(key=to_api_key(key), secret=secret)

    async def ListApiKeys(
        self, request: key_pb.ListApiKeysRequest, context: Any
    ) -> key_pb.ListApiKeysResponse:
        found = await self._access.keys_of(caller().user_id)
        return key_pb.ListApiKeysResponse(keys=map(to_api_key, found))

    async def RevokeApiKey(
        self, request: key_pb.RevokeApiKeyRequest, context: Any
    ) -> key_pb.RevokeApiKeyResponse:
        await self._access.end(caller().user_id, UUID(request.key_id))
        return key_pb.RevokeApiKeyResponse()

    async def ExchangeApiKey(
        self, request: key_pb.ExchangeApiKeyRequest, context: Any
    ) -> key_pb.ExchangeApiKeyResponse:
        if bool(request.secret) == bool(request.assertion):
            raise key_invalid()
        address = origin().address
        if request.secret:
            token, expires_at = await self._access.exchange_secret(request.secret, address)
        else:
            token, expires_at = await self._access.exchange_assertion(request.assertion, address)
        return key_pb.ExchangeApiKeyResponse(
            access_token=token, expire_time=to_timestamp(expires_at)
        )


def _wish(request: key_pb.CreateApiKeyRequest) -> KeyWish:
    """Return what is wanted. Failure INVALID_REQUEST for what cannot be."""
    networks = [network(written) for written in request.networks]
    for index, found in enumerate(networks):
        if found is None:
            raise _refused(f"networks[{index}]", "must be an address or a network")
    if request.public_key and len(request.public_key) != _PUBLIC_KEY_BYTES:
        raise _refused("public_key", f"must be {_PUBLIC_KEY_BYTES} bytes")
    if Access.SCOPE_UNSPECIFIED in request.scopes:
        raise _refused("scopes", "must name scopes")
    return KeyWish(
        request.name,
        frozenset(Scope(Access.Scope.Name(scope)) for scope in request.scopes),
        tuple(dict.fromkeys(request.account_ids)),
        tuple(dict.fromkeys(found for found in networks if found)),
        to_datetime(request.expire_time) if request.HasField("expire_time") else None,
        request.public_key or None,
    )


def _refused(field: str, description: str) -> Failure:
    violation = Violation(field, description)
    return Failure(Reason.INVALID_REQUEST, f"{field} {description}.", violations=[violation])
