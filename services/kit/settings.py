"""What a process is told by its environment, typed and checked before anything starts.

Every variable begins with `VERITICK_`; a nested field is reached by a double underscore
(`VERITICK_BOOKS__DEMO__DATABASE_URL`). Only a service's own `settings.py` and `app.py` look here.
"""

import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import unquote, urlsplit

from psycopg.conninfo import conninfo_to_dict
from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from services.kit import failpoints
from services.kit.tls import TlsSettings

Mode = Literal["development", "production"]
LogFormat = Literal["json", "console"]

DEVELOPMENT_SECRETS = frozenset(
    {"", "admin", "changeme", "development", "password", "postgres", "secret", "test", "veritick"}
)
"""Secrets that anyone would guess; production refuses them, as it refuses declared defaults."""

HostPort = Annotated[str, Field(pattern=r"^[^:\s]*:[0-9]{1,5}$|^\[[0-9a-fA-F:]+\]:[0-9]{1,5}$")]
"""`host:port` to listen on; port 0 takes a free one."""

Exposed = Literal[
    "listen", "admin_listen", "metrics_listen", "http_listen", "stream_listen", "channels"
]
"""What may speak in cleartext: one of our listeners, or our calls to other services."""

_PASSWORDLESS = ("passfile", "sslcert")
_POSTGRES = frozenset({"postgres", "postgresql"})
_REDIS = frozenset({"redis", "rediss"})


class DatabaseSettings(BaseModel):
    """Where one database is, and as whom it is used."""

    database_url: SecretStr = Field(description="DSN of the role that the service runs as")
    migration_url: SecretStr | None = Field(
        default=None, description="DSN of the role that owns the tables; only `migrate` needs it"
    )
    pool_min: int = Field(default=1, ge=0, le=100)
    pool_max: int = Field(default=10, ge=1, le=100)
    statement_timeout_seconds: float = Field(default=30, gt=0, le=600)

    @model_validator(mode="after")
    def _pool_is_a_range(self) -> Self:
        if self.pool_min > self.pool_max:
            raise ValueError("pool_min is larger than pool_max")
        return self


class ServiceSettings(BaseSettings):
    """What every process is told; a service adds its own fields in a subclass.

    A service with one database also inherits DatabaseSettings. A secret is a `SecretStr`, and a
    DSN is one too, for it holds a password.
    """

    model_config = SettingsConfigDict(
        env_prefix="VERITICK_",
        env_nested_delimiter="__",
        extra="ignore",
        frozen=True,
        # A value that fails to parse may be a secret in the wrong place: never repeat it.
        hide_input_in_errors=True,
    )

    mode: Mode = "production"
    listen: HostPort = Field(default="127.0.0.1:0", description="gRPC")
    admin_listen: HostPort | None = Field(
        default=None,
        description="gRPC reflection and channelz for staff and services, in production; "
        "in development `listen` answers them to everybody",
    )
    calls_max: int = Field(
        default=10_000,
        ge=1,
        description="calls at once, streams included; more are told to come back",
    )
    metrics_listen: HostPort | None = Field(default=None, description="Prometheus and /healthz")
    keys: Path | None = Field(default=None, description="folder with private/ and public/ keys")
    tls: TlsSettings | None = Field(
        default=None, description="certificate for the gRPC server and all channels; else cleartext"
    )
    cleartext: frozenset[Exposed] = Field(
        default=frozenset(),
        description="what may be spoken in cleartext beyond this machine, in production; "
        "for where something else encrypts it",
    )
    redis_url: SecretStr | None = None
    log_format: LogFormat = "json"
    drain_seconds: float = Field(
        default=5, ge=0, le=300, description="how long calls in flight may take to end at a stop"
    )

    failpoints: str = Field(default="", description="faults for tests: see kit.failpoints")
    failpoints_seed: int | None = None

    identity_address: str | None = None
    quotes_address: str | None = None
    trading_address: str | None = None
    settlement_address: str | None = None

    @model_validator(mode="after")
    def _production_has_real_secrets(self) -> Self:
        weak = list(weak_secrets(self)) if self.mode == "production" else []
        if weak:
            raise ValueError(f"production refuses a default or guessable secret: {', '.join(weak)}")
        return self

    @model_validator(mode="after")
    def _production_is_not_overheard(self) -> Self:
        if self.mode == "production":
            heard = {name for name, where in self._cleartext() if not _on_this_machine(where)}
            if loud := sorted(heard - self.cleartext):
                raise ValueError(
                    "production speaks no cleartext beyond this machine unless VERITICK_CLEARTEXT "
                    f"names it: {', '.join(loud)}"
                )
        return self

    def _cleartext(self) -> Iterator[tuple[str, str]]:
        """Yield what is spoken in cleartext: by its name, and with whom or where."""
        if self.metrics_listen is not None:
            yield "metrics_listen", self.metrics_listen
        if self.tls is None:
            yield "listen", self.listen
            if self.admin_listen is not None:
                yield "admin_listen", self.admin_listen
            for address in (
                self.identity_address,
                self.quotes_address,
                self.trading_address,
                self.settlement_address,
            ):
                if address is not None:
                    yield "channels", address

    @field_validator("failpoints")
    @classmethod
    def _failpoints_exist(cls, text: str) -> str:
        return failpoints.check(text)

    @model_validator(mode="after")
    def _production_has_no_failpoints(self) -> Self:
        if self.mode == "production" and self.failpoints:
            raise ValueError("production refuses failpoints")
        return self

    def required(self, name: str) -> Any:
        """Return a setting that this process cannot do without, or end it and say which one."""
        value = getattr(self, name)
        if value is None:
            sys.stderr.write(f"settings: VERITICK_{name.upper()}: required\n")
            raise SystemExit(2)
        return value


