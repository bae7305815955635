"""What a process of identity is told by its environment."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from services.identity.document_store import S3Settings
from services.kit.settings import DatabaseSettings, ServiceSettings

_MEMORY_KIB_FLOOR = 19 * 1024
_ITERATIONS_FLOOR = 2


class FraudSettings(BaseModel):
    """What links users, and how much of something raises a flag."""

    users_per_device: int = Field(
        default=20, ge=2, le=100, description="a device with more users links none of them"
    )
    users_per_address: int = Field(
        default=5, ge=2, le=100, description="an address with more users links none of them"
    )
    new_users_per_device: int = Field(default=2, ge=1, le=100, description="within a day")
    new_users_per_address: int = Field(default=5, ge=1, le=100, description="within a day")
    devices_per_user: int = Field(default=4, ge=1, le=100, description="new ones within an hour")
    countries_per_user: int = Field(default=1, ge=1, le=100, description="within an hour")
    orders_per_device: int = Field(
        default=120, ge=1, le=100_000, description="within a minute, by several users"
    )
    orders_per_address: int = Field(
        default=240, ge=1, le=100_000, description="within a minute, by several users"
    )
    traders_per_device: int = Field(default=3, ge=1, le=100, description="within a day")
    keep_traces_days: int = Field(default=365, ge=1, le=3650)


class Settings(ServiceSettings, DatabaseSettings):
    """Settings of identity."""

    stream_url: str = Field(
        default="ws://127.0.0.1:8081/v1/stream", description="where apps open the socket"
    )

    site_url: str = Field(
        default="http://127.0.0.1:8080",
        pattern=r"^https?://[^\s/]+(/\S*)?$",
        description="where links in letters lead",
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="mail server, such as smtp+starttls://user:password@host:587; without one, "
        "in development, mails stay in a mailbox that staff can read",
    )
    mail_from: str = Field(default="Veritick <no-reply@localhost>", min_length=3)
    keep_mails_days: int = Field(default=30, ge=1, le=365)
    breached_passwords: Path | None = Field(
        default=None, description="file of SHA-1 digests in order, as Have I Been Pwned offers it"
    )

    vault: Path | None = Field(
        default=None,
        description="file of keys, one a line in base64, by which secrets are sealed in the "
        "database; by default private/identity.vault in the folder of keys",
    )

    agreement_version: str = Field(default="2026-11", pattern=r"^\S{1,40}$")
    real_countries: frozenset[Annotated[str, Field(pattern=r"^[A-Z]{2}$")]] = Field(
        default=frozenset(), description="ISO 3166 codes; in no other country real accounts open"
    )
    age_min: int = Field(default=18, ge=18, le=99)

    currency: str = Field(
        default="USD",
        pattern=r"^[A-Z]{3,5}$",
        description="of the amounts by which users limit themselves: that of the books",
    )

    country_file: Path | None = Field(
        default=None,
        description="database of countries by address, in MaxMind's format; without it nobody's "
        "is known",
    )
    fraud: FraudSettings = FraudSettings()

    documents_folder: Path | None = Field(
        default=None,
        description="where documents are kept, sealed; without it nobody hands any in",
    )
    documents_s3: S3Settings | None = Field(
        default=None, description="a bucket, in place of the folder"
    )

    erasure_wait_hours: int = Field(
        default=14 * 24,
        ge=0,
        le=28 * 24,
        description="how long a user who asked to be erased can take it back",
    )
    erasure_pause_seconds: int = Field(
        default=60,
        ge=0,
        le=3600,
        description="between the steps of an erasure: signed out, accounts closed, forgotten",
    )

    staff_second_factor: bool | None = Field(
        default=None,
        description="whether permissions of staff count only for who has a second factor; "
        "unset: in production",
    )

    session_idle_hours: int = Field(default=7 * 24, ge=1, le=90 * 24)
    session_absolute_hours: int = Field(default=30 * 24, ge=1, le=365 * 24)
    sessions_max: int = Field(default=20, ge=1, le=1000, description="live sessions of one user")
    refresh_grace_seconds: int = Field(
        default=10, ge=0, le=60, description="how long a lost answer may be asked for again"
    )
    keep_sessions_days: int = Field(
        default=30, ge=1, le=3650, description="how long sessions that are over are remembered"
    )

    # The OWASP Password Storage Cheat Sheet's parameters for argon2id.
    password_memory_kib: int = Field(default=_MEMORY_KIB_FLOOR, ge=8, le=1024 * 1024)
    password_iterations: int = Field(default=_ITERATIONS_FLOOR, ge=1, le=100)
    password_lanes: int = Field(default=1, ge=1, le=16)
    password_threads: int = Field(default=2, ge=1, le=64, description="hashes made at a time")
    password_waiting_max: int = Field(default=64, ge=0, le=1000)

    open_accounts_seconds: float = Field(
        default=2,
        gt=0,
        le=10,
        description="how long registrations and changes of protection wait for trading",
    )

    @model_validator(mode="after")
    def _production_hashes_with_care(self) -> Self:
        if self.mode == "production" and (
            self.password_memory_kib < _MEMORY_KIB_FLOOR
            or self.password_iterations < _ITERATIONS_FLOOR
        ):
            raise ValueError(
                f"production hashes passwords with at least {_MEMORY_KIB_FLOOR} KiB "
                f"and {_ITERATIONS_FLOOR} iterations"
            )
        return self

    @property
    def demands_second_factor(self) -> bool:
        """Whether permissions of staff count only for who has a second factor."""
        chosen = self.staff_second_factor
        return self.mode == "production" if chosen is None else chosen

    @property
    def vault_file(self) -> Path:
        """Where the keys of the vault are."""
        return self.vault or Path(self.required("keys")) / "private" / "identity.vault"
