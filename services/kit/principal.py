"""Who is calling, as the interceptor found out from the token."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.kit.errors import Failure
from services.kit.reason import Reason


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What a token that a program got for an API key is confined to."""

    key_id: str
    scopes: frozenset[str]
    accounts: frozenset[str]
    """The accounts it may touch; all of the user's when there are none."""

    networks: tuple[str, ...]
    """From where it may be used; from anywhere when there are none."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller: nobody in particular, a signed-in user, or a service."""

    kind: Literal["anonymous", "user", "service"]
    id: str = ""
    """The user's id, or the service's name."""

    permissions: frozenset[str] = field(default_factory=frozenset)
    session_id: str | None = None
    authority: int = 0
    """The version of the permissions that the token tells."""

    issued_at: datetime | None = None
    proven_at: datetime | None = None
    """When the user last proved who he is; never, as far as a key's token tells."""

    key: KeyUse | None = None

    @property
    def grant_id(self) -> str | None:
        """What ends the token before its time when it ends: its session, or its key."""
        return self.key.key_id if self.key is not None else self.session_id

    @property
    def user_id(self) -> UUID:
        """The calling user; Failure UNAUTHENTICATED if the caller is none."""
        if self.kind != "user":
            raise Failure(Reason.UNAUTHENTICATED, "This call needs a signed-in user.")
        return UUID(self.id)


ANONYMOUS = Principal("anonymous")

_caller: ContextVar[Principal] = ContextVar("caller", default=ANONYMOUS)


def caller() -> Principal:
    """Return who makes the call that is being handled."""
    return _caller.get()


def set_caller(principal: Principal) -> None:
    """Remember the caller for the current task; for the server's interceptor and for tests."""
    _caller.set(principal)
