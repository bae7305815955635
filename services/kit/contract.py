"""What the contract declares beside each RPC and reason, read from the descriptors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import code_pb2

from services.kit.reason import Reason
from veritick.error.v1.error_reason_pb2 import ErrorReason
from veritick.option.v1.access_pb2 import Access, CostClass, access, cost
from veritick.option.v1.reason_pb2 import reason as reason_option


@dataclass(frozen=True, slots=True)
class ReasonRule:
    """How a reason travels."""

    code: int
    """The number of the gRPC status code."""

    retryable: bool


@dataclass(frozen=True, slots=True)
class Rpc:
    """One RPC with what the contract says of it."""

    path: str
    """`/veritick.trading.v1.OrderService/PlaceOrder`."""

    request: type[Message]
    access: Access
    cost: CostClass.ValueType
    safe_to_repeat: bool
    """Declared NO_SIDE_EFFECTS or IDEMPOTENT."""

    reads: bool
    """Declared NO_SIDE_EFFECTS."""


def rpc_of(method: MethodDescriptor) -> Rpc:
    """Return what the contract declares of one method."""
    options = method.GetOptions()
    service = method.containing_service
    return Rpc(
        path=f"/{service.full_name}/{method.name}",
        request=GetMessageClass(method.input_type),
        access=options.Extensions[access],
        cost=options.Extensions[cost],
        safe_to_repeat=options.idempotency_level != options.IDEMPOTENCY_UNKNOWN,
        reads=options.idempotency_level == options.NO_SIDE_EFFECTS,
    )


@cache
def service_descriptor(full_name: str) -> ServiceDescriptor:
    """Return a service by its full name; KeyError if its module was never imported."""
    return Default().FindServiceByName(full_name)


@cache
def reason_rule(reason: Reason) -> ReasonRule:
    """Return how a reason travels."""
    value = ErrorReason.DESCRIPTOR.values_by_name[reason.value]
    rules = value.GetOptions().Extensions[reason_option]
    return ReasonRule(int(rules.code) or code_pb2.UNKNOWN, bool(rules.retryable))
