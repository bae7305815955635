"""Who may open a socket: the right path, a page of ours or a program, and not too many at once."""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus
from urllib.parse import urlsplit

PATH = "/v1/stream"


class Occupancy:
    """How many sockets there are, in all and of each address."""

    def __init__(self, sockets_max: int, address_sockets_max: int) -> None:
        self._sockets_max = sockets_max
        self._address_sockets_max = address_sockets_max
        self._sockets: dict[str, int] = {}
        self._all = 0

    def room(self, address: str) -> bool:
        """Whether one more socket of an address may be opened."""
        mine = self._sockets.get(address, 0)
        return self._all < self._sockets_max and mine < self._address_sockets_max

    def enter(self, address: str) -> bool:
        """Count one more socket; False when there is no room for it."""
        if not self.room(address):
            return False
        self._sockets[address] = self._sockets.get(address, 0) + 1
        self._all += 1
        return True

    def leave(self, address: str) -> None:
        """Count one socket less."""
        self._all -= 1
        self._sockets[address] -= 1
        if not self._sockets[address]:
            del self._sockets[address]


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
