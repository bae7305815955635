"""Encryption of what users hand in, in chunks, with a key of the user's own.

A sealed text is `VTK1`, a random prefix of 7 bytes, and chunks of 64 KiB under AES-256-GCM. The
nonce of a chunk is the prefix, its number (4 bytes) and whether it is the last (1 byte), so that no
chunk can be left out, moved, or taken for the end; the name under which the text is kept is
authenticated with each, so that no text passes for another.
"""

from collections.abc import Callable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_MAGIC = b"VTK1"
_PREFIX_BYTES, _TAG_BYTES = 7, 16
_CHUNK_BYTES = 64 * 1024

Random = Callable[[int], bytes]


class Damaged(Exception):
    """A sealed text is not what was sealed, not under this name, or not with this key."""


def seal(key: bytes, text: bytes, name: str, random: Random) -> bytes:
    """Return a text sealed under a name."""
    cipher, prefix = AESGCM(key), random(_PREFIX_BYTES)
    chunks = list(_pieces(text, _CHUNK_BYTES))
    sealed = [
        cipher.encrypt(_nonce(prefix, number, last=number == len(chunks) - 1), chunk, name.encode())
        for number, chunk in enumerate(chunks)
    ]
    return b"".join([_MAGIC, prefix, *sealed])


def unseal(key: bytes, sealed: bytes, name: str) -> bytes:
    """Return the text that was sealed under a name. Errors: Damaged."""
    begin = len(_MAGIC) + _PREFIX_BYTES
    if len(sealed) < begin + _TAG_BYTES or not sealed.startswith(_MAGIC):
        raise Damaged("this is no sealed text")
    cipher, prefix = AESGCM(key), sealed[len(_MAGIC) : begin]
    chunks = list(_pieces(sealed[begin:], _CHUNK_BYTES + _TAG_BYTES))
    try:
        return b"".join(
            cipher.decrypt(
                _nonce(prefix, number, last=number == len(chunks) - 1), chunk, name.encode()
            )
            for number, chunk in enumerate(chunks)
        )
    except InvalidTag as error:
        raise Damaged("this text was changed, or sealed otherwise") from error


def _pieces(text: bytes, size: int) -> Iterator[bytes]:
    """Yield a text in pieces; an empty text is one empty piece."""
    for start in range(0, max(len(text), 1), size):
        yield text[start : start + size]


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes([last])
