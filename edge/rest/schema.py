"""JSON schemas of the contract's messages, with the constraints of their field rules.

A message may have two schemas. What the edge answers always holds every field that has no
presence, so these are required. What a client sends needs only what a rule requires, and nothing
that is not declared; that schema is called `<Name>Input`. A request that is the body of its call,
less what the path says, has the plain name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from typing import Any, Literal

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from edge.comments import comment
from edge.rest.routes import nested_type
from veritick.option.v1.field_pb2 import FieldRules
from veritick.option.v1.field_pb2 import field as field_option

Schema = dict[str, Any]
Direction = Literal["input", "output"]

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_FORMATS: dict[int, Schema] = {
    FieldRules.UUID: {"format": "uuid", "pattern": f"^{_UUID}$"},
    FieldRules.EMAIL: {"format": "email"},
    FieldRules.BOOK_SCOPED_ID: {"pattern": rf"^[a-z][a-z0-9-]{{0,38}}_{_UUID}$"},
}
_WELL_KNOWN: dict[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {
        "type": "string",
        "pattern": r"^-?[0-9]{1,11}(\.[0-9]{1,9})?s$",
        "examples": ["60s"],
    },
}
_INT32: Schema = {"type": "integer", "format": "int32"}
_NO_NUL = "^[^\\u0000]*$"
"""Any text but one with a NUL, which the databases cannot keep."""

_INT64: Schema = {"type": "string", "format": "int64", "pattern": "^-?[0-9]{1,18}$"}
_FLOAT: Schema = {"type": "number"}
_SCALARS: dict[int, Schema] = {
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_DOUBLE: _FLOAT,
    FieldDescriptor.TYPE_FLOAT: _FLOAT,
}
_BOUNDS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
}


def rules_of(field: FieldDescriptor) -> FieldRules:
    """Return the rules that the contract declares for a field."""
    rules: FieldRules = field.GetOptions().Extensions[field_option]
    return rules


class Schemas:
    """The component schemas of a document; those asked for are added as they are referred to."""

    def __init__(self, vocabulary: Iterable[Descriptor]) -> None:
        """Name things among all messages that the document may speak of."""
        self.components: dict[str, Schema] = {}
        self._names = _names(vocabulary)

    def message(self, message: Descriptor, direction: Direction) -> Schema:
        """Return a message's schema: a reference, or itself for a well-known type."""
        if message.full_name in _WELL_KNOWN:
            return dict(_WELL_KNOWN[message.full_name])
        name = self.name(message, direction)
        return self._component(name, lambda: self.object(message, direction))

    def name(self, message: Descriptor, direction: Direction) -> str:
        """Return the component's name of a message."""
        name = self._names[message.full_name]
        return f"{name}Input" if direction == "input" else name

    def object(
        self, message: Descriptor, direction: Direction, without: Iterable[str] = ()
    ) -> Schema:
        """Return a message's own schema, without some of its fields (named as in proto)."""
        fields = [field for field in message.fields if field.name not in set(without)]
        schema: Schema = {"type": "object"}
        if text := comment(message):
            schema["description"] = text
        schema["properties"] = {field.json_name: self.field(field, direction) for field in fields}
        required = [field.json_name for field in fields if _required(field, direction)]
        if required:
            schema["required"] = required
        if direction == "input":
            schema["additionalProperties"] = False
            schema |= _at_most_one(message)
        return schema

    def field(self, field: FieldDescriptor, direction: Direction) -> Schema:
        """Return the schema of one field with its comment."""
        described = {"description": text} if (text := comment(field)) else {}
        return {**self._shape(field, direction), **described}

    def enum(self, enum: EnumDescriptor) -> Schema:
        """Return a reference to an enum."""
        return self._component(self._names[enum.full_name], lambda: _enum(enum))

    def _component(self, name: str, make: Callable[[], Schema]) -> Schema:
        if name not in self.components:
            self.components[name] = {}  # a message may contain itself
            self.components[name] = make()
        return {"$ref": f"#/components/schemas/{name}"}

    def _shape(self, field: FieldDescriptor, direction: Direction) -> Schema:
        if is_map(field):
            value = self._value(nested_type(field).fields_by_name["value"], direction)
            return {"type": "object", "additionalProperties": value}
        if field.is_repeated:
            return {"type": "array", "items": self._value(field, direction), **_sizes(field)}
        return self._value(field, direction)

    def _value(self, field: FieldDescriptor, direction: Direction) -> Schema:
        if field.message_type is not None:
            return self.message(field.message_type, direction)
        if field.enum_type is not None:
            return {**self.enum(field.enum_type), **_chosen(field, direction)}
        return _scalar(field, direction)


def is_map(field: FieldDescriptor) -> bool:
    """Tell whether a field is a map."""
    kind = field.message_type
    return kind is not None and bool(kind.GetOptions().map_entry)


