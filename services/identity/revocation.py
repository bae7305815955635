"""What is taken back before the tokens that tell it have expired."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Revoked:
    """A session or an API key that ended, or a change of what a user may do."""

    until: datetime
    """After this moment no token is left that tells otherwise."""

    grant_id: UUID | None = None
    """The session, or the key."""

    user_id: UUID | None = None
    authority: int = 0
    """The version of the user's permissions that counts from now on."""
