"""From JSON values to messages, by the canonical mapping of proto3, saying what is wrong where.

Stricter than `json_format` in nothing that is valid, and more helpful in what is not: every
fault is collected with its path as the client wrote it, not only the first.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from edge.rest.routes import nested_type
from services.kit.errors import Violation

Value = Callable[[Any], Any]
"""Takes a JSON value, returns what the field holds; ValueError says what it must be."""

Store = Callable[[Any, Any, str, "Faults"], None]
"""Stores (a JSON value) into (a message), under (a path), adding to (the faults)."""

FAULTS_MAX = 20
_SAFE_INTEGER = 2**53
_INTEGER = re.compile(r"-?[0-9]{1,20}")
_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_FLOATS = {FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT}


class Faults:
    """What is wrong with a request; the first twenty are told."""

    def __init__(self) -> None:
        self.found: list[Violation] = []

    def add(self, path: str, description: str) -> None:
        """Note a fault at a path in JSON names, which need not be Unicode that can be sent back."""
        if len(self.found) < FAULTS_MAX:
            written = path.encode(errors="replace").decode()
            self.found.append(Violation(written, description))


def read(value: object, into: Message, path: str, faults: Faults) -> None:
    """Fill a message from a JSON value; faults are noted below `path`."""
    _message_reader(into.DESCRIPTOR)(value, into, path, faults)


def read_field(
    field: FieldDescriptor, value: object, into: Message, path: str, faults: Faults
) -> None:
    """Fill one field of a message from a JSON value."""
    _field_reader(field)(value, into, path, faults)


@cache
def _message_reader(descriptor: Descriptor) -> Store:
    if descriptor.full_name in _TEXTS:
        return _text_message(_TEXTS[descriptor.full_name])
    if descriptor.file.package == "google.protobuf":
        raise TypeError(f"{descriptor.full_name} has a JSON form of its own, unknown here")
    fields: dict[str, FieldDescriptor] = {}
    for field in descriptor.fields:
        fields[field.json_name] = fields[field.name] = field

    def read_message(value: object, into: Message, path: str, faults: Faults) -> None:
        if not isinstance(value, dict):
            faults.add(path, "must be an object")
            return
        prefix = f"{path}." if path else ""
        seen: dict[str, str] = {}
        for name, item in value.items():
            field = fields.get(name)
            if field is None:
                faults.add(prefix + name[:80], "is not a field of this request")
            elif item is not None and _first(field, name, seen, prefix, faults):
                _field_reader(field)(item, into, prefix + field.json_name, faults)

    return read_message


def _first(
    field: FieldDescriptor, name: str, seen: dict[str, str], prefix: str, faults: Faults
) -> bool:
    """Tell whether neither this field, by its other name, nor another of its oneof came before."""
    oneof = field.containing_oneof
    key = oneof.full_name if oneof is not None else field.full_name
    if (other := seen.setdefault(key, name)) == name:
        return True
    faults.add(prefix + name, f"cannot be given together with {other}")
    return False


@cache
def _field_reader(field: FieldDescriptor) -> Store:
    name = field.name
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        return _map_reader(field)
    if field.is_repeated:
        return _list_reader(field)
    if entry is not None:
        return _nested_reader(field)
    convert = _value_reader(field)

    def read_value(value: object, into: Message, path: str, faults: Faults) -> None:
        try:
            setattr(into, name, convert(value))
        except ValueError as error:
            faults.add(path, str(error))

    return read_value


def _nested_reader(field: FieldDescriptor) -> Store:
    name, kind = field.name, field.message_type

    def read_nested(value: object, into: Message, path: str, faults: Faults) -> None:
        nested = getattr(into, name)
        nested.SetInParent()
        _message_reader(kind)(value, nested, path, faults)

    return read_nested


def _list_reader(field: FieldDescriptor) -> Store:
    name, kind = field.name, field.message_type
    convert = _value_reader(field) if kind is None else None

    def read_item(item: object, items: Any, path: str, faults: Faults) -> None:
        if convert is None:
            _message_reader(kind)(item, items.add(), path, faults)
            return
        try:
            items.append(convert(item))
        except ValueError as error:
            faults.add(path, str(error))

    def read_list(value: object, into: Message, path: str, faults: Faults) -> None:
        if not isinstance(value, list):
            faults.add(path, "must be a list")
            return
        items = getattr(into, name)
        for index, item in enumerate(value):
            read_item(item, items, f"{path}[{index}]", faults)

    return read_list


def _map_reader(field: FieldDescriptor) -> Store:
    name, entry = field.name, nested_type(field)
    key_field, value_field = entry.fields_by_name["key"], entry.fields_by_name["value"]
    key_of = (
        _boolean_text if key_field.type == FieldDescriptor.TYPE_BOOL else _value_reader(key_field)
    )

    def read_entry(key: str, item: object, items: Any, path: str, faults: Faults) -> None:
        try:
            if value_field.message_type is None:
                items[key_of(key)] = _value_reader(value_field)(item)
            else:
                read(item, items[key_of(key)], path, faults)
        except ValueError as error:
            faults.add(path, str(error))

    def read_map(value: object, into: Message, path: str, faults: Faults) -> None:
        if not isinstance(value, dict):
            faults.add(path, "must be an object")
            return
        items = getattr(into, name)
        for key, item in value.items():
            read_entry(key, item, items, f"{path}.{key[:80]}", faults)

    return read_map


def _text_message(kind: type[Timestamp | Duration]) -> Store:
    form = "a time such as 2026-01-31T12:00:00Z" if kind is Timestamp else "a duration such as 60s"

    def read_text(value: object, into: Message, path: str, faults: Faults) -> None:
        parsed = kind()
        try:
            if not isinstance(value, str):
                raise ValueError
            parsed.FromJsonString(value)
        except (ValueError, OverflowError):
            faults.add(path, f"must be {form}")
        else:
            into.CopyFrom(parsed)

    return read_text


_TEXTS: dict[str, type[Timestamp | Duration]] = {
    "google.protobuf.Timestamp": Timestamp,
    "google.protobuf.Duration": Duration,
}


@cache
def _value_reader(field: FieldDescriptor) -> Value:
    if field.enum_type is not None:
        return _enum_reader(field.enum_type)
    if field.cpp_type in _RANGES:
        return _integer_reader(*_RANGES[field.cpp_type])
    if field.type in _FLOATS:
        return _number
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _bytes
    return _boolean if field.type == FieldDescriptor.TYPE_BOOL else _text


def _integer_reader(lowest: int, highest: int) -> Value:
    def integer(value: object) -> int:
        number = _whole(value)
        if not lowest <= number <= highest:
            raise ValueError(f"must lie between {lowest} and {highest}")
        return number

    return integer


def _whole(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    # 1.0 and 1e3 are whole; beyond 2^53 nobody knows which number was meant.
    if isinstance(value, float) and value.is_integer() and abs(value) <= _SAFE_INTEGER:
        return int(value)
    raise ValueError("must be a whole number")


def _enum_reader(enum: EnumDescriptor) -> Value:
    numbers = {value.name: value.number for value in enum.values}
    known = frozenset(numbers.values())
    listed = ", ".join(name for name, number in numbers.items() if number)

    def number_of(value: object) -> int:
        number = numbers.get(value) if isinstance(value, str) else value
        if isinstance(number, bool) or not isinstance(number, int) or number not in known:
            raise ValueError(f"must be one of {listed}")
        return number

    return number_of


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("must be a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError("must be a number") from None
    if isinstance(value, str) and not math.isfinite(number) and value not in _NOT_FINITE:
        raise ValueError("must be a number")
    return number


_NOT_FINITE = frozenset({"NaN", "Infinity", "-Infinity"})


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _boolean_text(value: object) -> bool:
    if value not in {"true", "false"}:
        raise ValueError("must be true or false")
    return value == "true"


def _bytes(value: object) -> bytes:
    text = _text(value).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be base64") from None
