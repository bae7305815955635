"""A signed head of a book's chain of receipts (rules.md, "Receipt").

Each receipt names the hash of the one before it, so one signature over the newest hash speaks for
all of them. It is Ed25519 over the canonical text: UTF-8 lines, each ended by one line feed,

    veritick checkpoint 1
    book <book>
    sequence <sequence of the newest receipt>
    hash <its hash>
    time <when it was signed>

with the time as in a receipt. The key also signs tokens, whose text never begins like this.
"""

from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from services.settlement.receipt import Link, time_text


class Checkpoint(NamedTuple):
    """A signed head."""

    book: str
    sequence: int
    hash: str
    signed_at: datetime
    public_key: bytes
    """The Ed25519 key in its 32 bytes. Kept, since the platform's key may change."""

    signature: bytes

    @property
    def key_id(self) -> str:
        """By which people compare keys: SHA-256 of the public key, hexadecimal."""
        return sha256(self.public_key).hexdigest()


def checkpoint_text(book: str, head: Link, signed_at: datetime) -> str:
    """Return what is signed."""
    return (
        "veritick checkpoint 1\n"
        f"book {book}\n"
        f"sequence {head.sequence}\n"
        f"hash {head.hash}\n"
        f"time {time_text(signed_at)}\n"
    )
