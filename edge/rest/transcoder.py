"""HTTP to message and back: what the annotations of `google.api.http` mean, for one route."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import orjson
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from edge.canonical import to_object
from edge.comments import camel
from edge.rest.parameters import FieldPath, query_fields
from edge.rest.reader import Faults, read, read_field
from edge.rest.routes import Route
from services.kit.errors import Failure, Violation
from services.kit.reason import Reason

_PARAMETERS_MAX = 100
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a response message becomes."""

    shown: Any
    """JSON values."""

    replay: bool
    """The service answered an earlier attempt's result again."""


class Transcoder:
    """Makes requests and answers of one route."""

    def __init__(self, route: Route) -> None:
        """Prepare everything that does not depend on a call."""
        self._request: type[Message] = GetMessageClass(route.request)
        self.response: type[Message] = GetMessageClass(route.response)
        self._path = list(zip(route.template.fields, route.path_fields(), strict=True))
        self._query = _with_proto_names(query_fields(route))
        self._body = route.binding.body
        self._body_field = route.body_field
        self._file = route.body_field.name if route.body_field and route.takes_file else None
        self._in_path = frozenset(route.template.fields)
        shown = route.shown_field
        self._shown = shown.name if shown is not None else None
        self._shown_is_message = shown is not None and _is_message(shown)
        self._shown_json = shown.json_name if shown is not None else ""
        self._has_replay = "replay" in route.response.fields_by_name

    def request(self, path: Sequence[str], query: str, body: bytes) -> Message:
        """Return the request that a path's values, a query string and a body make.

        The body is JSON, or, where the contract says `google.api.HttpBody`, a file.

        Failure INVALID_REQUEST naming every fault: of the JSON, of a field, of a parameter.
        """
        message, faults = self._request(), Faults()
        if self._file is not None:
            getattr(message, self._file).data = body
        elif self._body and body:
            self._read_body(parse_json(body), message, faults)
        elif body:
            refuse("This call takes no body.")
        if query:
            self._read_query(query, message, faults)
        for (name, fields), value in zip(self._path, path, strict=True):
            _read_path(name, fields, value, message, faults)
        if faults.found:
            refuse_for(faults.found)
        return message

    def answer(self, response: Message) -> Answer:
        """Return what a response shows over HTTP."""
        replay = self._has_replay and bool(getattr(response, "replay"))  # noqa: B009
        if self._shown is None:
            return Answer(to_object(response), replay)
        if self._shown_is_message:
            return Answer(to_object(getattr(response, self._shown)), replay)
        return Answer(to_object(response)[self._shown_json], replay)

    def as_client_sees(self, violations: Iterable[Violation]) -> list[Violation]:
        """Return a service's violations, which name proto fields, with the client's own names."""
        return [Violation(self._visible(item.field), item.description) for item in violations]

    def _visible(self, path: str) -> str:
        if self._body_field is not None and path not in self._in_path:
            path = path.removeprefix(f"{self._body_field.name}.")
        return camel(path)

    def _read_body(self, value: object, message: Message, faults: Faults) -> None:
        if self._body_field is None:
            read(value, message, "", faults)
        else:
            _read_into(self._body_field, value, message, faults)

    def _read_query(self, query: str, message: Message, faults: Faults) -> None:
        seen: set[str] = set()
        for name, text in _parameters(query):
            fields = self._query.get(name)
            if fields is None:
                faults.add(name[:80], "is not a parameter of this call")
                continue
            key = ".".join(field.json_name for field in fields)
            if not fields[-1].is_repeated and key in seen:
                faults.add(key, "is given more than once")
                continue
            seen.add(key)
            _read_parameter(fields, text, message, key, faults)


def parse_json(body: bytes) -> object:
    """Return the JSON values of a body; Failure INVALID_REQUEST says where it is malformed.

    A name that comes twice in one object is refused: readers disagree about which one counts.
    """
    try:
        return json.loads(
            body.decode(), object_pairs_hook=_without_repetition, parse_constant=_no_constant
        )
    except json.JSONDecodeError as error:
        refuse(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.")
    except UnicodeDecodeError:
        refuse("The body is not UTF-8.")
    except RecursionError:
        refuse("The body is nested too deeply.")
    except ValueError as error:
        refuse(f"The body is not JSON: {error}.")


def to_bytes(shown: object) -> bytes:
    """Return JSON values as text."""
    return orjson.dumps(shown)


def refuse(text: str) -> NoReturn:
    """Raise for a request that is not well-formed."""
    raise Failure(Reason.INVALID_REQUEST, text)


def refuse_for(violations: Sequence[Violation]) -> NoReturn:
    """Raise for a request with these faults."""
    first = violations[0]
    subject = first.field or "The body"
    raise Failure(Reason.INVALID_REQUEST, f"{subject} {first.description}.", violations=violations)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _parameters(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query, keep_blank_values=True, max_num_fields=_PARAMETERS_MAX, errors="strict"
        )
    except UnicodeDecodeError:
        refuse("The query is not UTF-8.")
    except ValueError:
        refuse(f"The query has more than {_PARAMETERS_MAX} parameters.")


def _with_proto_names(fields: dict[str, FieldPath]) -> dict[str, FieldPath]:
    """Accept a parameter by the names of the proto too, as JSON's mapping does for fields."""
    return {".".join(field.name for field in path): path for path in fields.values()} | fields


def _is_message(field: FieldDescriptor) -> bool:
    return field.message_type is not None and not field.is_repeated


def _holder(message: Message, fields: FieldPath) -> Message:
    """Return the nested message that holds the last of these fields."""
    for field in fields[:-1]:
        message = getattr(message, field.name)
    return message


def _read_into(field: FieldDescriptor, value: object, message: Message, faults: Faults) -> None:
    """Read a body that is one field: its faults have paths within that field."""
    if _is_message(field):
        nested = getattr(message, field.name)
        nested.SetInParent()
        read(value, nested, "", faults)
    else:
        read_field(field, value, message, field.json_name, faults)


def _read_parameter(
    fields: FieldPath, text: str, message: Message, path: str, faults: Faults
) -> None:
    field, holder = fields[-1], _holder(message, fields)
    oneof = field.containing_oneof
    if oneof is not None and (other := holder.WhichOneof(oneof.name)) not in {None, field.name}:
        faults.add(path, f"cannot be given together with {camel(str(other))}")
        return
    value: object = _BOOLEANS.get(text, text) if field.type == FieldDescriptor.TYPE_BOOL else text
    read_field(field, [value] if field.is_repeated else value, holder, path, faults)


def _read_path(name: str, fields: FieldPath, text: str, message: Message, faults: Faults) -> None:
    """Read a value of the path. The body may repeat it, but not contradict it."""
    field, holder = fields[-1], _holder(message, fields)
    before = getattr(holder, field.name)
    read_field(field, text, holder, camel(name), faults)
    if before and before != getattr(holder, field.name):
        faults.add(camel(name), "differs between the path and the body")
