"""The field rules of the contract, compiled to one function for each type of message.

Every call passes through them, nearly always with nothing to say. So a function is written for
each type, as `dataclasses` does, which looks at its fields one after the other and makes a path
only for what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from services.kit.errors import Failure, Violation
from services.kit.reason import Reason
from veritick.option.v1.field_pb2 import FieldRules
from veritick.option.v1.field_pb2 import field as field_option

Check = Callable[[Message, str, list[Violation]], None]
"""Takes a message and the path to it, and adds what is wrong with it."""

_VIOLATIONS_MAX = 20
_TEXTS = frozenset({FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES})
_TIMESTAMP = Timestamp.DESCRIPTOR.full_name
_MOMENT = "-62135596800 <= v.seconds <= 253402300799 and 0 <= v.nanos <= 999999999"
_CHECKS: dict[str, Check] = {}
"""By the name of the type."""

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_FORMATS = {
    # Twice as fast as one that ignores case.
    FieldRules.UUID: (re.compile(_UUID.replace("a-f", "a-fA-F")), "must be a UUID"),
    FieldRules.EMAIL: (
        re.compile(r"[^\s@\x00-\x1f]{1,64}@[^\s@\x00-\x1f.]+(\.[^\s@\x00-\x1f.]+)+"),
        "must be a mail address",
    ),
    FieldRules.BOOK_SCOPED_ID: (
        re.compile(rf"[a-z][a-z0-9-]{{0,38}}_{_UUID}"),
        "must be an id such as demo_0199a1b2-…",
    ),
}


def validator(kind: type[Message]) -> Callable[[Message], None]:
    """Return what checks messages of a type.

    It raises Failure INVALID_REQUEST naming every field that breaks a rule (at most 20), depth
    first, in the order of the fields.
    """
    descriptor: Any = kind.DESCRIPTOR
    check = _check_of(descriptor)

    def validate(message: Message) -> None:
        found: list[Violation] = []
        check(message, "", found)
        if found:
            text = f"{found[0].field} {found[0].description}."
            raise Failure(Reason.INVALID_REQUEST, text, violations=found[:_VIOLATIONS_MAX])

    return validate


def _check_of(descriptor: Descriptor) -> Check:
    return _CHECKS.get(descriptor.full_name) or _compiled(descriptor)


def _compiled(descriptor: Descriptor) -> Check:
    """Write the function that checks messages of a type."""
    names: dict[str, Any] = {"Violation": Violation}
    lines = [line for field in descriptor.fields for line in _field_lines(field, names)]
    source = "\n ".join(["def check(m, path, found):", *lines, "return"])
    exec(source, names)  # noqa: S102  made of nothing but the contract's own names and rules
    check: Check = names["check"]
    # Known before its fields' types are looked at, so that a message may contain its own kind.
    _CHECKS[descriptor.full_name] = check
    for field in descriptor.fields:
        if field.message_type is not None and has_rules(field.message_type):
            names[f"check_{field.name}"] = _check_of(field.message_type)
    return check


@cache
def has_rules(descriptor: Descriptor) -> bool:
    """Tell whether a message type, or any it contains, declares a rule or tells a moment."""
    return _has_rules(descriptor, frozenset())


def _has_rules(descriptor: Descriptor, above: frozenset[str]) -> bool:
    if descriptor.full_name in above:
        return False
    inside = above | {descriptor.full_name}
    return any(
        field.GetOptions().HasExtension(field_option)
        or _is_moment(field)
        or (field.message_type is not None and _has_rules(field.message_type, inside))
        for field in descriptor.fields
    )


def _is_moment(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.full_name == _TIMESTAMP


def _field_lines(field: FieldDescriptor, names: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that check a field: none for one without rules."""
    rules = field.GetOptions().Extensions[field_option]
    if field.is_repeated:
        yield from _repeated_lines(field, rules, names)
    else:
        yield from _singular_lines(field, rules, names)


