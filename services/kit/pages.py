"""Paging by key and filtering by field, the same in every list."""

import base64
import binascii
import json
from collections.abc import Collection, Sequence

from services.kit.errors import Failure
from services.kit.reason import Reason

_CONDITIONS_MAX = 8


def encode_page_token(key: Sequence[str | int]) -> str:
    """Return the token that continues after this key. It is opaque, not secret."""
    return base64.urlsafe_b64encode(json.dumps(list(key)).encode()).decode().rstrip("=")


def decode_page_token(token: str, size: int) -> list[str]:
    """Return the key of a token as texts, `size` of them.

    Failure INVALID_PAGE_TOKEN when it was not made by `encode_page_token` for such a list.
    """
    try:
        key = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError) as error:
        raise _invalid_token() from error
    if not isinstance(key, list) or len(key) != size:
        raise _invalid_token()
    if not all(isinstance(part, str | int) for part in key):
        raise _invalid_token()
    return [str(part) for part in key]


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
