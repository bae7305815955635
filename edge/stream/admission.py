"""Who may open a socket: the right path, a page of ours or a program, and not too many at once."""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus
from urllib.parse import urlsplit

PATH = "/v1/stream"


def refusal(
    path: str, origin: str | None, host: str | None, origins: Collection[str]
) -> HTTPStatus | None:
    """Return why a handshake is refused, or None.

    A browser names the page's origin, and other people's pages get nothing: it must be one of
    `origins` or be served by the host that was called. A program names none.
    """
    if path.partition("?")[0] != PATH:
        return HTTPStatus.NOT_FOUND
    if origin is None or origin in origins:
        return None
    return None if _same_host(origin, host or "") else HTTPStatus.FORBIDDEN


def _same_host(origin: str, host: str) -> bool:
    try:
        page, called = urlsplit(origin), urlsplit(f"//{host}")
    except ValueError:
        return False
    served_by = page.hostname if page.scheme in {"http", "https"} else None
    return served_by is not None and served_by == called.hostname
