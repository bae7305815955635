"""The canonical JSON of proto3 messages, compiled once per message type.

The same text as `google.protobuf.json_format` with `always_print_fields_with_no_presence`, some
ten times faster: a socket's events are encoded on its event loop.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import cache
from typing import Any

import orjson
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

_Encode = Callable[[Any], Any]
_WIDE = frozenset(
    {
        FieldDescriptor.CPPTYPE_INT64,
        FieldDescriptor.CPPTYPE_UINT64,
    }
)
_PLAIN = frozenset(
    {
        FieldDescriptor.CPPTYPE_BOOL,
        FieldDescriptor.CPPTYPE_INT32,
        FieldDescriptor.CPPTYPE_UINT32,
    }
)
_WELL_KNOWN: dict[str, _Encode] = {
    "google.protobuf.Timestamp": lambda timestamp: timestamp.ToJsonString(),
    "google.protobuf.Duration": lambda duration: duration.ToJsonString(),
}


def to_json(message: Message) -> bytes:
    """Return a message's canonical JSON."""
    return orjson.dumps(to_object(message))


def to_object(message: Message) -> Any:
    """Return a message as JSON values: objects, lists, texts, numbers and booleans."""
    return _message_encoder(message.DESCRIPTOR)(message)


@cache
def _message_encoder(descriptor: Descriptor) -> _Encode:
    if well_known := _WELL_KNOWN.get(descriptor.full_name):
        return well_known
    if descriptor.file.package == "google.protobuf":
        raise TypeError(f"{descriptor.full_name} has a JSON form of its own, unknown here")
    fields: list[tuple[str, str, bool, _Encode]] = []

    def encode(message: Any) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name, json_name, has_presence, encode_value in fields:
            if not has_presence or message.HasField(name):
                out[json_name] = encode_value(getattr(message, name))
        return out

    # Filled after the closure exists, so that a message may contain its own kind.
    fields += [
        (field.name, field.json_name, field.has_presence, _field_encoder(field))
        for field in descriptor.fields
    ]
    return encode


def _field_encoder(field: FieldDescriptor) -> _Encode:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        encode_value = _value_encoder(entry.fields_by_name["value"])
        return lambda items: {_key(key): encode_value(value) for key, value in items.items()}
    encode_one = _value_encoder(field)
    if field.is_repeated:
        return lambda items: [encode_one(item) for item in items]
    return encode_one


def _value_encoder(field: FieldDescriptor) -> _Encode:
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_MESSAGE:
        return to_object
    if kind in _WIDE:
        return str
    if field.enum_type is not None:
        return _enum_encoder(field.enum_type)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return lambda value: base64.b64encode(value).decode()
    if kind in _PLAIN or kind == FieldDescriptor.CPPTYPE_STRING:
        return lambda value: value
    raise TypeError(f"{field.full_name}: the contract has no floating point")


def _enum_encoder(descriptor: EnumDescriptor) -> _Encode:
    names = {value.number: value.name for value in descriptor.values}
    return lambda number: names.get(number, number)


def _key(key: object) -> str:
    return ("true" if key else "false") if isinstance(key, bool) else str(key)
