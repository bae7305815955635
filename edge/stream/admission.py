"""Who may open a socket: the right path, a page of ours or a program, and not too many at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Network, ip_address
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network
PATH = "/v1/stream"


class Addresses:
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
    page, called = urlsplit(origin), urlsplit(f"//{host or ''}")
    if page.scheme in {"http", "https"} and page.hostname and page.hostname == called.hostname:
        return None
    return HTTPStatus.FORBIDDEN


def client_address(peer: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """Return whose address counts: the nearest one that no proxy of ours has.

    `forwarded` holds the values of X-Forwarded-For, to each of which a proxy appends whom it saw.
    """
    hops = [hop.strip() for value in forwarded for hop in value.split(",")]
    address = peer
    while hops and _is_in(address, trusted):
        address = hops.pop()
    return address


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)
