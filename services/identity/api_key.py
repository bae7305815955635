"""API keys: what programs sign in with, and how one is written.

A key is written `vtk_<id>_<secret>`: the id finds it, the secret proves it. Who wants no secret
that travels registers a public Ed25519 key instead, and signs a short assertion with it.
"""

import hashlib
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_network
from uuid import UUID

SECRET_BYTES = 32
LIVE_MAX = 50
"""How many keys a user may have at a time."""

_WRITTEN = re.compile(r"vtk_([0-9a-f]{32})_([A-Za-z0-9_-]{43})")


class Scope(StrEnum):
    """What a key may be used for."""

    READ = "READ"
    TRADE = "TRADE"
    WITHDRAW = "WITHDRAW"


@dataclass(frozen=True, slots=True)
class KeyWish:
    """What somebody wants a key for; `public_key` in place of a secret, if he has one."""

    name: str
    scopes: frozenset[Scope]
    account_ids: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    expires_at: datetime | None = None
    public_key: bytes | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of one user."""

    key_id: UUID
    user_id: UUID
    name: str
    scopes: frozenset[Scope]
    account_ids: tuple[str, ...]
    """The accounts it is bound to; all of the user's when there are none."""

    networks: tuple[str, ...]
    """From where it may be used; from anywhere when there are none."""

    created_at: datetime
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    digest: bytes | None = None
    public_key: bytes | None = None

    def is_live(self, now: datetime) -> bool:
        """Tell whether the key neither ended nor expired."""
        return self.ended_at is None and (self.expires_at is None or now < self.expires_at)


def write(key_id: UUID, secret: bytes) -> str:
    """Return a key as its owner keeps it."""
    return f"vtk_{key_id.hex}_{urlsafe_b64encode(secret).decode().rstrip('=')}"


def parse(written: str) -> tuple[UUID, bytes] | None:
    """Return the id of a written key, and the digest that proves it; None for what is none."""
    match = _WRITTEN.fullmatch(written)
    return (UUID(match[1]), digest_of(written)) if match else None


def digest_of(written: str) -> bytes:
    """Return what is stored of a key. Its secret is random, so a plain hash hides it."""
    return hashlib.sha256(written.encode()).digest()


def network(written: str) -> str | None:
    """Return an address or network in its one spelling, or None when it is none."""
    try:
        return str(ip_network(written, strict=False))
    except ValueError:
        return None
