"""How a request travels over REST, read from the contract that comes with its message.

Every RPC has a request message of its own, so the request alone says which RPC is meant; the
annotation `google.api.http` says the rest. No route is written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from veritick.option.v1.access_pb2 import CREDENTIAL, access, cost

_VARIABLE = re.compile(r"\{([a-z0-9_.]+)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """Where an RPC is found at the edge."""

    verb: str
    path: str
    """With variables, such as `/v1/accounts/{account_id}/orders`."""

    body: str
    """Which field is the body: a name, `*` for all that is not in the path, or none."""

    response_body: str
    """Which field of the response the answer holds; empty: the whole response."""

    repeatable: bool
    """Declared free of side effects or idempotent, so a lost call may be made again."""

    credential: bool
    """Signs somebody in or keeps a session alive, so it travels without a token."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as HTTP sends it."""

    verb: str
    path: str
    query: tuple[tuple[str, str], ...]
    body: dict[str, Any] | None


@cache
def route_of(request: Descriptor) -> Route:
    """Return the route of the RPC that takes this message.

    TypeError for a message that no RPC takes, or whose RPC the edge does not offer.
    """
    for service in request.file.services_by_name.values():
        for method in service.methods:
            if method.input_type is request and (route := _route(method)):
                return route
    raise TypeError(f"{request.full_name} is not the request of an RPC with a REST route")


def http_request(request: Message) -> HttpRequest:
    """Return the HTTP form of a request message."""
    route = route_of(request.DESCRIPTOR)
    fields = MessageToDict(request)
    variables = {name: _text(_find(fields, name)) for name in _VARIABLE.findall(route.path)}
    path = _VARIABLE.sub(lambda match: quote(variables[match[1]], safe=""), route.path)
    for name in variables:
        if "." not in name:
            fields.pop(_json_name(name), None)
    if route.body == "*":
        return HttpRequest(route.verb, path, (), fields)
    body = fields.pop(_json_name(route.body), {}) if route.body else None
    return HttpRequest(route.verb, path, tuple(_query(fields)), body)


def _route(method: MethodDescriptor) -> Route | None:
    options = method.GetOptions()
    if not options.HasExtension(annotations_pb2.http):
        return None
    rule = options.Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    return Route(
        verb=verb.upper(),
        path=getattr(rule, verb),
        body=rule.body,
        response_body=rule.response_body,
        repeatable=options.idempotency_level != options.IDEMPOTENCY_UNKNOWN,
        credential=options.Extensions[cost] == CREDENTIAL and options.Extensions[access].public,
    )


def _find(fields: dict[str, Any], path: str) -> object:
    value: Any = fields
    for name in path.split("."):
        value = value.get(_json_name(name), "")
    return value


def _query(fields: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from _query(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            yield from ((prefix + name, _text(item)) for item in value)
        else:
            yield prefix + name, _text(value)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _json_name(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)
