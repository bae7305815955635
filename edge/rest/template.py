"""Path templates of `google.api.http`: `/v1/accounts/{account_id}:refill`."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

_TOKEN = re.compile(r"\{(?P<field>[a-z0-9_.]+)(?:=(?P<segments>[^{}]+))?\}|(?P<text>[^{}]+)")
_LITERAL = re.compile(r"[A-Za-z0-9_.~:/*-]+")


@dataclass(frozen=True, slots=True)
class Template:
    """A template, ready to match raw (still percent-encoded) paths."""

    text: str
    fields: tuple[str, ...]
    """Paths of the request's fields that the path carries, in proto names."""

    pattern: re.Pattern[str]
    weight: tuple[int, ...]
    """Templates of smaller weight are tried first: those that say more literally."""

    def match(self, path: str) -> tuple[str, ...] | None:
        """Return the decoded values of `fields`, or None for another path.

        UnicodeDecodeError (a ValueError) when a value is not UTF-8 once decoded.
        """
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        return tuple(unquote(value, errors="strict") for value in found.groups())


def parse(text: str) -> Template:
    """Compile a template; ValueError for one that is not well-formed."""
    parts, fields, position = [], [], 0
    for token in _TOKEN.finditer(text):
        if token.start() != position:
            break
        position = token.end()
        if token["text"] is not None:
            parts.append(_segments(token["text"], text))
        else:
            fields.append(token["field"])
            parts.append(f"({_segments(token['segments'] or '*', text)})")
    if position != len(text) or not text.startswith("/"):
        raise ValueError(f"not a path template: {text}")
    return Template(text, tuple(fields), re.compile("".join(parts)), _weight(text))


def _segments(text: str, template: str) -> str:
    if not _LITERAL.fullmatch(text):
        raise ValueError(f"not a path template: {template}")
    # A colon begins the verb, as in `:refill`; inside a value it is written %3A.
    wildcards = {"**": "[^:]+", "*": "[^/:]+"}
    pieces = re.split(r"(\*\*|\*)", text)
    return "".join(wildcards.get(piece) or re.escape(piece) for piece in pieces)


def _weight(text: str) -> tuple[int, ...]:
    """Count what is open in each segment: 0 a literal, 1 one value, 2 any number of segments."""
    return tuple(2 if "**" in part else int("{" in part or "*" in part) for part in text.split("/"))
