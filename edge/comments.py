"""The comments of the contract: what documents say about everything that is declared there.

`comments.json` is written by `make contract`.
"""

import json
import re
from functools import cache
from pathlib import Path

from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    EnumValueDescriptor,
    FieldDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)

Described = (
    Descriptor
    | EnumDescriptor
    | EnumValueDescriptor
    | FieldDescriptor
    | MethodDescriptor
    | ServiceDescriptor
)

_FILE = Path(__file__).with_name("comments.json")
_QUOTED_NAME = re.compile(r"`([a-z][a-z0-9]*(?:_[a-z0-9]+)+(?:\.[a-z0-9_]+)*)`")
_LINE_END = re.compile(r"(?<=\S)\n(?=[^\s])")


@cache
def _comments() -> dict[str, str]:
    texts: dict[str, str] = json.loads(_FILE.read_text())
    return texts


def comment(of: Described) -> str:
    """Return a comment as running text for readers of JSON: unwrapped, names in lowerCamelCase."""
    text = _LINE_END.sub(" ", _comments().get(full_name(of), ""))
    return _QUOTED_NAME.sub(lambda match: f"`{camel(match[1])}`", text)


def full_name(of: Described) -> str:
    """Return the name under which something is declared; an enum's value belongs to its enum."""
    if isinstance(of, EnumValueDescriptor):
        return f"{of.type.full_name}.{of.name}"
    if isinstance(of, MethodDescriptor):
        return f"{of.containing_service.full_name}.{of.name}"
    return of.full_name


def split(text: str) -> tuple[str, str]:
    """Return a comment's first paragraph without its final stop, and the rest."""
    first, _, rest = text.partition("\n\n")
    sentence, _, more = first.partition(". ")
    return sentence.rstrip("."), "\n\n".join(part for part in (more, rest) if part)


def camel(path: str) -> str:
    """Return a path of proto names as JSON shows it: `stake.minor_units` → `stake.minorUnits`."""
    head, *tail = path.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in tail)
