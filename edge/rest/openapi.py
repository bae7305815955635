"""The OpenAPI 3.1 document of the REST interface, made of the same descriptors as its routes."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from http import HTTPStatus
from typing import Any

import orjson
from google.protobuf.descriptor import FieldDescriptor

from edge.comments import camel, comment, split
from edge.contract import bindings
from edge.rest.parameters import query_fields
from edge.rest.reasons import reasons_named_in, status_of
from edge.rest.routes import Route, Routes
from edge.rest.schema import Schema, Schemas, rules_of
from services.kit.reason import Reason
from veritick.event.v1 import event_pb2
from veritick.option.v1.access_pb2 import CostClass

Document = dict[str, Any]

_INTRODUCTION = """\
Everything a trader's program can ask of Veritick. It is generated from the contract, from which
the gRPC services are made too.

- **JSON** is the canonical mapping of proto3: names in lowerCamelCase, 64-bit integers as strings,
  enums by name, times in RFC 3339 (UTC), durations as `"60s"`. Fields that have no presence are
  always there: a zero balance says `"0"`. A field or parameter that is not declared is refused.
- **Success** is 200 for every call, also for one that creates something.
- **Errors** are problem documents (RFC 9457). Decide by `reason`, never by the text; all reasons
  are listed in [/docs/errors](/docs/errors).
- **Programs** send `Authorization: Bearer <accessToken>` with the token of `POST /v1/sessions`.
- **Pages** of this origin send `Veritick-Session: cookie` with `POST /v1/sessions` and with every
  change: the tokens then live in cookies that scripts cannot read, and never in a body.
- **Repeating** a call that moves money is safe with the same `requestId`: the first answer comes
  again, with the header `Idempotent-Replayed: true`.
- **Limits**: `RateLimit` and `RateLimit-Policy` tell what is left of a class of calls; 429 and
  `Retry-After` when nothing is.
