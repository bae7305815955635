"""Referrals: who brought whom, and when that does not count (rules.md, "Referrals").

What payments will add: rewards, and that referrer and referred pay by different instruments.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from services.identity.user import User

CODE_BYTES = 7
"""How much randomness a code is made of; fifty bits of it are kept."""

_CODE_LENGTH, _BITS = 10, 5
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: what is read aloud or copied by hand is not mistaken."""

_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


class Refusal(StrEnum):
    """Why somebody who came by a link has no referrer."""

    REFERRER_BANNED = "REFERRER_BANNED"
    SAME_DEVICE = "SAME_DEVICE"
    SAME_ADDRESS = "SAME_ADDRESS"
    SAME_CLUSTER = "SAME_CLUSTER"


class Referral(NamedTuple):
    """Somebody registered by somebody's link. The fields are the columns of `referral`."""

    user_id: UUID
    referrer_id: UUID
    referred_at: datetime
    refusal: Refusal | None = None
    """Why it does not count, if it does not."""


class Facts(NamedTuple):
    """What is known about a referrer when somebody registers by his link."""

    banned: bool
    at_device: bool
    """Whether he was seen at the device at hand."""

    at_address: bool
    """Whether he was seen at the address at hand, and few enough are there to mean anything."""

    in_cluster: bool
    """Whether he is linked with anybody who was seen at either."""


def code_of(random: bytes) -> str:
    """Return the code that CODE_BYTES random bytes make."""
    number = int.from_bytes(random)
    digits = (number >> (_BITS * place) & (len(_ALPHABET) - 1) for place in range(_CODE_LENGTH))
    return "".join(_ALPHABET[digit] for digit in digits)


def spelt(code: str) -> str:
    """Return a code as it is stored, however somebody typed it."""
    return code.upper().translate(_READ_AS)


def refusal_of(facts: Facts) -> Refusal | None:
    """Return why a referral does not count; None if it does."""
    if facts.banned:
        return Refusal.REFERRER_BANNED
    if facts.at_device:
        return Refusal.SAME_DEVICE
    if facts.at_address:
        return Refusal.SAME_ADDRESS
    return Refusal.SAME_CLUSTER if facts.in_cluster else None


def masked(user: User) -> str:
    """Return so much of a user's mail address that a friend knows it, and nobody learns it."""
    name, _, host = user.email.rpartition("@")
    return f"{name[:1]}***@{host[:1]}***"
