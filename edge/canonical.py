"""The canonical JSON of proto3 messages, compiled once per message type.

It says the same as `google.protobuf.json_format` with `always_print_fields_with_no_presence`, some
thirty times faster: a socket's events are encoded on its event loop. So a function is written for
each type of message, as `dataclasses` does, which reads its fields one after the other.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import orjson
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

_Encode = Callable[[Any], Any]
_MOMENTS_KEPT = 8192
_SECONDS_KEPT = 1024
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


def to_json(message: Message) -> bytes:
    """Return a message's canonical JSON."""
    return orjson.dumps(to_object(message))


def to_object(message: Message) -> Any:
    """Return a message as JSON values: objects, lists, texts, numbers and booleans."""
    descriptor: Any = message.DESCRIPTOR
    return _encoder(descriptor)(message)


def _encoder(descriptor: Descriptor) -> _Encode:
    return _ENCODERS.get(descriptor.full_name) or _compiled(descriptor)


def _compiled(descriptor: Descriptor) -> _Encode:
    """Write the function that encodes messages of a type."""
    if descriptor.file.package == "google.protobuf":
        raise TypeError(f"{descriptor.full_name} has a JSON form of its own, unknown here")
    lines = ["def encode(m):", " out = {}", *map(_line, descriptor.fields), " return out"]
    names: dict[str, Any] = {}
    exec("\n".join(lines), names)  # noqa: S102  made of nothing but the contract's own names
    encode: _Encode = names["encode"]
    # Known before its fields are looked at, so that a message may contain its own kind.
    _ENCODERS[descriptor.full_name] = encode
    names.update({f"f{field.number}": _helper(field) for field in descriptor.fields})
    return encode


def _line(field: FieldDescriptor) -> str:
    """Return the line that encodes a field; `f<number>` is its helper."""
    value = f"m.{field.name}"
    if field.is_repeated and _map_entry(field) is None:
        value = f"[{_expression(field, 'i')} for i in {value}]"
    else:
        value = _expression(field, value)
    when = f"if m.HasField({field.name!r}): " if field.has_presence else ""
    return f" {when}out[{field.json_name!r}] = {value}"


def _expression(field: FieldDescriptor, value: str) -> str:
    """Return what makes JSON of one value of a field."""
    if field.cpp_type in _WIDE:
        return f"str({value})"
    if field.enum_type is not None:
        return f"f{field.number}[{value}]"
    plain = field.cpp_type in _PLAIN or field.type == FieldDescriptor.TYPE_STRING
    return value if plain else f"f{field.number}({value})"


def _helper(field: FieldDescriptor) -> Any:
    """Return what a field's line needs to encode one value."""
    if entry := _map_entry(field):
        return _map_encoder(entry.fields_by_name["value"])
    if field.message_type is not None:
        return _encoder(field.message_type)
    if field.enum_type is not None:
        return _EnumNames(field.enum_type)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return lambda value: base64.b64encode(value).decode()
    if field.cpp_type in _WIDE | _PLAIN or field.type == FieldDescriptor.TYPE_STRING:
        return None
    raise TypeError(f"{field.full_name}: the contract has no floating point")


class _EnumNames(dict[int, str | int]):
    """The names of an enumeration's values; a value of a newer contract is its number."""

    def __init__(self, descriptor: EnumDescriptor) -> None:
        super().__init__({value.number: value.name for value in descriptor.values})

    def __missing__(self, number: int) -> int:
        return number


def _map_entry(field: FieldDescriptor) -> Descriptor | None:
    entry = field.message_type
    return entry if entry is not None and entry.GetOptions().map_entry else None


def _map_encoder(field: FieldDescriptor) -> _Encode:
    names = {f"f{field.number}": _helper(field)}
    encode: _Encode = eval(f"lambda v: {_expression(field, 'v')}", names)  # noqa: S307  as above
    return lambda items: {_key(key): encode(value) for key, value in items.items()}


def _key(key: object) -> str:
    return ("true" if key else "false") if isinstance(key, bool) else str(key)


def _timestamp(time: Timestamp) -> str:
    return _moment(time.seconds, time.nanos)


@lru_cache(_MOMENTS_KEPT)
def _moment(seconds: int, nanos: int) -> str:
    """Return a moment with as many decimals as it needs: none, three, six or nine."""
    second = _second(seconds)
    if nanos % 1_000:
        return f"{second}.{nanos:09}Z"
    if nanos % 1_000_000:
        return f"{second}.{nanos // 1_000:06}Z"
    return f"{second}.{nanos // 1_000_000:03}Z" if nanos else f"{second}Z"


@lru_cache(_SECONDS_KEPT)
def _second(seconds: int) -> str:
    """Return a whole second as text, without its zone."""
    return Timestamp(seconds=seconds).ToJsonString().removesuffix("Z")


_ENCODERS: dict[str, _Encode] = {
    "google.protobuf.Timestamp": _timestamp,
    "google.protobuf.Duration": lambda duration: duration.ToJsonString(),
}
