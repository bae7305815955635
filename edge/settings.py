"""What the two runtimes of the edge are told by their environment."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from services.kit.settings import HostPort, ServiceSettings
from services.kit.tls import HttpTlsSettings


class Allowance(BaseModel):
    """How often one caller may call: a bucket of `burst` calls that refills steadily."""

    per_second: float = Field(gt=0, le=1_000_000)
    burst: int = Field(ge=1, le=1_000_000)


class Allowances(BaseModel):
    """What each cost class of the contract allows. Unset: what the mode grants."""

    read: Allowance | None = None
    write: Allowance | None = None
    trade: Allowance | None = None
    credential: Allowance | None = None
    export: Allowance | None = None


PRODUCTION_ALLOWANCES = {
    "read": Allowance(per_second=50, burst=200),
    "write": Allowance(per_second=10, burst=40),
    "trade": Allowance(per_second=20, burst=60),
    # Ten a minute: enough for a forgetful person, not for a guessing program.
    "credential": Allowance(per_second=10 / 60, burst=20),
    # Six a minute: each may read all that an account ever did.
    "export": Allowance(per_second=6 / 60, burst=6),
}
DEVELOPMENT_ALLOWANCES = {
    **PRODUCTION_ALLOWANCES,
    # On one machine everybody shares one address: a team, their tests and their browsers.
    "read": Allowance(per_second=200, burst=1_000),
    "credential": Allowance(per_second=5, burst=200),
}


Origin = Annotated[str, Field(pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$")]
"""Scheme, host and port of pages, as browsers write them: never a pattern for many."""


class EdgeSettings(ServiceSettings):
    """What both runtimes are told."""

    stream_url: str = Field(
        default="ws://127.0.0.1:8081/v1/stream",
        pattern=r"^wss?://[^\s/]+(/\S*)?$",
        description="where clients open the socket",
    )
    origins: tuple[Origin, ...] = Field(
        default=(), description="origins of our pages, where they differ from the host called"
    )
    cors_origins: tuple[Origin, ...] = Field(
        default=(),
        description="origins of others' pages that may call, with tokens of their own; no cookies",
    )
    http_tls: HttpTlsSettings | None = Field(
        default=None, description="certificate for clients; else cleartext, for a proxy of ours"
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=(), description="networks whose X-Forwarded-For is believed, such as 10.0.0.0/8"
    )


class RestSettings(EdgeSettings):
    """What `edge rest` is told. Keys and services, optional for others, it cannot do without."""

    keys: Path
    identity_address: str
    quotes_address: str
    trading_address: str
    settlement_address: str
    http_listen: HostPort = "127.0.0.1:8080"
    terminal: Path | None = Field(default=None, description="folder of the built terminal")
    admin: Path | None = Field(default=None, description="folder of the built app for staff")
    head_seconds_max: float = Field(
        default=10, gt=0, le=300, description="for the head of a request to arrive"
    )
    body_bytes_max: int = Field(default=65_536, ge=1_024, le=16_777_216)
    file_bytes_max: int = Field(
        default=1_048_576, ge=1_024, le=8_388_608, description="of a part of an upload"
    )
    body_seconds_max: float = Field(default=10, gt=0, le=300)
    call_seconds_max: float = Field(
        default=10, gt=0, le=300, description="the deadline of a call to a service"
    )
    answer_seconds_max: float = Field(
        default=120, gt=0, le=3600, description="for a whole request, its slow reader included"
    )
    requests_max: int = Field(
        default=2_000, ge=1, description="requests and connections at once; more are told to wait"
    )
    address_connections_max: int = Field(
        default=256, ge=1, description="connections of one address; an office may share one"
    )
    allowances: Allowances = Allowances()

    def _cleartext(self) -> Iterator[tuple[str, str]]:
        yield from super()._cleartext()
        if self.http_tls is None:
            yield "http_listen", self.http_listen

    @property
    def addresses(self) -> dict[str, str]:
        """Where the services listen, by their names."""
        return {
            "identity": self.identity_address,
            "quotes": self.quotes_address,
            "trading": self.trading_address,
            "settlement": self.settlement_address,
        }


def allowances(settings: RestSettings) -> dict[str, Allowance]:
    """Return what each cost class allows: as set, or else what the mode grants."""
    granted = DEVELOPMENT_ALLOWANCES if settings.mode == "development" else PRODUCTION_ALLOWANCES
    chosen = settings.allowances.model_dump(exclude_none=True)
    return granted | {name: Allowance(**value) for name, value in chosen.items()}
