"""Which port is whose, and whether it is free."""

import socket

from services.local.home import Refusal

HOST = "127.0.0.1"
_OFFSETS = {
    "rest": 0,
    "stream": 1,
    "identity": 2,
    "quotes": 3,
    "trading": 4,
    "settlement": 5,
    "simulator": 6,
    "stream metrics": 11,
    "identity metrics": 12,
    "quotes metrics": 13,
    "trading metrics": 14,
    "settlement metrics": 15,
    "rest metrics": 17,
}
SMALLEST_BASE = 1
LARGEST_BASE = 65535 - max(_OFFSETS.values())


class Ports:
    """The ports of one platform, all next to the first."""

    def __init__(self, base: int) -> None:
        self._base = base

    def of(self, what: str) -> int:
        """Return the port of `what`."""
        return self._base + _OFFSETS[what]

    def address(self, what: str) -> str:
        """Return `host:port` of `what`."""
        return f"{HOST}:{self.of(what)}"

    def require_free(self) -> None:
        """Raise `Refusal` naming every port that something else listens on."""
        taken = [f"{self.of(what)} ({what})" for what in _OFFSETS if not _free(self.of(what))]
        if taken:
            ports = "port" if len(taken) == 1 else "ports"
            raise Refusal(
                f"{ports} {', '.join(taken)} taken: stop what uses it, or set VERITICK_PORT"
            )


def _free(port: int) -> bool:
    """Try it. Servers that share their port are noticed too, because this one would not share."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((HOST, port))
        except OSError:
            return False
    return True
