"""A user, and when two ways of writing a mail address mean the same user."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

ADDRESS_KEY_LENGTH_MAX = 320

# Addresses without quotes and comments (RFC 5321, dot-string), in any script (RFC 6531): what reads
# as several addresses, or as none, is never written into the head of a letter.
_ATOM = r"(?:[a-z0-9!#$%&'*+/=?^_`{|}~-]|[^\x00-\x7f\s])+"
_LABEL = r"(?:[a-z0-9-]|[^\x00-\x7f\s])+"
_ADDRESS = re.compile(rf"{_ATOM}(\.{_ATOM})*@{_LABEL}(\.{_LABEL})+")


@dataclass(frozen=True, slots=True)
class User:
    """A person who can sign in."""

    user_id: UUID
    email: str
    """As it was written at registration: the only spelling that mail is ever sent to."""

    roles: tuple[str, ...]
    registered_at: datetime
    authority: int = 1
    """Counts the changes of what the user may do; tokens that tell an older one do not count."""

    email_confirmed: bool = False
    country: str = ""
    """ISO 3166 code, as the user told it; empty until then."""

    birth_date: date | None = None
    agreement_version: str = ""
    """The version of the user agreement accepted last."""

    real_accounts: bool = False
    """Whether the user has once met all that `jurisdiction` asks for."""

    language: str = "en"
    """In which he is written to: one of `letter.LANGUAGES`."""

    banned: bool = False
    banned_until: datetime | None = None
    """When the ban ends by itself; None for one that does not."""

    closed: bool = False
    """Whether the user is being erased, or was."""

    erased_at: datetime | None = None

    def is_shut_out(self, now: datetime) -> bool:
        """Tell whether a ban, or his erasure, keeps the user out."""
        if self.closed:
            return True
        return self.banned and (self.banned_until is None or now < self.banned_until)


ADDRESS_PART_LENGTH_MIN = 3
"""Fewer characters are in so many addresses that no index tells them apart."""


def address_key(email: str) -> str | None:
    """Return what two spellings of a mail address have in common, or None if it is no address.

    The key is the address in Unicode's compatibility form (NFKC) with case folded: `Ana@X.io`,
    `ana@x.io` and the same in full-width letters are one user, so that nobody registers an address
    that only looks like another's. It serves comparison alone. Characters that nobody can see
    (controls, zero-width marks) and those without meaning make it no address. Accents, dots and
    `+tags` are kept: whether they matter is up to the mail server.
    """
    key = folded(email)
    if len(key) > ADDRESS_KEY_LENGTH_MAX or not _ADDRESS.fullmatch(key):
        return None
    if any(unicodedata.category(character).startswith("C") for character in email + key):
        return None
    return key


def folded(text: str) -> str:
    """Return a text as it would be written within an `address_key`."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
