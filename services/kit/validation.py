"""The field rules of the contract, compiled once per message to a list of small checks.

Every call passes through them, nearly always with nothing to say: a check only does work for a
field that is there, and makes a path only for what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from services.kit.errors import Failure, Violation
from services.kit.reason import Reason
from veritick.option.v1.field_pb2 import FieldRules
from veritick.option.v1.field_pb2 import field as field_option

Check = Callable[[Any], str | None]
"""Takes a value, answers what is wrong with it or None."""

MessageCheck = Callable[[Message, str, list[Violation]], None]
"""Takes a message and the path to it, and adds what is wrong with one of its fields."""

_VIOLATIONS_MAX = 20
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_FORMATS = {
    FieldRules.UUID: (re.compile(_UUID.pattern, re.IGNORECASE), "must be a UUID"),
    FieldRules.EMAIL: (
        re.compile(r"[^\s@\x00-\x1f]{1,64}@[^\s@\x00-\x1f.]+(\.[^\s@\x00-\x1f.]+)+"),
        "must be a mail address",
    ),
    FieldRules.BOOK_SCOPED_ID: (
        re.compile(rf"[a-z][a-z0-9-]{{0,38}}_{_UUID.pattern}"),
        "must be an id such as demo_0199a1b2-…",
    ),
}


def validate(message: Message) -> None:
    """Raise Failure INVALID_REQUEST naming every field that breaks a rule (at most 20)."""
    violations = violations_of(message)
    if violations:
        first = violations[0]
        text = f"{first.field} {first.description}."
        raise Failure(Reason.INVALID_REQUEST, text, violations=violations[:_VIOLATIONS_MAX])


def violations_of(message: Message) -> list[Violation]:
    """Return what is wrong with a message, depth first, in the order of its fields."""
    found: list[Violation] = []
    _check(message, "", found)
    return found


def _check(message: Message, path: str, found: list[Violation]) -> None:
    for check in compiled(message.DESCRIPTOR):
        check(message, path, found)
        if len(found) >= _VIOLATIONS_MAX:
            return


@cache
def compiled(descriptor: Descriptor) -> tuple[MessageCheck, ...]:
    """Return the checks of a message type: none for one without rules."""
    checks = (_field_check(field) for field in descriptor.fields)
    return tuple(check for check in checks if check is not None)


@cache
def has_rules(descriptor: Descriptor) -> bool:
    """Tell whether a message type, or any it contains, declares a rule."""
    return _has_rules(descriptor, frozenset())


def _has_rules(descriptor: Descriptor, above: frozenset[str]) -> bool:
    if descriptor.full_name in above:
        return False
    inside = above | {descriptor.full_name}
    return any(
        field.GetOptions().HasExtension(field_option)
        or (field.message_type is not None and _has_rules(field.message_type, inside))
        for field in descriptor.fields
    )


def _field_check(field: FieldDescriptor) -> MessageCheck | None:
    rules = field.GetOptions().Extensions[field_option]
    values = tuple(_value_checks(field, rules))
    nested = field.message_type is not None and has_rules(field.message_type)
    if not (rules.required or values or nested or rules.max_items):
        return None
    if field.is_repeated:
        return _repeated_check(field, rules, values, nested)
    return _singular_check(field, rules, values, nested)


def _singular_check(
    field: FieldDescriptor, rules: FieldRules, values: tuple[Check, ...], nested: bool
) -> MessageCheck:
    name, has_presence, required = field.name, field.has_presence, rules.required
    # A number that is absent is a zero, and zero may be out of range.
    is_text = field.type in {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES}

    def check(message: Message, path: str, found: list[Violation]) -> None:
        if has_presence and not message.HasField(name):
            if required:
                found.append(Violation(path + name, "is required"))
            return
        value = getattr(message, name)
        if not (has_presence or value):
            if required:
                found.append(Violation(path + name, "is required"))
            if is_text:
                return
        problem = _problem(values, value)
        if problem is not None:
            found.append(Violation(path + name, problem))
        if nested:
            _check(value, f"{path}{name}.", found)

    return check


def _repeated_check(
    field: FieldDescriptor, rules: FieldRules, values: tuple[Check, ...], nested: bool
) -> MessageCheck:
    name, required, max_items = field.name, rules.required, rules.max_items

    def check(message: Message, path: str, found: list[Violation]) -> None:
        items = getattr(message, name)
        if required and not items:
            found.append(Violation(path + name, "is required"))
        if max_items and len(items) > max_items:
            found.append(Violation(path + name, f"must have at most {max_items} items"))
            return
        for index, item in enumerate(items):
            problem = _problem(values, item)
            if problem is not None:
                found.append(Violation(f"{path}{name}[{index}]", problem))
            if nested:
                _check(item, f"{path}{name}[{index}].", found)
            if len(found) >= _VIOLATIONS_MAX:
                return

    return check


def _problem(checks: Iterable[Check], value: object) -> str | None:
    for check in checks:
        problem = check(value)
        if problem is not None:
            return problem
    return None


def _value_checks(field: FieldDescriptor, rules: FieldRules) -> Iterator[Check]:
    if field.type == FieldDescriptor.TYPE_STRING:
        yield _storable
    if rules.HasField("min_length"):
        yield _at_least_characters(rules.min_length)
    if rules.HasField("max_length"):
        yield _at_most_characters(rules.max_length)
    if rules.pattern:
        yield _matching(re.compile(rules.pattern), f"must match {rules.pattern}")
    if rules.format in _FORMATS:
        yield _matching(*_FORMATS[rules.format])
    if rules.HasField("min"):
        yield _at_least(rules.min)
    if rules.HasField("max"):
        yield _at_most(rules.max)
    if field.enum_type is not None:
        yield _known(frozenset(field.enum_type.values_by_number))


def _storable(value: str) -> str | None:
    """Refuse the one character that Postgres cannot store or compare."""
    return "must not contain a NUL character" if "\0" in value else None


def _at_least_characters(bound: int) -> Check:
    return lambda value: None if len(value) >= bound else f"must have at least {bound} characters"


def _at_most_characters(bound: int) -> Check:
    return lambda value: None if len(value) <= bound else f"must have at most {bound} characters"


def _at_least(bound: int) -> Check:
    return lambda value: None if value >= bound else f"must be at least {bound}"


def _at_most(bound: int) -> Check:
    return lambda value: None if value <= bound else f"must be at most {bound}"


def _known(numbers: frozenset[int]) -> Check:
    return lambda value: None if value in numbers else "is not a known value"


def _matching(pattern: re.Pattern[str], description: str) -> Check:
    return lambda value: None if not value or pattern.fullmatch(value) else description
