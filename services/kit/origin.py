"""Where a call comes from: the address and the program of the person behind it.

Between a person and a service stands the edge, so it says where the person is. It is believed
because it proves to be the edge: its own service token comes along. A caller without that proof
stands where the connection comes from.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from urllib.parse import unquote

ADDRESS_KEY = "x-origin-address"
AGENT_KEY = "x-origin-agent"
DEVICE_KEY = "x-origin-device"
PROOF_KEY = "x-origin-proof"
"""The gRPC metadata by which the edge tells the origin, and proves that it may."""

EDGE = "edge"
"""The only service that may speak of where others are."""

AGENT_LENGTH_MAX = 256
UNKNOWN = "unknown"

_IPV4_BITS, _IPV6_BITS = 24, 48


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a call comes from."""

    address: str = UNKNOWN
    """An IP address, the /64 network of an IPv6 one, or `unknown`."""

    agent: str = ""
    """The User-Agent, if the program gave one."""

    device: str = ""
    """The random id by which the edge knows a browser again; empty for other programs."""

    @property
    def network(self) -> str:
        """The network around the address: enough to compare by, too little to find a person."""
        try:
            inside = ip_address(self.address.partition("/")[0])
        except ValueError:
            return UNKNOWN
        bits = _IPV4_BITS if inside.version == 4 else _IPV6_BITS
        return str(ip_network((inside, bits), strict=False))


NOWHERE = Origin()

_origin: ContextVar[Callable[[], Origin]] = ContextVar("origin", default=lambda: NOWHERE)


def origin() -> Origin:
    """Return where the call that is being handled comes from."""
    return _origin.get()()


def set_origin(find: Callable[[], Origin]) -> None:
    """Remember how to find out, for the current task: most calls are never asked."""
    _origin.set(find)


def peer_address(peer: str) -> str:
    """Return the address in gRPC's name of a peer: `ipv4:127.0.0.1:53412`, `ipv6:%5B::1%5D:80`."""
    kind, _, rest = peer.partition(":")
    if kind not in {"ipv4", "ipv6"}:
        return UNKNOWN
    return unquote(rest).rpartition(":")[0].strip("[]") or UNKNOWN


def told_agent(agent: str) -> str:
    """Return a User-Agent as metadata can carry it: printable ASCII, and not too long."""
    return "".join(c for c in agent[:AGENT_LENGTH_MAX] if " " <= c <= "~").strip()
