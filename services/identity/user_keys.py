"""The key of each user: sealed in the database by identity's vault, bare only in memory.

Whoever destroys a user's key has destroyed everything that was sealed with it, in backups too.
"""

from __future__ import annotations

from uuid import UUID

from services.identity import documents
from services.identity.ground import Ground
from services.identity.sealing import KEY_BYTES
from services.identity.vault import Vault
from services.kit.errors import Failure
from services.kit.reason import Reason


class UserKeys:
    """Makes and opens the keys of users."""

    def __init__(self, ground: Ground, vault: Vault) -> None:
        """Seal them with this vault."""
        self._ground = ground
        self._vault = vault

    async def made(self, user_id: UUID) -> bytes:
        """Return a user's key, which is made the first time."""
        sealed = self._vault.seal(self._ground.random(KEY_BYTES), _owner(user_id))
        async with self._ground.database.transaction() as connection:
            now = self._ground.clock.now()
            sealed = await documents.add_key(connection, user_id, sealed, now)
        return self._vault.open(sealed, _owner(user_id))

    async def found(self, user_id: UUID) -> bytes:
        """Return a user's key. Failure DOCUMENT_NOT_FOUND when it was destroyed."""
        async with self._ground.database.connection() as connection:
            sealed = await documents.wrapped_key(connection, user_id)
        if sealed is None:
            raise Failure(Reason.DOCUMENT_NOT_FOUND, "There is no such document.")
        return self._vault.open(sealed, _owner(user_id))


def _owner(user_id: UUID) -> bytes:
    return f"documents of {user_id}".encode()
