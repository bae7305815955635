"""Secrets that have to be read again are stored sealed, and what is only to be known again marked.

A copy of the database opens none of it.
"""

import hmac
import os
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.identity.session import Random

KEY_BYTES = 32
_NONCE_BYTES = 12


class Vault:
    """Seals with its first key, and opens what any of its keys has sealed (AES-256-GCM)."""

    def __init__(self, keys: Sequence[bytes], random: Random = os.urandom) -> None:
        """Hold keys of 32 bytes; ValueError for none, or for another length."""
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"a vault needs keys of {KEY_BYTES} bytes")
        self._marking = [hmac.digest(key, b"veritick mark 1", "sha256") for key in keys]
        self._ciphers = [AESGCM(key) for key in keys]
        self._random = random

    @classmethod
    def load(cls, file: Path) -> "Vault":
        """Read keys, one a line in base64, the one to seal with first. OSError or ValueError."""
        lines = file.read_text(encoding="ascii").split()
        return cls([b64decode(line, validate=True) for line in lines])

    def seal(self, secret: bytes, owner: bytes) -> bytes:
        """Return a secret sealed for its owner: moved to anybody else's row it does not open."""
        nonce = self._random(_NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, secret, owner)

    def marks(self, text: str) -> list[bytes]:
        """Return by what a text is known again that is not kept, by each key, the first one first.

        Without a key nobody finds a text to a mark, not even by trying all of them.
        """
        return [hmac.digest(key, text.encode(), "sha256") for key in self._marking]

    def open(self, sealed: bytes, owner: bytes) -> bytes:
        """Return what was sealed; ValueError when no key opens it."""
        nonce, content = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(nonce, content, owner)
            except InvalidTag:
                continue
        raise ValueError("no key of this vault opens the secret")
