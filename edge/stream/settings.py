"""What `edge stream` is told by its environment."""

from collections.abc import Iterator

from pydantic import Field

from edge.settings import EdgeSettings
from services.kit.settings import HostPort


class StreamSettings(EdgeSettings):
    """Where the socket listens, and the bounds of what it gives."""

    stream_listen: HostPort = "127.0.0.1:8081"
    sockets_max: int = Field(default=20_000, ge=1)
    address_sockets_max: int = Field(
        default=1_000, ge=1, description="sockets of one address; an office may share one"
    )
    user_sockets_max: int = Field(default=20, ge=1)
    subscriptions_max: int = Field(default=100, ge=1, le=1_000)
    heartbeat_seconds: float = Field(default=5, gt=0, le=60)
    poll_seconds: float = Field(
        default=2, gt=0, le=60, description="how often the services are asked while Redis is away"
    )
    slow_reader_seconds: float = Field(default=10, gt=0, le=300)
    queue_frames_max: int = Field(default=1_000, ge=1)
    queue_bytes_max: int = Field(default=1 << 20, ge=1_024)

    def _cleartext(self) -> Iterator[tuple[str, str]]:
        yield from super()._cleartext()
        if self.http_tls is None:
            yield "stream_listen", self.stream_listen
