"""Where a request comes from: the socket's peer, or what trusted proxies say of it."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_UNKNOWN = "unknown"
_IPV6_CUSTOMER_BITS = 64


class Addresses:
    """Tells callers' addresses, believing `X-Forwarded-For` only from trusted proxies."""

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        """Trust these networks; ValueError for one that is malformed."""
        self._trusted: list[Network] = [ip_network(network) for network in trusted]

    def of(self, peer: str | None, forwarded: Iterable[str]) -> str:
        """Return a caller's address, or the network of an IPv6 one: a customer has a whole /64.

        `forwarded` are the values of the `X-Forwarded-For` headers, in order. They are read from
        the end, where the nearest proxy wrote, up to the first that is not ours.
        """
        address = _parsed(peer or "")
        hops = [hop.strip() for value in forwarded for hop in value.split(",")]
        while hops and address is not None and self._is_trusted(address):
            address = _parsed(hops.pop())
        return _shown(address)

    def trusts(self, peer: str | None) -> bool:
        """Whether a socket's peer is a proxy of ours, which speaks for many callers."""
        address = _parsed(peer or "")
        return address is not None and self._is_trusted(address)

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def _parsed(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _shown(address: Address | None) -> str:
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _IPV6_CUSTOMER_BITS), strict=False))
    return str(address) if address is not None else _UNKNOWN
