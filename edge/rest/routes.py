"""Which RPC a path and a verb call. Built once, at start-up, from the contract."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from edge.contract import Binding
from edge.rest.template import Template, parse
from services.kit.contract import Rpc, rpc_of

HTTP_BODY = "google.api.HttpBody"
"""The message that holds a file."""


@dataclass(frozen=True)
class Route:
    """One way to call one RPC."""

    binding: Binding
    template: Template
    rpc: Rpc

    @property
    def request(self) -> Descriptor:
        """The request message's type."""
        return self.binding.rpc.input_type

    @property
    def response(self) -> Descriptor:
        """The response message's type."""
        return self.binding.rpc.output_type

    @cached_property
    def body_field(self) -> FieldDescriptor | None:
        """The field that the body is, when it is not the whole request."""
        name = self.binding.body
        return self.request.fields_by_name[name] if name not in {"", "*"} else None

    @cached_property
    def shown_field(self) -> FieldDescriptor | None:
        """The field of the response that is answered, when it is not the whole response."""
        name = self.binding.response_body
        return self.response.fields_by_name[name] if name else None

    @property
    def answers_file(self) -> bool:
        """Whether the answer is a file and not JSON."""
        field = self.shown_field
        shown = self.response if field is None else field.message_type
        return shown is not None and shown.full_name == HTTP_BODY

    @property
    def takes_file(self) -> bool:
        """Whether the body is a file, or a part of one, and not JSON."""
        field = self.body_field
        taken = field.message_type if field is not None else None
        return taken is not None and taken.full_name == HTTP_BODY

    @property
    def has_body(self) -> bool:
        """Whether a call carries a body."""
        return bool(self.binding.body)

    def path_fields(self) -> list[tuple[FieldDescriptor, ...]]:
        """Return, for each value in the path, the fields that lead to it."""
        return [field_path(self.request, path) for path in self.template.fields]


@dataclass(frozen=True, slots=True)
class Match:
    """A route with what the path says."""

    route: Route
    values: tuple[str, ...]
    """Of `route.template.fields`, in their order."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """No route: `allowed` holds the verbs that this path knows, and is empty for no such path."""

    allowed: tuple[str, ...]


class Routes:
    """All routes, those that say more literally first."""

    def __init__(self, bindings: Iterable[Binding]) -> None:
        """Compile the bindings; ValueError or KeyError for an annotation that cannot be served."""
        routes = [_route(binding) for binding in bindings]
        self.all = sorted(routes, key=lambda route: route.template.weight)
        self._by_depth: dict[int, list[Route]] = {}
        for route in self.all:
            self._by_depth.setdefault(route.template.text.count("/"), []).append(route)
        # Templates with `**` match paths of any depth.
        self._deep = [route for route in self.all if "**" in route.template.text]

    def find(self, verb: str, path: str) -> Match | Mismatch:
        """Return the route of a raw path; HEAD is served as GET."""
        verb = "GET" if verb == "HEAD" else verb
        allowed: list[str] = []
        for route in (*self._by_depth.get(path.count("/"), ()), *self._deep):
            values = _values(route, path)
            if values is None:
                continue
            if route.binding.verb == verb:
                return Match(route, values)
            allowed.append(route.binding.verb)
        return Mismatch(tuple(dict.fromkeys(allowed)))


def field_path(message: Descriptor, path: str) -> tuple[FieldDescriptor, ...]:
    """Return the fields along a dotted path of proto names; KeyError when there are none such."""
    first, *rest = path.split(".")
    fields = [message.fields_by_name[first]]
    for name in rest:
        fields.append(nested_type(fields[-1]).fields_by_name[name])
    return tuple(fields)


def nested_type(field: FieldDescriptor) -> Descriptor:
    """Return the type of a field that is a message; KeyError for one that is not."""
    if field.message_type is None:
        raise KeyError(f"{field.full_name} is not a message")
    return field.message_type


def _route(binding: Binding) -> Route:
    route = Route(binding, parse(binding.template), rpc_of(binding.rpc))
    # A name that the message does not have must be found now, not by a caller.
    route.path_fields()
    _ = route.body_field, route.shown_field
    if binding.rpc.server_streaming and not route.answers_file:
        raise ValueError(f"{binding.rpc.full_name} streams something else than a file")
    return route


def _values(route: Route, path: str) -> tuple[str, ...] | None:
    try:
        return route.template.match(path)
    except UnicodeDecodeError:
        return None
