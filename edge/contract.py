"""What the services offer to the outside: the RPCs that carry `google.api.http`, from descriptors.

Nothing here or below names an RPC. A new RPC with an annotation in `proto/` is a new route; a new
service is one line in `_MODULES`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module

from google.api import annotations_pb2
from google.api.http_pb2 import HttpRule
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

_MODULES = {
    "identity": (
        "veritick.identity.v1.auth_service_pb2",
        "veritick.identity.v1.profile_service_pb2",
        "veritick.identity.v1.api_key_service_pb2",
        "veritick.identity.v1.passkey_service_pb2",
        "veritick.identity.v1.mailbox_service_pb2",
        "veritick.identity.v1.user_admin_service_pb2",
        "veritick.identity.v1.user_note_service_pb2",
        "veritick.identity.v1.referral_service_pb2",
        "veritick.identity.v1.role_service_pb2",
        "veritick.identity.v1.second_factor_reset_service_pb2",
        "veritick.identity.v1.audit_service_pb2",
        "veritick.identity.v1.kyc_service_pb2",
        "veritick.identity.v1.maintenance_service_pb2",
        "veritick.identity.v1.protection_service_pb2",
        "veritick.identity.v1.fraud_service_pb2",
        "veritick.identity.v1.privacy_service_pb2",
        "veritick.identity.v1.erasure_service_pb2",
        "veritick.identity.v1.erasure_admin_service_pb2",
    ),
    "quotes": (
        "veritick.quotes.v1.instrument_service_pb2",
        "veritick.quotes.v1.market_data_service_pb2",
    ),
    "trading": (
        "veritick.trading.v1.account_service_pb2",
        "veritick.trading.v1.account_admin_service_pb2",
        "veritick.trading.v1.adjustment_service_pb2",
        "veritick.trading.v1.book_service_pb2",
        "veritick.trading.v1.order_service_pb2",
        "veritick.trading.v1.terms_service_pb2",
        "veritick.trading.v1.report_service_pb2",
        "veritick.trading.v1.audit_service_pb2",
        "veritick.trading.v1.limit_service_pb2",
        "veritick.trading.v1.order_origin_service_pb2",
        "veritick.journal.v1.account_event_service_pb2",
    ),
    "settlement": (
        "veritick.settlement.v1.receipt_service_pb2",
        "veritick.settlement.v1.void_service_pb2",
    ),
}
SERVICES = tuple(_MODULES)
"""The services that stand behind the edge, by the names that tokens and settings use."""

_VERBS = ("get", "put", "post", "delete", "patch")


@dataclass(frozen=True, slots=True)
class Binding:
    """One way to call an RPC over HTTP."""

    target: str
    """The service that answers, such as `trading`."""

    rpc: MethodDescriptor
    verb: str
    """GET, PUT, POST, DELETE or PATCH."""

    template: str
    body: str
    """`*`, the name of a field, or empty for a call without a body."""

    response_body: str
    """The field of the response that is shown instead of the whole; empty for the whole."""

    additional: bool
    """Another way beside the RPC's first one."""


def bindings() -> Iterator[Binding]:
    """Yield every way in which the contract lets HTTP call an RPC."""
    for target, modules in _MODULES.items():
        for module in modules:
            for service in _services(module):
                for rpc in service.methods:
                    yield from _bindings(target, rpc)


def _services(module: str) -> list[ServiceDescriptor]:
    return list(import_module(module).DESCRIPTOR.services_by_name.values())


def _bindings(target: str, rpc: MethodDescriptor) -> Iterator[Binding]:
    options = rpc.GetOptions()
    if not options.HasExtension(annotations_pb2.http):
        return
    rule = options.Extensions[annotations_pb2.http]
    yield _binding(target, rpc, rule, additional=False)
    for other in rule.additional_bindings:
        yield _binding(target, rpc, other, additional=True)


def _binding(target: str, rpc: MethodDescriptor, rule: HttpRule, *, additional: bool) -> Binding:
    pattern = rule.WhichOneof("pattern")
    if pattern == "custom":
        verb, template = rule.custom.kind, rule.custom.path
    elif pattern in _VERBS:
        verb, template = pattern.upper(), getattr(rule, pattern)
    else:
        raise ValueError(f"{rpc.full_name}: an HTTP annotation without a path")
    return Binding(target, rpc, verb, template, rule.body, rule.response_body, additional)