- **Following** a call through the logs: `X-Request-Id` is answered, and accepted if well-formed.
"""
_SUMMARY = "Veritick"
_ALWAYS = (
    Reason.INVALID_REQUEST,
    Reason.RATE_LIMITED,
    Reason.INTERNAL,
    Reason.UNAVAILABLE,
    Reason.DEADLINE_EXCEEDED,
)
_WITH_BODY = (Reason.REQUEST_TOO_LARGE,)
_SIGNED_IN = (Reason.UNAUTHENTICATED, Reason.TOKEN_EXPIRED)
_PERMITTED = (Reason.PERMISSION_DENIED,)
_CHANGING = (Reason.CSRF_REJECTED,)
_HEADERS = {
    "X-Request-Id": "Finds this call in the logs.",
    "RateLimit": 'What is left of the class of calls: `"trade";r=59;t=1`.',
    "RateLimit-Policy": 'What the class of calls allows: `"trade";q=60;w=3`.',
}
_FILE_HEADERS = {"Content-Disposition": "A name under which to keep the file."}
_JSON = "application/json"
_BINARY = "application/octet-stream"
_PROBLEM = "application/problem+json"
_SECURITY_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The `accessToken` of a session.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "veritick_access",
        "description": "For pages of this origin. Changes need `Veritick-Session: cookie` too. "
        "In production the cookie's name begins with `__Host-`.",
    },
}


def main() -> None:
    """Print the document."""
    sys.stdout.buffer.write(orjson.dumps(document(), option=orjson.OPT_INDENT_2) + b"\n")


@cache
def document() -> Document:
    """Return the document of all routes."""
    return Builder(Routes(bindings()).all).document()


class Builder:
    """Writes the document of some routes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        """Prepare names for everything these routes, and the events, speak of."""
        self._routes = list(routes)
        self._parameter_names = _parameter_names(self._routes)
        vocabulary = [
            message for route in self._routes for message in (route.request, route.response)
        ]
        self._events = list(event_pb2.DESCRIPTOR.message_types_by_name.values())
        self._schemas = Schemas([*vocabulary, *self._events])

    def document(self) -> Document:
        """Return the whole document."""
        paths: dict[str, dict[str, Any]] = {}
        for route in self._routes:
            operations = paths.setdefault(self._path(route), {})
            operations[route.binding.verb.lower()] = self._operation(route)
        for event in self._events:
            self._schemas.message(event, "output")
        components = dict(sorted({**self._schemas.components, "Problem": _problem()}.items()))
        return {
            "openapi": "3.1.0",
            "info": {"title": _SUMMARY, "version": "1", "description": _INTRODUCTION},
            "servers": [{"url": "/"}],
            "tags": _tags(self._routes),
            "paths": dict(sorted(paths.items())),
            "components": {"schemas": components, "securitySchemes": _SECURITY_SCHEMES},
        }

    def _path(self, route: Route) -> str:
        return _shape(route).format(
            *(f"{{{name}}}" for name in self._parameter_names[_shape(route)])
        )

    def _operation(self, route: Route) -> Document:
        method = route.binding.rpc
        summary, description = split(comment(method).removeprefix(f"{method.name} "))
        operation: Document = {
            "operationId": _operation_id(route),
            "tags": [method.containing_service.name],
            "summary": summary[:1].upper() + summary[1:],
        }
        if description:
            operation["description"] = description
        if parameters := list(self._parameters(route)):
            operation["parameters"] = parameters
        if route.has_body:
            operation["requestBody"] = self._body(route)
        operation["responses"] = {"200": self._success(route), **_refusals(route)}
        operation["security"] = _security(route)
        operation["x-cost-class"] = CostClass.Name(route.rpc.cost or CostClass.WRITE)
        return operation

    def _parameters(self, route: Route) -> Iterator[Document]:
        names = self._parameter_names[_shape(route)]
        for name, fields in zip(names, route.path_fields(), strict=True):
            yield self._parameter(name, "path", fields[-1], required=True)
        for name, fields in query_fields(route).items():
            required = all(rules_of(field).required for field in fields)
            yield self._parameter(name, "query", fields[-1], required=required)

    def _parameter(
        self, name: str, where: str, field: FieldDescriptor, *, required: bool
    ) -> Document:
        schema = self._schemas.field(field, "input")
        description = schema.pop("description", "")
        parameter = {"name": name, "in": where, "required": required, "schema": schema}
        return {**parameter, "description": description} if description else parameter

    def _body(self, route: Route) -> Document:
        if route.takes_file:
            file: Schema = {"type": "string", "format": "binary"}
            return {"required": True, "content": {_BINARY: {"schema": file}}}
        if route.body_field is not None:
            schema = self._schemas.field(route.body_field, "input")
        else:
            schema = self._request(route)
        return {"required": bool(_needed(route)), "content": {_JSON: {"schema": schema}}}

    def _request(self, route: Route) -> Schema:
        """Return the request as the body shows it: without what the path says."""
        name = self._schemas.name(route.request, "output")
        schema = self._schemas.object(route.request, "input", without=_in_path(route))
        self._schemas.components[name] = schema
        return {"$ref": f"#/components/schemas/{name}"}

    def _success(self, route: Route) -> Document:
        if route.answers_file:
            return {
                "description": "The file.",
                "headers": _headers(_HEADERS | _FILE_HEADERS),
                "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
            }
        field = route.shown_field
        schema = (
            self._schemas.message(route.response, "output")
            if field is None
            else self._schemas.field(field, "output")
        )
        described = schema.pop("description", "") or "What was asked for."
        return {
            "description": described,
            "headers": _headers(_HEADERS),
            "content": {_JSON: {"schema": schema}},
        }


def _headers(texts: dict[str, str]) -> Document:
    return {
        name: {"description": text, "schema": {"type": "string"}} for name, text in texts.items()
    }


def reasons_of(route: Route) -> list[Reason]:
    """Return why a call may be refused: what its comment names, and what any may meet."""
    access = route.rpc.access
    people = access.WhichOneof("people")
    reasons = [*_ALWAYS, *reasons_named_in(comment(route.binding.rpc))]
    if route.has_body:
        reasons += _WITH_BODY
    reasons += _SIGNED_IN
    if people not in {"public", "user"}:
        reasons += _PERMITTED
    if route.binding.verb != "GET":
        reasons += _CHANGING
    return list(dict.fromkeys(reasons))