SettingsType = TypeVar("SettingsType", bound=ServiceSettings)


def load_settings(kind: type[SettingsType]) -> SettingsType:
    """Read settings from the environment, or end the process and say what is wrong with them."""
    try:
        return kind()
    except ValidationError as error:
        complaints = list(_complaints(error))
    except SettingsError as error:
        complaints = [f"settings: {error}"]
    sys.stderr.write("\n".join(complaints) + "\n")
    raise SystemExit(2)


def weak_secrets(settings: BaseModel, prefix: str = "") -> Iterator[str]:
    """Yield the names of secrets, at any depth, that are a default or could be guessed."""
    for name, field in type(settings).model_fields.items():
        yield from _weak(getattr(settings, name), field.default, prefix + name)


def _weak(value: object, default: object, name: str) -> Iterator[str]:
    if isinstance(value, SecretStr):
        if value == default or _guessable(value.get_secret_value()):
            yield name
    elif isinstance(value, BaseModel):
        yield from weak_secrets(value, f"{name}.")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _weak(item, None, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            yield from _weak(item, None, f"{name}.{position}")


def _guessable(secret: str) -> bool:
    scheme = secret.partition("://")[0]
    if scheme in _POSTGRES:
        return _guessable_dsn(secret)
    if "://" not in secret:
        return secret.lower() in DEVELOPMENT_SECRETS
    password = urlsplit(secret).password
    if password is None:
        # Who reaches Redis over a network reads what users are told.
        return scheme in _REDIS
    return unquote(password).lower() in DEVELOPMENT_SECRETS


def _guessable_dsn(secret: str) -> bool:
    parts = conninfo_to_dict(secret)
    if any(parts.get(key) for key in _PASSWORDLESS):
        return False
    password = str(parts.get("password") or "")
    return password.lower() in DEVELOPMENT_SECRETS or password == parts.get("user")


def _on_this_machine(address: str) -> bool:
    """Tell whether a `host:port` is one that nobody else hears. A host by name is somewhere."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _complaints(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        path = "__".join(str(part).upper() for part in problem["loc"])
        name = f"VERITICK_{path}: " if path else ""
        yield f"settings: {name}{problem['msg']}"
