"""Paging by key and filtering by field, the same in every list."""

import base64
import binascii
import json
from collections.abc import Callable, Collection, Sequence
from typing import Any

from services.kit.errors import Failure
from services.kit.reason import Reason

_CONDITIONS_MAX = 8
_LARGEST = 2**63 - 1


def encode_page_token(key: Sequence[str | int]) -> str:
    """Return the token that continues after this key. It is opaque, not secret."""
    return base64.urlsafe_b64encode(json.dumps(list(key)).encode()).decode().rstrip("=")


def decode_page_token(token: str, *kinds: Callable[[str], Any]) -> list[Any]:
    """Return the key of a token, each part read by its kind, such as `int` or `UUID`.

    Failure INVALID_PAGE_TOKEN when it was not made by `encode_page_token` for such a list.
    """
    try:
        key = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if not isinstance(key, list) or not all(isinstance(part, str | int) for part in key):
            raise _invalid_token()
        values = [kind(str(part)) for kind, part in zip(kinds, key, strict=True)]
    except (binascii.Error, ValueError) as error:
        raise _invalid_token() from error
    if any(isinstance(value, int) and abs(value) > _LARGEST for value in values):
        raise _invalid_token()
    return values


def parse_filter(text: str, fields: Collection[str]) -> dict[str, str]:
    """Return the conditions of `a=b AND c=d`; only the named fields may appear, each once.

    Failure INVALID_FILTER otherwise.
    """
    conditions: dict[str, str] = {}
    if not text.strip():
        return conditions
    for condition in text.split(" AND ", _CONDITIONS_MAX):
        name, separator, value = (part.strip() for part in condition.partition("="))
        if not separator or not value or name not in fields or name in conditions:
            known = ", ".join(sorted(fields)) or "none"
            message = f"The filter must look like `field=value`; fields: {known}."
            raise Failure(Reason.INVALID_FILTER, message, metadata={"filter": text[:100]})
        conditions[name] = value.strip('"')
    return conditions


def _invalid_token() -> Failure:
    return Failure(Reason.INVALID_PAGE_TOKEN, "The page token was not issued for this list.")