def _refusals(route: Route) -> Document:
    by_status: dict[HTTPStatus, list[Reason]] = {}
    for reason in reasons_of(route):
        by_status.setdefault(status_of(reason), []).append(reason)
    if route.has_body:
        by_status.setdefault(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, [Reason.INVALID_REQUEST])
    return {
        str(status.value): {
            "description": f"{status.phrase}: " + ", ".join(f"`{reason}`" for reason in reasons),
            "content": {_PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, reasons in sorted(by_status.items())
    }


def _security(route: Route) -> list[dict[str, list[str]]]:
    access = route.rpc.access
    ways: list[dict[str, list[str]]] = [{"bearer": []}, {"cookie": []}]
    match access.WhichOneof("people"):
        case "public":
            return [{}, *ways]
        case "permission":
            return [{name: [access.permission] for name in way} for way in ways]
    return ways


def _shape(route: Route) -> str:
    """Return a path without the names in it: routes of one shape are one path to OpenAPI."""
    return re.sub(r"\{[^}]*\}", "{}", route.template.text)


def _parameter_names(routes: Iterable[Route]) -> dict[str, list[str]]:
    """Choose the names of each path's parameters, the same for all verbs and without dots.

    A nested field gives its last name, where no route of the same shape has a plain one.
    """
    names: dict[str, list[str]] = {}
    for route in sorted(routes, key=lambda route: route.template.text.count(".")):
        own = [camel(field.rpartition(".")[2]) for field in route.template.fields]
        names.setdefault(_shape(route), own)
    return names


def _operation_id(route: Route) -> str:
    name = route.binding.rpc.name
    name = name[:1].lower() + name[1:]
    if not route.binding.additional:
        return name
    # Further ways to the same call differ in verb or path, and so must their names.
    words = "".join(part.capitalize() for part in route.template.text.split("/") if part.isalnum())
    return f"{name}By{route.binding.verb.capitalize()}{words}"


def _in_path(route: Route) -> list[str]:
    """Return the request's own fields that are wholly in the path."""
    return [name for name in route.template.fields if "." not in name]


def _needed(route: Route) -> list[FieldDescriptor]:
    """Return the fields that a body cannot be without."""
    if route.body_field is not None:
        return [route.body_field]
    in_path = _in_path(route)
    fields = [field for field in route.request.fields if field.name not in in_path]
    return [field for field in fields if rules_of(field).required]


def _tags(routes: Iterable[Route]) -> list[Document]:
    services = {route.binding.rpc.containing_service.name: route for route in routes}
    return [
        {"name": name, "description": comment(route.binding.rpc.containing_service)}
        for name, route in sorted(services.items())
    ]


def _problem() -> Schema:
    text: Schema = {"type": "string"}
    return {
        "type": "object",
        "description": "Why a call was refused (RFC 9457).",
        "required": ["type", "title", "status", "detail", "reason", "retryable", "requestId"],
        "properties": {
            "type": {**text, "format": "uri-reference", "examples": ["/docs/errors#MARKET_CLOSED"]},
            "title": {**text, "description": "The reason in words."},
            "status": {"type": "integer", "description": "The HTTP status."},
            "detail": {**text, "description": "What happened, for people. Do not parse it."},
            "reason": {**text, "enum": [reason.value for reason in Reason]},
            "metadata": {
                "type": "object",
                "additionalProperties": text,
                "description": "Values that belong to the reason, under the keys it documents.",
            },
            "violations": {
                "type": "array",
                "description": "What is wrong with which field or parameter.",
                "items": {
                    "type": "object",
                    "required": ["field", "description"],
                    "properties": {
                        "field": {**text, "examples": ["stake.minorUnits"]},
                        "description": text,
                    },
                },
            },
            "retryable": {
                "type": "boolean",
                "description": "The same call may succeed later without any change.",
            },
            "requestId": {**text, "description": "As in the header `X-Request-Id`."},
        },
    }
