"""Which fields of a request come from the query of a URL."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from edge.rest.routes import Route

FieldPath = tuple[FieldDescriptor, ...]

TEXT_MESSAGES = frozenset({"google.protobuf.Timestamp", "google.protobuf.Duration"})
"""Messages that are written as one text."""

_DEPTH_MAX = 4


def query_fields(route: Route) -> dict[str, FieldPath]:
    """Return the fields that are query parameters, by the parameter's name: `stake.minorUnits`.

    All that neither path nor body carries. A call whose body is the whole request has none.
    """
    if route.binding.body == "*":
        return {}
    taken = {fields[-1].full_name for fields in route.path_fields() if len(fields) == 1}
    if route.body_field is not None:
        taken.add(route.body_field.full_name)
    leaves = (path for path in _leaves(route.request, ()) if path[0].full_name not in taken)
    return {".".join(field.json_name for field in path): path for path in leaves}


def _leaves(message: Descriptor, above: FieldPath) -> Iterator[FieldPath]:
    for field in message.fields:
        kind = field.message_type
        if kind is None or kind.full_name in TEXT_MESSAGES:
            yield (*above, field)
        elif not field.is_repeated and len(above) < _DEPTH_MAX:
            yield from _leaves(kind, (*above, field))