def _singular_lines(
    field: FieldDescriptor, rules: FieldRules, names: dict[str, Any]
) -> Iterator[str]:
    path, read = f"{{path}}{field.name}", f"v = m.{field.name}"
    checks = list(_value_lines(field, rules, names, path))
    if not (checks or rules.required):
        return
    if field.has_presence:
        yield from (f"if m.HasField({field.name!r}):", f" {read}")
    elif rules.required or field.type in _TEXTS:
        yield from (read, "if v:")
    else:  # A number that is absent is a zero, and zero may be out of range.
        yield from (read, *checks)
        return
    yield from _indented(checks or ["pass"])
    if rules.required:
        yield f"else: {_adding(path, 'is required')}"


def _repeated_lines(
    field: FieldDescriptor, rules: FieldRules, names: dict[str, Any]
) -> Iterator[str]:
    path = f"{{path}}{field.name}"
    yield f"v = m.{field.name}"
    if rules.required:
        yield f"if not v: {_adding(path, 'is required')}"
    loop = list(_loop_lines(field, rules, names, path))
    if rules.max_items:
        problem = f"must have at most {rules.max_items} items"
        yield f"if len(v) > {rules.max_items}: {_adding(path, problem)}"
        if loop:
            yield from ("else:", *_indented(loop))
    else:
        yield from loop


def _loop_lines(
    field: FieldDescriptor, rules: FieldRules, names: dict[str, Any], path: str
) -> Iterator[str]:
    if checks := list(_value_lines(field, rules, names, f"{path}[{{i}}]")):
        yield "for i, v in enumerate(v):"
        yield from _indented(checks)
        yield f" if len(found) >= {_VIOLATIONS_MAX}: return"


def _value_lines(
    field: FieldDescriptor, rules: FieldRules, names: dict[str, Any], path: str
) -> Iterator[str]:
    """Yield the lines that check the value `v`; `path` is what an f-string makes its path of."""
    word = "if"
    for broken, problem in _problems(field, rules, names):
        yield f"{word} {broken}: {_adding(path, problem)}"
        word = "elif"
    if field.message_type is not None and has_rules(field.message_type):
        yield f"check_{field.name}(v, f'{path}.', found)"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f" {line}" for line in lines)


def _adding(path: str, problem: str) -> str:
    return f"found.append(Violation(f'{path}', {problem!r}))"


def _problems(
    field: FieldDescriptor, rules: FieldRules, names: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield what may be wrong with a value `v`: when it is, and in words."""
    if _is_moment(field):
        # What protobuf itself holds to in JSON.
        yield f"not ({_MOMENT})", "must be a moment of the years 1 to 9999"
    if field.type == FieldDescriptor.TYPE_STRING:
        # The one character that Postgres cannot store or compare.
        yield r"'\0' in v", "must not contain a NUL character"
    if rules.HasField("min_length"):
        yield f"len(v) < {rules.min_length}", f"must have at least {rules.min_length} characters"
    if rules.HasField("max_length"):
        yield f"len(v) > {rules.max_length}", f"must have at most {rules.max_length} characters"
    if rules.pattern:
        names[f"fits_{field.name}"] = re.compile(rules.pattern).fullmatch
        yield f"v and not fits_{field.name}(v)", f"must match {rules.pattern}"
    if rules.format in _FORMATS:
        pattern, problem = _FORMATS[rules.format]
        names[f"is_{field.name}"] = pattern.fullmatch
        yield f"v and not is_{field.name}(v)", problem
    if rules.HasField("min"):
        yield f"v < {rules.min}", f"must be at least {rules.min}"
    if rules.HasField("max"):
        yield f"v > {rules.max}", f"must be at most {rules.max}"
    if field.enum_type is not None:
        names[f"known_{field.name}"] = frozenset(field.enum_type.values_by_number)
        yield f"v not in known_{field.name}", "is not a known value"