def _names(vocabulary: Iterable[Descriptor]) -> dict[str, str]:
    """Choose short names: what is declared, and its package's context first where that clashes."""
    known = list(_everything(vocabulary))
    counts = Counter(_short(item) for item in known)
    return {
        item.full_name: _short(item) if counts[_short(item)] == 1 else _context(item) + _short(item)
        for item in known
    }


def _everything(messages: Iterable[Descriptor]) -> Iterator[Descriptor | EnumDescriptor]:
    """Yield messages and all they contain, each once."""
    seen: set[str] = set()
    waiting: list[Descriptor | EnumDescriptor] = list(messages)
    while waiting:
        item = waiting.pop()
        if item.full_name in seen:
            continue
        seen.add(item.full_name)
        yield item
        if isinstance(item, Descriptor):
            waiting += [kind for field in item.fields for kind in _kinds(field)]


def _kinds(field: FieldDescriptor) -> list[Descriptor | EnumDescriptor]:
    return [kind for kind in (field.message_type, field.enum_type) if kind is not None]


def _short(item: Descriptor | EnumDescriptor) -> str:
    return item.full_name.removeprefix(f"{item.file.package}.").replace(".", "")


def _context(item: Descriptor | EnumDescriptor) -> str:
    return item.file.package.split(".")[-2].capitalize()


def _required(field: FieldDescriptor, direction: Direction) -> bool:
    if direction == "output":
        return not field.has_presence
    rules = rules_of(field)
    # A number that is absent is a zero, and zero may be out of range.
    return rules.required or (not field.has_presence and not rules.min <= 0 <= _highest(rules))


def _highest(rules: FieldRules) -> int:
    return rules.max if rules.HasField("max") else 0


def _chosen(field: FieldDescriptor, direction: Direction) -> Schema:
    """Return that a required enum is more than its zero value, which says nothing."""
    if direction == "output" or field.enum_type is None or not rules_of(field).required:
        return {}
    return {"not": {"const": field.enum_type.values_by_number[0].name}}


def _at_most_one(message: Descriptor) -> Schema:
    """Return what a message's oneofs forbid: two members of the same one."""
    pairs = [
        pair
        for oneof in message.oneofs
        for pair in combinations([field.json_name for field in oneof.fields], 2)
    ]
    return {"allOf": [{"not": {"required": list(pair)}} for pair in pairs]} if pairs else {}


def _enum(enum: EnumDescriptor) -> Schema:
    listed = "\n".join(f"- `{value.name}`: {comment(value)}" for value in enum.values)
    text = comment(enum)
    names = [value.name for value in enum.values]
    return {"type": "string", "description": f"{text}\n\n{listed}", "enum": names}


def _sizes(field: FieldDescriptor) -> Schema:
    rules = rules_of(field)
    sizes: Schema = {"minItems": 1} if rules.required else {}
    return {**sizes, "maxItems": rules.max_items} if rules.HasField("max_items") else sizes


def _scalar(field: FieldDescriptor, direction: Direction) -> Schema:
    if field.type in _SCALARS:
        shape = dict(_SCALARS[field.type])
    else:
        shape = dict(_INT32 if field.cpp_type in _BOUNDS else _INT64)
    if direction == "output":
        return shape
    return {**shape, **_constraints(field)}


def _constraints(field: FieldDescriptor) -> Schema:
    """Return what a rule demands; of 64-bit numbers, which are texts, only in words."""
    rules = rules_of(field)
    found: Schema = dict(_FORMATS.get(rules.format, {}))
    if rules.pattern:
        found["pattern"] = rules.pattern
    if field.type == FieldDescriptor.TYPE_STRING:
        found |= _lengths(rules)
        found.setdefault("pattern", _NO_NUL)
    if field.type == FieldDescriptor.TYPE_BYTES:
        found["pattern"] = _base64(rules.max_length)
    if field.cpp_type in _BOUNDS:
        lowest, highest = _BOUNDS[field.cpp_type]
        found["minimum"] = rules.min if rules.HasField("min") else lowest
        found["maximum"] = rules.max if rules.HasField("max") else highest
    elif rules.HasField("min") and rules.min >= 0:
        found["pattern"] = "^[0-9]{1,18}$"
    if rules.secret:
        found["format"] = "password"
    return found


def _base64(bytes_max: int) -> str:
    """Return the pattern of base64, padded or not, of at most so many bytes; 0: of any number."""
    digit = "[A-Za-z0-9+/_-]"
    one, two, three = f"{digit}{{2}}(==)?", f"{digit}{{3}}=?", f"{digit}{{4}}"
    if not bytes_max:
        return f"^({three})*({one}|{two})?$"
    # The last group holds what the whole ones before it leave: one to three bytes.
    whole, last = (bytes_max - 1) // 3, (bytes_max - 1) % 3 + 1
    return f"^({three}){{0,{whole}}}({'|'.join([one, two, three][:last])})?$"


def _lengths(rules: FieldRules) -> Schema:
    found: Schema = {}
    if rules.HasField("min_length") or rules.required:
        found["minLength"] = max(rules.min_length, 1 if rules.required else 0)
    if rules.HasField("max_length"):
        found["maxLength"] = rules.max_length
    return found
